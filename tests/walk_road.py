"""Commands of the whole road in one process, for ``test_same_output.py``; in the folder it is in.

Started as a program: ``python walk_road.py COMMANDS``, a file with a command a line.
"""

from __future__ import annotations

import shlex
import sys
from dataclasses import replace
from pathlib import Path

from drawn_videos import pictures, write_video

from facetl.cli import main
from facetl.training.stages import STAGE_FACTS


def walk(commands: Path) -> None:
    """Draw a video, and run the commands one after the other."""
    for stage, facts in STAGE_FACTS.items():
        STAGE_FACTS[stage] = replace(
            facts, least_patches=0
        )  # few frames give no more patches than many
    shots = [picture for index in (0, 2) for picture in pictures(index, 6, step=1)]
    write_video(Path("episode.mp4"), shots)
    for line in commands.read_text().splitlines():
        main(shlex.split(line), standalone_mode=False)


if __name__ == "__main__":
    walk(Path(sys.argv[1]))

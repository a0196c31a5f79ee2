"""Opening the files of videos: one file, by its content, and no other file through it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from facetl.errors import VideoError
from facetl.files import open_regular

_CONTAINERS = (
    *("mov", "matroska", "webm", "avi", "mpegts", "mpeg", "mpegvideo", "asf", "flv", "live_flv"),
    *("ogg", "rm", "nut", "mxf", "gxf", "dv", "wtv", "ivf", "yuv4mpegpipe", "m4v", "h261", "h263"),
    *("h264", "hevc", "vvc", "av1", "obu", "vc1", "mjpeg", "amv", "nsv", "nuv", "viv", "pva"),
)
"""FFmpeg's names of what is opened: containers and streams that hold their own pictures."""


@contextmanager
def open_container(path: Path) -> Iterator[Any]:
    """Give the container, of PyAV's, that a file holds.

    Raises:
        VideoError: if the file is missing, damaged or no video.
    """
    with ExitStack() as stack:
        try:
            file = stack.enter_context(open_regular(path, sys.maxsize))
        except OSError as error:
            why = error.strerror or type(error).__name__
            raise VideoError(
                f"{path} is no file that can be read ({why}); check the path"
            ) from error
        yield stack.enter_context(_open_container(path, file))


def _open_container(path: Path, file: BinaryIO) -> Any:
    """Return what an open file holds; FFmpeg sees this file alone, and not by its name."""
    import av

    options = {"format_whitelist": ",".join(_CONTAINERS), "protocol_whitelist": "none"}
    try:
        # titles may be in any code
        return av.open(file, options=options, metadata_errors="replace")
    except av.ArgumentError:  # FFmpeg knows what it is, but it is not on our list
        fault = "no video, but a list of files or of a kind that is not read"
    except (av.FFmpegError, OSError) as error:
        fault = f"no video or is damaged ({error.strerror or type(error).__name__})"
    raise VideoError(f"{path} is {fault}; restore it or leave it out")

"""``facetl detect --engine ray``: shards, workers that die, searches that are interrupted."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from drawn_frames import draw_frame
from drawn_videos import write_video
from outcomes import assert_refused, complaint, success
from two_hosts import Hosts, two_hosts

from facetl.cli import main
from facetl.data.images import image_paths, save_image
from facetl.data.video import Sampling
from facetl.errors import DetectionsError, OutputError
from facetl.manifests.manifest import load_manifest
from facetl.mtcnn.detector import Detector
from facetl.results.detections import Detections, FrameResult, Run, Skipped
from facetl.results.parquet import (
    ShardHead,
    count_shard,
    find_shards,
    load_shards,
    shard_path,
    writing_shard,
)
from facetl.results.store import load_run
from facetl.search.block_search import PATIENCE, Block, BlockSearch, cut_into_blocks
from facetl.search.drawing import Drawing
from facetl.search.pipeline import NamedImage, SearchRun
from facetl.search.ray_engine import _Worker
from facetl.search.settings import Settings
from facetl.search.video import Viewing

pytestmark = pytest.mark.usefixtures("sketched")

SHARDS = "pretrained.detections.parquet"
COUNT, SIZE = 22, 2
LOOPBACK = {"0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000"}
"""127.0.0.1 and ::1, as the kernel writes them."""


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of drawn frames, one of them damaged, one with a name that is no text."""
    folder = tmp_path_factory.mktemp("frames")
    for index in range(COUNT):
        save_image(folder / f"{index:02}.jpg", draw_frame(1, "test", index % 5).image)
    (folder / "05.jpg").write_bytes(b"no picture")
    (folder / "21.jpg").rename(folder / os.fsdecode(b"21\xff.jpg"))
    return folder


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector.load("pretrained", "cpu")


def build_search(
    detector: Detector, pictures: list[NamedImage], out: Path
) -> tuple[BlockSearch, list[Block]]:
    blocks = cut_into_blocks(pictures, [], SIZE)
    runs = [SearchRun("pretrained", detector, Settings(), path=out / SHARDS)]
    return BlockSearch(runs, len(blocks), 2, Viewing(), Drawing(out)), blocks


def named(folder: Path) -> list[NamedImage]:
    return [NamedImage(path.name, path) for path in image_paths(folder)[:4]]


@pytest.fixture(scope="module")
def whole(frames: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The shards of a search that nothing happened to."""
    out = tmp_path_factory.mktemp("whole") / "out"
    search_locally(frames, out)
    return shards_in(out)


def search_locally(images: Path, out: Path, *options: object) -> Result:
    """Search with Ray's engine taken out: blocks one after the other, in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "facetl.search.ray_engine.search_blocks",
            lambda search, blocks, _: map(search.search, blocks),
        )
        return success(detect(images, "--out", out, *options))


def detect(images: Path, *options: object) -> Result:
    return CliRunner().invoke(main, ["detect", str(images), *USUAL, *map(str, options)])


USUAL = ("--engine", "ray", "--weights", "pretrained", "--shard-size", str(SIZE))


def shards_in(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (out / SHARDS).iterdir()}


def found_in(run: Run) -> list[tuple[object, ...]]:
    return [
        (
            frame.image,
            frame.size_hw,
            frame.candidates,
            frame.detections.boxes.tolist(),
            frame.detections.scores.tolist(),
            frame.detections.landmarks.tolist(),
            frame.time,
            frame.tracks,
            frame.carried,
        )
        for frame in run.frames
    ]


# Shards, without Ray


def test_a_shard_counts_faces_from_a_score_on(tmp_path: Path) -> None:
    path = shard_path(tmp_path / SHARDS, 0)
    boxes = Detections.from_lists([[0, 0, 9, 9]] * 3, [0.9, 0.8, 0.1], np.zeros(30))
    with writing_shard(path, ShardHead("pretrained", {}, 0, 1, "0" * 16)) as writer:
        for detections in (boxes, Detections.empty()):
            writer.add(FrameResult("a.png", (9, 9), detections, {}, 0.0))
        writer.skip(Skipped("b.png", "is empty"))
    for score, faces in ((0.0, 3), (0.8, 2), (0.85, 1), (1.0, 0)):
        assert count_shard(path, score) == (2, 3, faces, ["is empty"])


def test_shards_say_what_lines_say(frames: Path, tmp_path: Path) -> None:
    search_locally(frames, tmp_path / "shards")
    plain = ["detect", str(frames), "--weights", "pretrained", "--stream", "--device", "cpu"]
    success(CliRunner().invoke(main, [*plain, "--out", str(tmp_path / "lines")]))
    shards = load_run(tmp_path / "shards" / SHARDS)
    lines = load_run(tmp_path / "lines" / "pretrained.detections.jsonl")
    assert found_in(shards) == found_in(lines)
    assert shards.settings == lines.settings
    assert [each.image for each in shards.skipped] == ["05.jpg"]
    assert np.isnan(shards.seconds_per_frame)


def test_other_tools_read_them_as_one_table(frames: Path, tmp_path: Path) -> None:
    import pandas

    search_locally(frames, tmp_path)
    table = pandas.read_parquet(tmp_path / SHARDS)
    assert len(table) == COUNT
    assert table["image"].is_unique
    assert table["reason"].notna().sum() == 1
    assert "21\\xff.jpg" in set(table["image"])


def test_they_are_scored_and_converted(frames: Path, tmp_path: Path) -> None:
    search_locally(frames, tmp_path / "out", "--export", "csv")
    (tmp_path / "truth.txt").write_text("00.jpg 10 10 50 50\n")
    for place in (tmp_path / "out", tmp_path / "out" / SHARDS):
        arguments = ["evaluate", str(place), "--truth", str(tmp_path / "truth.txt"), "--force"]
        assert "pretrained" in success(CliRunner().invoke(main, arguments)).stdout
        convert = ["convert", str(place), str(tmp_path / "again"), "--to", "csv", "--force"]
        success(CliRunner().invoke(main, convert))
        exported = (tmp_path / "out" / "pretrained.csv").read_bytes()
        assert (tmp_path / "again" / "pretrained.csv").read_bytes() == exported
    assert {path.suffix for path in (tmp_path / "out" / SHARDS).iterdir()} == {".parquet"}


def test_a_manifest_names_all_shards(frames: Path, whole: dict[str, bytes], tmp_path: Path) -> None:
    search_locally(frames, tmp_path / "out")
    success(CliRunner().invoke(main, ["verify", str(tmp_path / "out")]))
    outputs = load_manifest(tmp_path / "out").outputs
    assert set(outputs) == {f"{SHARDS}/{name}" for name in whole}
    (tmp_path / "out" / SHARDS / "part-000003.parquet").write_bytes(b"changed")
    result = CliRunner().invoke(main, ["verify", str(tmp_path / "out")])
    assert result.exit_code == 1
    assert "part-000003.parquet" in result.output


def test_blocks_travel_as_text() -> None:
    path = Path(os.fsdecode(b"/frames/\xff\n.jpg"))
    block = Block(3, (NamedImage("\\xff.jpg", path), NamedImage("b", Path("/b"))))
    assert block.to_text().isascii()
    assert Block.from_text(block.to_text()) == block
    assert block.fingerprint != replace(block, pictures=block.pictures[::-1]).fingerprint


def test_a_search_cut_off_anywhere_goes_on(
    frames: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    """With --force as well, which gives up nothing that can be resumed."""
    folder = tmp_path / SHARDS
    folder.mkdir()
    for name in sorted(whole)[1::3]:
        (folder / name).write_bytes(whole[name])
    (folder / ".part-000000-abc.parquet").write_bytes(b"half")
    (folder / ".part-000002.begun").write_bytes(b"...")
    result = search_locally(frames, tmp_path, "--resume", "--force")
    assert f"resuming after {len(sorted(whole)[1::3])} of {len(whole)} shards" in result.stderr
    assert shards_in(tmp_path) == whole


def test_what_is_finished_is_not_resumed(
    frames: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    search_locally(frames, tmp_path)
    assert_refused(detect(frames, "--out", tmp_path, "--resume"), "finished", "--force")
    assert shards_in(tmp_path) == whole


@pytest.mark.parametrize(
    "options",
    [
        *(("--min-face", 40), ("--shard-size", 3), ("--weights", "pretrained=cartoon")),
        ("--score", 0.123),
    ],
)
def test_another_search_is_not_gone_on_with(
    frames: Path, whole: dict[str, bytes], tmp_path: Path, options: tuple[object, ...]
) -> None:
    (tmp_path / SHARDS).mkdir()
    (tmp_path / SHARDS / "part-000000.parquet").write_bytes(whole["part-000000.parquet"])
    weights = () if "--weights" in options else ("--weights", "pretrained")
    command = ["detect", str(frames), "--engine", "ray", "--resume", "--out", str(tmp_path)]
    usual = [*weights, "--shard-size", "2", *map(str, options)]
    result = CliRunner().invoke(main, [*command, *usual])
    assert_refused(result, "part-000000.parquet", "belongs to a search with", "other", "--force")
    assert ("resume with --score " in result.stderr) == ("--score" in options)


def test_force_starts_anew(frames: Path, whole: dict[str, bytes], tmp_path: Path) -> None:
    (tmp_path / SHARDS).mkdir()
    (tmp_path / SHARDS / "part-000077.parquet").write_bytes(whole["part-000000.parquet"])
    assert_refused(detect(frames, "--out", tmp_path), "exists already", "--force")
    search_locally(frames, tmp_path, "--force")
    assert shards_in(tmp_path) == whole


def test_missing_and_foreign_shards_are_told(whole: dict[str, bytes], tmp_path: Path) -> None:
    with pytest.raises(DetectionsError, match="found no shard"):
        load_shards(tmp_path)
    for name, data in whole.items():
        (tmp_path / name).write_bytes(data)
    assert len(load_shards(tmp_path).frames) == COUNT - 1
    shard_path(tmp_path, 3).unlink()
    with pytest.raises(DetectionsError, match=r"found 10 of 11 shards; resume with .*--resume"):
        load_shards(tmp_path)
    foreign = replace(read_first(tmp_path), name="another", shard=3)
    with writing_shard(shard_path(tmp_path, 3), foreign):
        pass
    with pytest.raises(DetectionsError, match=r"000003.* belongs to another search"):
        load_shards(tmp_path)
    shard_path(tmp_path, 3).write_bytes(whole["part-000002.parquet"])
    with pytest.raises(DetectionsError, match="shards"):
        load_shards(tmp_path)
    shard_path(tmp_path, 3).write_bytes(b"PAR1")
    with pytest.raises(DetectionsError, match=r"000003.* damaged"):
        load_shards(tmp_path)


def read_first(folder: Path):  # type: ignore[no-untyped-def]
    from facetl.results.parquet import read_head

    return read_head(find_shards(folder)[0])


def test_nothing_that_can_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "frames").mkdir()
    (tmp_path / "frames" / "a.png").write_bytes(b"nothing")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "facetl.search.ray_engine.search_blocks",
            lambda search, blocks, _: map(search.search, blocks),
        )
        result = detect(tmp_path / "frames", "--out", tmp_path / "out")
    assert "none of the 1 images could be read" in complaint(result)
    assert not (tmp_path / "out" / SHARDS).exists()


def test_a_block_that_ends_its_processes_is_told(
    frames: Path, detector: Detector, tmp_path: Path
) -> None:
    search, blocks = build_search(detector, named(frames), tmp_path)
    for _ in range(PATIENCE):
        child = os.fork()
        if not child:  # a worker that dies in the middle
            with search._counting(blocks[1]):
                os._exit(1)
        os.waitpid(child, 0)
    search.search(blocks[0])
    with pytest.raises(OutputError, match=r"02\.jpg to .*03\.jpg: ended 4 processes.*--resume"):
        search.search(blocks[1])


def test_a_block_that_fails_otherwise_leaves_no_mark(
    frames: Path, detector: Detector, tmp_path: Path
) -> None:
    search, blocks = build_search(detector, named(frames), tmp_path)
    with pytest.raises(KeyboardInterrupt), search._counting(blocks[0]):
        raise KeyboardInterrupt
    assert list((tmp_path / SHARDS).iterdir()) == []


def test_workers_of_another_version_refuse() -> None:
    told = _Worker("0.0.1", [])({"block": Block(0, ()).to_text()})
    assert "install the same version everywhere" in told["told"]


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--engine", "ray", "--stream"), "leave out --stream"),
        (("--address", "auto"), "--address is for --engine ray"),
        (("--shard-size", "3"), "--shard-size is for --engine ray"),
    ],
)
def test_options_that_do_not_go_together(
    frames: Path, tmp_path: Path, options: tuple[str, ...], why: str
) -> None:
    command = ["detect", str(frames), "--out", str(tmp_path / "out"), *options]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 2
    assert why in result.stderr


def test_what_is_drawn_is_what_one_machine_draws(tmp_path: Path) -> None:
    """Of images and videos in one folder; where the search was interrupted, too."""
    place, usual = tmp_path / "in", ("--overlays", "--crops", "--video", "--every", "2")
    for index in range(3):
        save_image(place / f"{index}.jpg", draw_frame(1, "test", index).image)
    write_video(place / "a.mp4", [draw_frame(1, "test", n // 6).image for n in range(12)])
    (place / "b.mp4").write_bytes(b"")
    here = ["detect", str(place), "--weights", "pretrained", "--device", "cpu", *usual]
    success(CliRunner().invoke(main, [*here, "--out", str(tmp_path / "one")]))
    told = search_locally(place, tmp_path / "many", *usual)
    assert "faces in 9 images and frames (1 skipped)" in told.stdout
    expected = drawn_in(tmp_path / "one")
    assert {"overlays/0.jpg", "crops/pretrained/contact_sheet.jpg", "videos/a.mp4"} <= set(expected)
    assert drawn_in(tmp_path / "many") == expected
    for name in ("part-000002.parquet", "part-000003.parquet"):
        (tmp_path / "many" / SHARDS / name).unlink()
    (tmp_path / "many/videos/a.mp4").unlink()
    (tmp_path / "many/crops/pretrained/contact_sheet.jpg").unlink()
    resumed = search_locally(place, tmp_path / "many", *usual, "--resume")
    assert resumed.stdout == told.stdout
    assert drawn_in(tmp_path / "many") == expected


def drawn_in(out: Path) -> dict[str, bytes]:
    paths = [path for kind in ("overlays", "crops", "videos") for path in (out / kind).rglob("*.*")]
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in paths if path.is_file()}


# With Ray


@pytest.fixture(scope="module")
def cluster() -> Iterator[tuple[str, int]]:
    """A cluster of two cores; its address and the process that all others come from."""
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(16)}
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory(prefix="f") as place:
        for name, value in {**token, "RAY_USAGE_STATS_ENABLED": "0"}.items():
            patch.setenv(name, value)
        head = Path(__file__).with_name("ray_head.py")
        with subprocess.Popen(
            [sys.executable, str(head), place, "2"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as process:
            assert process.stdout is not None
            yield process.stdout.readline().strip(), process.pid
            process.communicate()


@contextmanager
def running(*arguments: object, hosts: Hosts | None = None) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "facetl", "detect", *map(str, arguments)]
    with subprocess.Popen(
        hosts.head.command(*command) if hosts else command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=hosts.environment if hosts else None,
    ) as process:
        yield process


def processes_below(ancestor: int) -> list[int]:
    """Return a process and all that come from it."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            parents[int(stat.parent.name)] = int(fields[1])
    return [pid for pid in parents if _comes_from(pid, ancestor, parents)]


def workers_below(ancestor: int) -> list[int]:
    """Return the processes that search, among those that come from one."""
    return [pid for pid in processes_below(ancestor) if _searches(pid)]


def addresses_heard_at(processes: list[int]) -> set[str]:
    """Return the addresses, in the kernel's hexadecimals, at which processes listen."""
    sockets = set()
    for pid in processes:
        for handle in Path(f"/proc/{pid}/fd").glob("*"):
            with suppress(OSError):
                sockets.add(str(handle.readlink()))
    heard = set()
    for table in ("tcp", "tcp6"):
        for line in Path("/proc/net", table).read_text().splitlines()[1:]:
            _, local, _, state, *_, _, inode = line.split()[:10]
            if state == "0A" and f"socket:[{inode}]" in sockets:
                heard.add(local.partition(":")[0])
    return heard


def _comes_from(pid: int, ancestor: int, parents: dict[int, int]) -> bool:
    while pid and pid != ancestor:
        pid = parents.get(pid, 0)
    return pid == ancestor


def _searches(pid: int) -> bool:
    with suppress(OSError):
        return b"MapWorker" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False


def stop_in_the_middle(folder: Path, head: int, process: subprocess.Popen[str]) -> list[int]:
    """Freeze all workers while blocks are begun and others are done; return who is frozen."""
    while process.poll() is None:
        if find_shards(folder) and (workers := workers_below(head)):
            for pid in workers:
                os.kill(pid, signal.SIGSTOP)
            if list(folder.glob(".part-*.begun")):
                return workers
            for pid in workers:
                os.kill(pid, signal.SIGCONT)
        time.sleep(0.01)
    raise AssertionError(process.communicate()[1])


def test_workers_that_are_killed_in_the_middle_change_nothing(
    frames: Path, whole: dict[str, bytes], cluster: tuple[str, int], tmp_path: Path
) -> None:
    address, head = cluster
    options = ("--address", address, "--out", tmp_path / "out")
    with running(frames, *USUAL, *options) as process:
        workers = stop_in_the_middle(tmp_path / "out" / SHARDS, head, process)
        done = len(find_shards(tmp_path / "out" / SHARDS))
        for pid in workers:
            os.kill(pid, signal.SIGKILL)
        told, errors = process.communicate()
    assert process.returncode == 0, errors
    assert [line.split()[0] for line in told.splitlines()] == ["pretrained:", "at", "wrote"]
    assert 0 < done < len(whole)
    assert shards_in(tmp_path / "out") == whole
    run = load_run(tmp_path / "out" / SHARDS)
    names = [frame.image for frame in run.frames] + [each.image for each in run.skipped]
    assert len(names) == len(set(names)) == COUNT


@pytest.mark.skipif("FACETL_HOSTS" not in os.environ, reason="asks for root; set FACETL_HOSTS")
def test_a_host_that_dies_in_the_middle_changes_nothing(
    frames: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    folder = tmp_path / "out" / SHARDS
    with two_hosts(Path(sys.executable).with_name("ray")) as hosts:
        options = ("--address", hosts.address, "--out", tmp_path / "out")
        with running(frames, *USUAL, *options, hosts=hosts) as process:
            while process.poll() is None and len(find_shards(folder)) < 3:
                time.sleep(0.01)
            hosts.other.kill()
            _, errors = process.communicate()
    assert process.returncode == 0, errors
    assert hosts.other.ip in errors, "the host died in the middle, and Ray has said so"
    assert shards_in(tmp_path / "out") == whole


def test_videos_are_searched_as_on_one_machine(cluster: tuple[str, int], tmp_path: Path) -> None:
    pictures = [draw_frame(1, "test", index // 4).image for index in range(12)]
    for name in ("a", "b"):
        write_video(tmp_path / f"{name}.mp4", pictures)
    (tmp_path / "c.mp4").write_bytes(b"no video")
    videos = [tmp_path / f"{name}.mp4" for name in "abc"]
    how = ("--every", 2, "--skip-still", "--weights", "pretrained", "--device", "cpu")
    success(
        CliRunner().invoke(main, ["detect", *map(str, (*videos, *how, "--out", tmp_path / "one"))])
    )
    fleet = ("--engine", "ray", "--address", cluster[0], "--out", tmp_path / "many")
    with running(*videos, *how, *fleet) as process:
        _, errors = process.communicate()
    assert process.returncode == 0, errors
    many = load_run(tmp_path / "many" / SHARDS)
    one = load_run(tmp_path / "one" / "pretrained.detections.json")
    assert found_in(many) == found_in(one)
    assert len(find_shards(tmp_path / "many" / SHARDS)) == 3
    assert [each.image for each in many.skipped] == [each.image for each in one.skipped]
    assert (many.settings["every"], many.settings["skip_still"]) == (str(Sampling(2)), True)


def test_a_search_that_is_stopped_goes_on(
    frames: Path, whole: dict[str, bytes], cluster: tuple[str, int], tmp_path: Path
) -> None:
    """On the cluster first, then with a Ray of its own, which is the slower to start."""
    folder = tmp_path / "out" / SHARDS
    there = ("--address", cluster[0], "--workers", 1)
    with running(frames, *USUAL, "--out", tmp_path / "out", *there) as process:
        while process.poll() is None and not find_shards(folder):
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate()
    assert process.returncode == 143, errors
    assert "keeps what is done; resume with: facetl detect" in errors
    left = shards_in(tmp_path / "out")
    assert 0 < len(left) < len(whole)
    assert left.items() <= whole.items()
    with running(frames, *USUAL, "--out", tmp_path / "out", "--resume") as process:
        while process.poll() is None and len(find_shards(folder)) == len(left):
            time.sleep(0.01)
        heard = addresses_heard_at(processes_below(process.pid))
        _, errors = process.communicate()
    assert process.returncode == 0, errors
    assert heard, "Ray's processes talk to each other"
    assert heard <= LOOPBACK
    assert f"resuming after {len(left)} of {len(whole)} shards" in errors
    assert shards_in(tmp_path / "out") == whole


@pytest.mark.parametrize("address", ["nonsense", "127.0.0.1:1"])
def test_no_cluster_is_told_in_one_line(frames: Path, tmp_path: Path, address: str) -> None:
    with running(frames, *USUAL, "--out", tmp_path, "--address", address) as process:
        _, errors = process.communicate()
    assert process.returncode == 1
    assert errors.startswith(f"facetl: found no Ray at {address}")
    assert len(errors.splitlines()) == 1

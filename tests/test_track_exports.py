"""Tracks with their times for other programs: read back by FFmpeg, and by parsers at hand."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

import av
import pytest
from click.testing import CliRunner, Result
from drawn_videos import pictures, scene, write_anyhow, write_video
from outcomes import assert_refused, success

from facetl.cli import main
from facetl.errors import DetectionsError
from facetl.reporting import Reporter
from facetl.results.detections import Detections, FrameResult, Run
from facetl.results.export_table import TIMED_EXPORTS
from facetl.results.exports import save_exports
from facetl.results.json_file import save_run
from facetl.results.store import load_run
from facetl.results.timelines import describe_tracks, exact_rate, timelines_of

NTSC = Fraction(24_000, 1001)
Seen = dict[int, Sequence[int]]
"""In which frames each track is seen."""


class Said(Reporter):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, message: str) -> None:
        self.notes.append(message)


def run_of(
    seen: Seen,
    *,
    video: str = "episode.mp4",
    count: int = 240,
    rate: Fraction = NTSC,
    times: dict[int, float] | None = None,
) -> Run:
    """A run of a video in which tracks are seen in these frames, each at a place of its own."""
    frames = []
    for number in range(count):
        tracks = [track for track, where in seen.items() if number in where]
        boxes = [[10 * t, 20, 10 * t + 8 + number % 3, 32] for t in tracks]
        scores = [0.99 if number == seen[t][-1] else 0.9 for t in tracks]
        found = Detections.from_lists(boxes, scores, [[[0, 0]] * 5] * len(boxes))
        time = times[number] if times else float(number / rate)
        name = f"{video}/{number:06}.png"
        result = FrameResult(name, (360, 640), found, {}, 0.0, time=time, tracks=tuple(tracks))
        frames.append(result)
    settings = {"frame_rates": {video: round(float(rate), 3)}, "score": 0.5}
    return Run("cartoon", settings, tuple(frames))


TWO: Seen = {1: range(24, 72), 2: range(60, 100), 3: range(200, 230)}


def export(kind: str, folder: Path, run: Run) -> list[Path]:
    return save_exports(folder, [run], [kind])[0]


def seconds_of(text: str) -> float:
    """Read ``01:02:03.456`` or ``01:02:03,456``."""
    hours, minutes, seconds = text.replace(",", ".").split(":")
    return 3600 * int(hours) + 60 * int(minutes) + float(seconds)


# tables


def test_a_row_for_each_track(tmp_path: Path) -> None:
    (path,) = export("tracks-csv", tmp_path, run_of(TWO))
    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert [row["track"] for row in rows] == ["1", "2", "3"]
    row = rows[1]
    assert float(row["in"]) == pytest.approx(60 / NTSC, abs=1e-6)
    assert float(row["out"]) == pytest.approx(100 / NTSC, abs=1e-6)
    assert [row[key] for key in ("first_frame", "last_frame", "frames")] == ["60", "99", "40"]
    assert (row["best_score"], row["best_image"]) == ("0.99", "episode.mp4/000099.png")
    assert [float(row[key]) for key in ("x1", "y1", "x2", "y2")] == [20, 20, 28, 32]


def test_the_document_says_the_same_and_the_exact_rate(tmp_path: Path) -> None:
    run = run_of(TWO)
    (table,) = export("tracks-csv", tmp_path, run)
    (path,) = export("tracks-json", tmp_path, run)
    rows = list(csv.DictReader(table.read_text().splitlines()))
    (video,) = json.loads(path.read_text())["videos"]
    assert (video["video"], video["rate"]) == ("episode.mp4", "24000/1001")
    for row, track in zip(rows, video["tracks"], strict=True):
        assert {
            key: str(value) for key, value in track.items() if key in row
        }.items() <= row.items()


@pytest.mark.parametrize(
    ("rounded", "exact"),
    [
        (23.976, NTSC),
        (24.0, Fraction(24)),
        (29.97, Fraction(30_000, 1001)),
        (59.94, Fraction(60_000, 1001)),
        (25.0, Fraction(25)),
        (12.5, Fraction(25, 2)),
        (27.313, Fraction(27.313).limit_denominator(1000)),
        (0.0, Fraction(25)),
    ],
)
def test_rates_are_the_fractions_that_are_meant(rounded: float, exact: Fraction) -> None:
    assert exact_rate(rounded) == exact


def test_without_a_rate_it_is_measured_by_the_frames(tmp_path: Path) -> None:
    run = run_of(TWO)
    (timeline,) = timelines_of(Run("cartoon", {}, run.frames[::7]))
    assert timeline.rate == NTSC


def test_variable_frame_rate_keeps_its_own_times(tmp_path: Path) -> None:
    times = {n: n / 30 if n < 30 else 1 + (n - 30) / 10 for n in range(60)}
    run = run_of({1: range(40, 50)}, count=60, rate=Fraction(15), times=times)
    (timeline,) = timelines_of(run)
    assert timeline.tracks[0].start == times[40]
    (path,) = export("edl", tmp_path, run)
    assert "* LOC: 01:00:02:00" in path.read_text()  # not frame 40 of 15 a second


# subtitles


def cues_of(text: str) -> list[tuple[float, float, str]]:
    times = r"(\d+:\d\d:\d\d[.,]\d{3}) --> (\d+:\d\d:\d\d[.,]\d{3})\n(.*)"
    return [(seconds_of(a), seconds_of(b), c) for a, b, c in re.findall(times, text)]


def test_webvtt_has_a_cue_a_track(tmp_path: Path) -> None:
    (path,) = export("vtt", tmp_path, run_of(TWO))
    assert path.name == "cartoon.episode.mp4.vtt"
    text = path.read_text()
    assert text.startswith("WEBVTT\n\n")
    cues = cues_of(text)
    assert [cue[2] for cue in cues] == ["face 1 (0.99)", "face 2 (0.99)", "face 3 (0.99)"]
    for (start, end, _), where in zip(cues, TWO.values(), strict=True):
        assert start == pytest.approx(where[0] / NTSC, abs=0.001)
        assert end == pytest.approx((where[-1] + 1) / NTSC, abs=0.001)


def test_subrip_has_no_two_subtitles_at_one_time(tmp_path: Path) -> None:
    (path,) = export("srt", tmp_path, run_of(TWO))
    cues = cues_of(path.read_text())
    assert [cue[2] for cue in cues] == ["face 1", "faces 1, 2", "face 2", "face 3"]
    assert all(one[1] <= other[0] for one, other in pairwise(cues))
    assert all(start < end for start, end, _ in cues)


@pytest.mark.parametrize("kind", ["vtt", "srt"])
def test_ffmpeg_reads_the_subtitles(tmp_path: Path, kind: str) -> None:
    (path,) = export(kind, tmp_path, run_of(TWO))
    with av.open(str(path)) as container:
        packets: list[Any] = [each for each in container.demux() if each.size]
    cues = cues_of(path.read_text())
    assert [bytes(each).decode() for each in packets] == [text for _, _, text in cues]
    starts = [float(each.pts * each.time_base) for each in packets]
    assert starts == pytest.approx([start for start, _, _ in cues])


def test_other_parsers_read_the_subtitles(tmp_path: Path) -> None:
    webvtt, srt = pytest.importorskip("webvtt"), pytest.importorskip("srt")
    run = run_of(TWO)
    (path,) = export("vtt", tmp_path, run)
    assert [each.identifier for each in webvtt.read(str(path))] == ["track-1", "track-2", "track-3"]
    (path,) = export("srt", tmp_path, run)
    assert [each.content for each in srt.parse(path.read_text())][1] == "faces 1, 2"


# chapters


def test_chapters_are_scenes_with_faces_and_without(tmp_path: Path) -> None:
    (path,) = export("ffmetadata", tmp_path, run_of(TWO))
    with av.open(str(path), format="ffmetadata") as container:
        chapters = container.chapters()
    titles = [each["metadata"]["title"] for each in chapters]
    assert titles == ["no faces", "faces 1, 2", "no faces", "face 3", "no faces"]
    times = [(each["start"], each["end"]) for each in chapters]
    assert [start for start, _ in times[1:]] == [end for _, end in times[:-1]]
    assert times[1] == (1001, round(100 / NTSC * 1000))
    assert times[-1][1] == round(240 / NTSC * 1000)


def test_chapters_are_muxed_into_a_video(tmp_path: Path) -> None:
    video = write_video(tmp_path / "plain.mp4", pictures(2, 4))
    (path,) = export("ffmetadata", tmp_path, run_of(TWO))
    with av.open(str(path), format="ffmetadata") as told:
        chapters = told.chapters()
    muxed = tmp_path / "muxed.mp4"
    with av.open(str(video)) as source, av.open(str(muxed), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        target.set_chapters(chapters)
        for packet in source.demux():
            if packet.size:
                packet.stream = stream
                target.mux(packet)
    with av.open(str(muxed)) as container:
        found: list[Any] = container.chapters()
        back = [
            (each["metadata"]["title"], round(each["start"] * each["time_base"] * 1000))
            for each in found
        ]
    assert back == [(each["metadata"]["title"], each["start"]) for each in chapters]


def test_scenes_that_are_near_are_one(tmp_path: Path) -> None:
    (timeline,) = timelines_of(run_of({1: range(10), 2: range(20, 30), 3: range(60, 70)}))
    assert [each.tracks for each in timeline.scenes()] == [(1, 2), (), (3,), ()]


# key frames


def test_key_frames_say_where_a_face_is_and_how_large(tmp_path: Path) -> None:
    (path,) = export("after-effects", tmp_path, run_of(TWO))
    document = json.loads(path.read_text())
    assert (document["width"], document["height"]) == (640, 360)
    track = document["tracks"][1]
    assert track["name"] == "face 2"
    assert len(track["times"]) == len(track["position"]) == len(track["scale"]) == 40
    assert track["times"][0] == pytest.approx(60 / NTSC, abs=1e-6)
    for number, (x, y), (wide, high) in zip(
        range(60, 100), track["position"], track["scale"], strict=True
    ):
        half = wide / 100 * document["layerSize"] / 2
        assert (x - half, x + half) == pytest.approx((20, 28 + number % 3))
        assert y - high / 100 * document["layerSize"] / 2 == pytest.approx(20)


# markers


def markers_in(edl: str, base: int) -> Iterator[tuple[int, str, int]]:
    """Read the frame, text and length of each marker, after one hour of time code."""
    pattern = (
        r"\* LOC: (\d+):(\d+):(\d+):(\d+) BLUE    (.*)\n \|C:ResolveColorBlue \|M:(.*) \|D:(\d+)"
    )
    for hours, minutes, seconds, frames, text, again, length in re.findall(pattern, edl):
        assert text == again
        whole = 3600 * int(hours) + 60 * int(minutes) + int(seconds) - 3600
        yield whole * base + int(frames), text, int(length)


def test_an_edl_has_a_marker_where_a_face_begins(tmp_path: Path) -> None:
    (path,) = export("edl", tmp_path, run_of({**TWO, 4: range(60, 62)}))
    text = path.read_text()
    assert text.startswith("TITLE: episode.mp4\nFCM: NON-DROP FRAME\n\n001  AX ")
    assert list(markers_in(text, 24)) == [
        (24, "face 1", 48),
        (60, "faces 2, 4", 40),
        (200, "face 3", 30),
    ]


def test_opentimelineio_reads_the_edl(tmp_path: Path) -> None:
    otio: Any = pytest.importorskip("opentimelineio")
    if "cmx_3600" not in otio.adapters.available_adapter_names():
        pytest.skip("no adapter for EDLs")
    (path,) = export("edl", tmp_path, run_of(TWO))
    timeline = otio.adapters.read_from_file(str(path), rate=24)
    clips = list(timeline.find_clips())
    assert [each.name for each in clips] == ["episode.mp4"] * 3
    markers = [marker for clip in clips for marker in clip.markers]
    assert [each.name for each in markers] == ["face 1", "face 2", "face 3"]
    starts = [each.marked_range.start_time.to_frames() - 24 * 3600 for each in markers]
    assert starts == [24, 60, 200]


def time_of(text: str) -> Fraction:
    """Read ``1001/24000s``."""
    assert text.endswith("s")
    return Fraction(text[:-1])


def test_fcpxml_has_a_clip_a_video_with_a_marker_a_track(tmp_path: Path) -> None:
    (path,) = export("fcpxml", tmp_path, run_of(TWO))
    root = ElementTree.parse(path).getroot()
    frame = time_of(root.find("resources/format").get("frameDuration"))  # type: ignore[union-attr, arg-type]
    assert frame == 1 / NTSC
    clip = next(root.iter("asset-clip"))
    assert time_of(clip.attrib["duration"]) == 240 * frame
    markers = list(clip.iter("marker"))
    assert [each.get("value") for each in markers] == ["face 1", "face 2", "face 3"]
    for marker, where in zip(markers, TWO.values(), strict=True):
        assert time_of(marker.attrib["start"]) == where[0] * frame
        assert time_of(marker.attrib["duration"]) == len(where) * frame


ALLOWED = {
    "fcpxml": (("resources", "library"), {"version"}),
    "resources": (("format", "asset"), set()),
    "format": ((), {"id", "frameDuration", "width", "height"}),
    "asset": (("media-rep",), {"id", "name", "start", "duration", "hasVideo", "format"}),
    "media-rep": ((), {"kind", "src"}),
    "library": (("event",), set()),
    "event": (("project",), {"name"}),
    "project": (("sequence",), {"name"}),
    "sequence": (("spine",), {"format", "duration", "tcStart", "tcFormat"}),
    "spine": (("asset-clip",), set()),
    "asset-clip": (("marker",), {"ref", "name", "offset", "duration"}),
    "marker": ((), {"start", "duration", "value", "note"}),
}
"""Of Apple's DTD for FCPXML 1.10, the elements that are used: their children and attributes."""


def test_fcpxml_follows_its_document_type(tmp_path: Path) -> None:
    (path,) = export("fcpxml", tmp_path, run_of(TWO))
    assert "<!DOCTYPE fcpxml>" in path.read_text()
    root = ElementTree.parse(path).getroot()
    assert root.get("version") == "1.10"
    ids = {each.get("id") for each in root.iter() if each.get("id")}
    for element in root.iter():
        children, attributes = ALLOWED[element.tag]
        assert {each.tag for each in element} <= {*children}
        assert set(element.attrib) <= attributes
        for name in ("format", "ref"):
            assert element.get(name) in {None, *ids}


# several videos, hostile names, nothing found


HOSTILE = 'a & <b> "--> |M:x #;=.mp4'


def mixed() -> Run:
    one, other = run_of(TWO, video="a.mp4"), run_of(TWO, video=HOSTILE, rate=Fraction(25))
    rates = {**one.settings["frame_rates"], **other.settings["frame_rates"]}
    return Run("cartoon", {"frame_rates": rates, "score": 0.5}, (*one.frames, *other.frames))


def test_each_video_has_a_file_or_a_project(tmp_path: Path) -> None:
    for kind in ("vtt", "srt", "edl", "ffmetadata", "after-effects"):
        assert len(export(kind, tmp_path, mixed())) == 2
    (path,) = export("fcpxml", tmp_path, mixed())
    root = ElementTree.parse(path).getroot()
    assert [each.get("name") for each in root.iter("project")] == ["a.mp4", HOSTILE]
    sources = [each.attrib["src"] for each in root.iter("media-rep")]
    assert [unquote(each) for each in sources] == ["./a.mp4", f"./{HOSTILE}"]
    rates = [time_of(each.attrib["frameDuration"]) for each in root.iter("format")]
    assert rates == [1 / NTSC, Fraction(1, 25)]


def test_hostile_names_end_no_cue_and_add_no_event(tmp_path: Path) -> None:
    vtt = export("vtt", tmp_path, mixed())[1].read_text()
    assert len(cues_of(vtt)) == vtt.count("-->") == 3
    edl = export("edl", tmp_path, mixed())[1].read_text()
    assert len(list(markers_in(edl, 25))) == edl.count("\n00") == 3


def test_videos_that_would_share_a_file_are_refused(tmp_path: Path) -> None:
    runs = [run_of(TWO, video=name) for name in ("a/b.mp4", "a-b.mp4")]
    both = Run("cartoon", {}, (*runs[0].frames, *runs[1].frames))
    with pytest.raises(DetectionsError, match="would share the file"):
        export("vtt", tmp_path, both)


@pytest.mark.parametrize("kind", TIMED_EXPORTS)
def test_a_video_without_faces_has_empty_files(tmp_path: Path, kind: str) -> None:
    (path,) = export(kind, tmp_path, run_of({}, count=10))
    assert path.exists()
    assert "face 1" not in path.read_text()


def test_many_faces_are_the_first_and_a_number() -> None:
    assert describe_tracks(range(1, 14)) == "faces 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 3 more"


@pytest.mark.parametrize("kind", TIMED_EXPORTS)
def test_images_have_no_times(tmp_path: Path, kind: str, portrait: Path) -> None:
    found = Detections.from_lists([[1, 2, 3, 4]], [0.9], [[[0, 0]] * 5])
    run = Run("cartoon", {}, (FrameResult("a.png", (10, 10), found, {}, 0.0),))
    with pytest.raises(DetectionsError, match=f"and {kind} is for videos"):
        export(kind, tmp_path / "out", run)
    assert not (tmp_path / "out").exists()
    result = detect(portrait, "--export", kind, "--out", tmp_path / "results")
    assert result.exit_code == 2
    assert f"--export {kind} is for videos; found none" in result.stderr
    assert not (tmp_path / "results").exists()


def test_what_is_left_out_is_counted(tmp_path: Path) -> None:
    run, said = run_of(TWO), Said()
    found = Detections.from_lists([[1, 2, 3, 4]], [0.9], [[[0, 0]] * 5])
    single = FrameResult("episode.mp4/000900.png", (10, 10), found, {}, 0.0, time=40.0)
    image = FrameResult("a.png", (10, 10), found, {}, 0.0)
    whole = Run("cartoon", run.settings, (image, *run.frames, single))
    save_exports(tmp_path, [whole], ["vtt", "edl", "csv"], reporter=said)
    assert said.notes == [
        "cartoon: boxes that follow no face, not in vtt, edl: 1",
        "cartoon: images, not in vtt, edl: 1",
    ]


# the commands


def detect(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["detect", "--device", "cpu", *map(str, arguments)])


@pytest.mark.usefixtures("sketched")
def test_a_video_is_searched_and_exported_and_converted(tmp_path: Path) -> None:
    still = [scene(4).image[60:300, 80:400]] * 4
    times = [n / NTSC for n in range(12)]
    video = write_anyhow(tmp_path / "e.mkv", [*pictures(2, 8), *still], times=map(float, times))
    out = tmp_path / "out"
    exports = [each for kind in TIMED_EXPORTS for each in ("--export", kind)]
    success(detect(video, *exports, "--out", out))
    run = load_run(out / "cartoon.detections.json")
    tracks = {number for frame in run.frames for number in frame.tracks or ()} - {None}
    rows = list(csv.DictReader((out / "cartoon.tracks.csv").read_text().splitlines()))
    assert {int(row["track"]) for row in rows} == tracks != set()
    assert rows[0]["first_frame"] == "0"
    for kind in TIMED_EXPORTS:
        arguments = ["convert", out, tmp_path / kind, "--to", kind]
        success(CliRunner().invoke(main, list(map(str, arguments))))
        (path,) = {*(tmp_path / kind).iterdir()} - {tmp_path / kind / "manifest.json"}
        assert path.read_text() == (out / path.name).read_text()


def test_converting_images_to_times_is_refused(tmp_path: Path) -> None:
    found = Detections.from_lists([[1, 2, 3, 4]], [0.9], [[[0, 0]] * 5])
    run = Run("cartoon", {}, (FrameResult("a.png", (10, 10), found, {}, 0.0),))
    save_run(tmp_path / "cartoon.detections.json", run)
    arguments = ["convert", tmp_path / "cartoon.detections.json", tmp_path / "out", "--to", "edl"]
    refused = CliRunner().invoke(main, list(map(str, arguments)))
    assert_refused(refused, "found images and no video, and edl is for videos")
    assert not (tmp_path / "out").exists()

"""Manifests: what they keep, who claims what, and what a hostile one can do."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facetl.errors import ManifestError, OutputError
from facetl.locks import locking
from facetl.manifests import manifest as manifests
from facetl.manifests.fingerprints import (
    Fingerprint,
    _fingerprint_files,
    _fingerprint_given,
    _sum_up,
    fingerprint_file,
    look_at,
    names_in,
)
from facetl.manifests.manifest import (
    Manifest,
    State,
    Step,
    _save_manifest,
    add_step,
    check_input,
    check_outputs,
    find_manifest,
    find_writer,
    load_manifest,
)

pytestmark = pytest.mark.usefixtures("sketched")

DIGITS = "0123456789abcdef" * 4


def fingerprint(size: int, digits: str = DIGITS) -> Fingerprint:
    return {"bytes": size, "sha256": digits}


def fingerprint_input(path: Path, *without: str) -> Fingerprint | None:
    found = look_at(path)
    return found and found.describe(names_in(path, {*without}))


def step_of(name: str = "detect", **outputs: Fingerprint) -> Step:
    """Return a step; in the names of outputs ``__`` is a slash."""
    named = {name.replace("__", "/"): mark for name, mark in outputs.items()}
    return Step(f"facetl {name}", name, {}, {"facetl": "0.1.0"}, {}, named)


def written(folder: Path, *names: str) -> dict[str, Fingerprint]:
    """Write files that hold their own names; return their marks."""
    marks: dict[str, Fingerprint] = {}
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(os.fsencode(name))
        marks[name] = fingerprint_file(folder / name)
    return marks


def states(folder: Path, marks: dict[str, Fingerprint]) -> dict[str, str]:
    return {name: str(state) for name, state in check_outputs(folder, marks)}


# ---- fingerprints


def test_a_file_s_fingerprint_is_its_sha256(tmp_path: Path) -> None:
    data = os.urandom(3_000_000)
    (tmp_path / "a").write_bytes(data)
    assert fingerprint_file(tmp_path / "a") == fingerprint(
        len(data), hashlib.sha256(data).hexdigest()
    )


def test_what_is_given_and_huge_is_told_by_its_ends(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"

    def change(place: int, data: bytes) -> Fingerprint:
        with path.open("r+b") as file:
            file.seek(place)
            file.write(data)
        return _fingerprint_given(path)

    with path.open("wb") as file:
        file.truncate(2**40)  # nothing of it is on the disk
    marks = [
        _fingerprint_given(path),
        change(7, b"a"),
        change(2**40 - 7, b"b"),
        change(2**40, b"c"),
    ]
    assert len({str(each) for each in marks}) == 4
    assert [each["bytes"] for each in marks] == [2**40] * 3 + [2**40 + 1]
    assert change(2**39, b"d") == marks[-1]
    os.truncate(path, 1000)
    assert _fingerprint_given(path) == fingerprint_file(path)


def test_a_folder_s_fingerprint_is_as_it_is_described(tmp_path: Path) -> None:
    written(tmp_path, "b/2", "b.txt", "a", "manifest.json", "b/manifest.json", ".hidden/x", ".y")
    lines = b""
    for name in ("a", "b/2", "b.txt"):  # a folder's name sorts as its own, not with the slash
        lines += f"{hashlib.sha256(name.encode()).hexdigest()} {len(name)} {name}".encode() + b"\0"
    found = fingerprint_input(tmp_path)
    digits = hashlib.sha256(lines).hexdigest()
    assert found == {"kind": "folder", "files": 3, **fingerprint(9, digits)}


names = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=8)


@settings(max_examples=40)
@given(st.dictionaries(names, st.binary(max_size=9), max_size=4), names, st.data())
def test_whatever_changes_shows(files: dict[str, bytes], new: str, data: st.DataObject) -> None:
    whole = [(name, fingerprint(len(each))) for name, each in files.items()]
    before = _sum_up(whole)
    assert before["files"] == len(files)
    assert _sum_up([*whole, (new, fingerprint(0))]) != before
    assert _sum_up([*whole, (new, fingerprint(0))], {new})["files"] == len(files.keys() - {new})
    for place, (name, mark) in enumerate(whole):
        other = data.draw(st.sampled_from([(name, {**mark, "sha256": DIGITS[::-1]})]))
        assert _sum_up([*whole[:place], other, *whole[place + 1 :]]) != before


def test_odd_entries_are_passed_over_and_waited_for_never(tmp_path: Path) -> None:
    written(tmp_path, "real")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "dead").symlink_to("nowhere")
    (tmp_path / "round").symlink_to("round")
    (tmp_path / "up").symlink_to("..")
    (tmp_path / "device").symlink_to("/dev/zero")
    (tmp_path / "link").symlink_to("real")
    assert [name for name, _ in _fingerprint_files(tmp_path)] == ["link", "real"]
    assert fingerprint_input(tmp_path / "pipe") is None
    assert fingerprint_input(tmp_path / "round") is None


def test_names_that_are_no_text_are_kept(tmp_path: Path) -> None:
    odd = os.fsdecode(b"caf\xe9 \xff.png")
    try:
        marks = written(tmp_path, odd)
    except OSError:
        pytest.skip("such names cannot be here")
    add_step(tmp_path, Step("x", "detect", {"data": odd}, {}, {}, marks))
    (tmp_path / "manifest.json").read_text(encoding="utf-8")
    manifest = load_manifest(tmp_path)
    assert list(manifest.outputs) == [odd]
    assert manifest.steps[0].settings == {"data": odd}
    assert states(tmp_path, dict(manifest.outputs)) == {odd: "same"}
    assert fingerprint_input(tmp_path) != fingerprint_input(tmp_path, str(tmp_path / odd))


def test_a_file_that_may_not_be_read_counts_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, "a", "b")
    before = _sum_up(_fingerprint_files(tmp_path))

    def open_or_refuse(path: Path, *arguments: Any, **named: Any) -> Any:
        if Path(path).name == "b":
            raise PermissionError(13, "Permission denied", str(path))
        return real_open(path, *arguments, **named)

    real_open = os.open
    monkeypatch.setattr(os, "open", open_or_refuse)
    now = _sum_up(_fingerprint_files(tmp_path))
    assert (now["files"], now["bytes"]) == (2, 1)
    assert now["sha256"] != before["sha256"]
    assert states(tmp_path, {"b": fingerprint(1)}) == {"b": "cannot be read"}


# ---- who claims what


def test_steps_stand_in_their_order(tmp_path: Path) -> None:
    for name in ("detect", "evaluate"):
        add_step(tmp_path, step_of(name, **{name: fingerprint(1)}))
    assert [step.name for step in load_manifest(tmp_path).steps] == ["detect", "evaluate"]
    assert set(load_manifest(tmp_path).outputs) == {"detect", "evaluate"}


def test_what_is_written_anew_belongs_to_the_last_step_alone() -> None:
    old, new = fingerprint(1), fingerprint(2)
    first, second = step_of("a", x=old, y=old), step_of("b", y=new, z=new)
    both = Manifest((first,)).followed_by(second)
    assert [dict(step.outputs) for step in both.steps] == [{"x": old}, {"y": new, "z": new}]
    gone = both.followed_by(step_of("c", v=new), gone={"x"})
    assert [step.name for step in gone.steps] == ["b", "c"]
    last = gone.followed_by(step_of("d", v=old, y=old, z=old))
    assert [step.name for step in last.steps] == ["d"]


def test_commands_that_end_together_lose_no_step(tmp_path: Path) -> None:
    def add(number: int) -> None:
        add_step(tmp_path, step_of(f"step{number}", **{f"file{number}": fingerprint(1)}))

    threads = [threading.Thread(target=add, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(load_manifest(tmp_path).steps) == 12
    assert [path.name for path in tmp_path.iterdir()] == ["manifest.json"]  # no lock is left


def test_a_manifest_that_another_program_holds_is_not_waited_for_forever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manifests, "PATIENCE", 0.05)
    with (
        locking(tmp_path / ".manifest.json"),
        pytest.raises(OutputError, match="is being written by another program; what this"),
    ):
        add_step(tmp_path, step_of(x=fingerprint(1)))


def test_a_full_manifest_comes_back(tmp_path: Path) -> None:
    step = Step(
        command="facetl train 'my frames' --out über.safetensors",
        name="train",
        settings={"epochs": [2, 1, 1], "budget": None, "repaint": 0.05, "resume": False},
        versions={"facetl": "0.1.0", "threads": 2},
        inputs={
            "my frames": {"kind": "folder", "place": "../my frames", "files": 3, **fingerprint(99)}
        },
        outputs={"über.safetensors": fingerprint(9), "sub/link": {"link": "/elsewhere"}},
        seed=7,
    )
    _save_manifest(tmp_path, Manifest((step,)))
    assert load_manifest(tmp_path) == Manifest((step,))
    document = json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8"))
    assert list(document) == ["format", "version", "steps"]
    assert document["steps"][0]["outputs"]["über.safetensors"] == {"bytes": 9, "sha256": DIGITS}


# ---- how outputs are now


def test_what_changed_and_what_is_missing_is_told(tmp_path: Path) -> None:
    marks = written(tmp_path, "same", "longer", "other", "gone", "sub/a", "turned")
    (tmp_path / "longer").write_text("longer!")
    (tmp_path / "other").write_text("ohter")  # as long as before
    (tmp_path / "gone").unlink()
    (tmp_path / "turned").unlink()
    (tmp_path / "turned").mkdir()
    assert states(tmp_path, marks) == {
        "same": "same",
        "longer": "changed",
        "other": "changed",
        "gone": "missing",
        "sub/a": "same",
        "turned": "changed",
    }
    assert states(tmp_path, {"same/below": fingerprint(1)}) == {"same/below": "missing"}
    assert states(tmp_path, {"x" * 5000: fingerprint(1)}) == {"x" * 5000: "cannot be read"}


def test_links_are_compared_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/dev/zero")
    assert states(tmp_path, {"link": {"link": "/dev/zero"}}) == {"link": "same"}
    assert states(tmp_path, {"link": {"link": "elsewhere"}}) == {"link": "changed"}
    assert states(tmp_path, {"link": fingerprint(0)}) == {"link": "changed"}
    marks = written(tmp_path, "file")
    assert states(tmp_path, {"file": {"link": "x"}}) == {"file": "changed"}
    assert states(tmp_path, marks) == {"file": "same"}


def test_nothing_is_opened_behind_a_link_out_of_the_folder(tmp_path: Path) -> None:
    marks = written(tmp_path, "outside/secret")
    folder = tmp_path / "results"
    folder.mkdir()
    (folder / "sub").symlink_to(tmp_path / "outside")
    secret = {"sub/secret": marks["outside/secret"]}
    assert states(folder, secret) == {"sub/secret": str(State.OUTSIDE)}
    (folder / "round").symlink_to("round")
    assert states(folder, {"round/x": fingerprint(1)}) == {"round/x": "cannot be read"}


def test_a_folder_that_is_a_link_itself_is_checked(tmp_path: Path) -> None:
    marks = written(tmp_path / "real", "sub/a")
    (tmp_path / "link").symlink_to("real")
    assert states(tmp_path / "link", marks) == {"sub/a": "same"}


def test_inputs_are_found_from_the_manifest_s_folder(tmp_path: Path) -> None:
    written(tmp_path, "frames/a", "results/metrics.json")
    found = fingerprint_input(tmp_path / "frames")
    assert found
    step = step_of()
    placed = {**found, "place": "../frames"}
    assert check_input(tmp_path / "results", "frames", placed, step) is State.SAME
    assert check_input(tmp_path / "results", "nowhere", found, step) is State.MISSING
    (tmp_path / "frames/b").touch()
    assert check_input(tmp_path / "results", "frames", placed, step) is State.CHANGED


# ---- manifests that are none

GOOD: dict[str, Any] = {
    "command": "facetl detect",
    "name": "detect",
    "settings": {},
    "versions": {},
    "inputs": {},
    "outputs": {"a": {"bytes": 1, "sha256": DIGITS}},
}


def save_raw(folder: Path, *steps: object, **other: object) -> None:
    document = {"format": "facetl-manifest", "version": 1, "steps": list(steps), **other}
    (folder / "manifest.json").write_text(json.dumps(document))


@pytest.mark.parametrize(
    "change",
    [
        {"command": 3},
        {"name": None},
        {"settings": []},
        {"settings": {"x": float("nan")}},
        {"settings": {"x": [1e999]}},
        {"versions": None},
        {"seed": -1},
        {"seed": True},
        {"seed": 1.5},
        {"inputs": []},
        {"inputs": {"a": {"kind": "planet", "files": 1, "bytes": 1, "sha256": DIGITS}}},
        {"inputs": {"a": {"kind": "file", "files": "1", "bytes": 1, "sha256": DIGITS}}},
        {"inputs": {"a": {"kind": "file", "place": 1, "files": 1, "bytes": 1, "sha256": DIGITS}}},
        {"outputs": {"a": {"bytes": -1, "sha256": DIGITS}}},
        {"outputs": {"a": {"bytes": 1, "sha256": DIGITS.upper()}}},
        {"outputs": {"a": {"bytes": 1}}},
        {"outputs": {"a": 1}},
        {"outputs": {"a": {"link": 1}}},
        {"outputs": {"\ud800": {"link": "x"}}},
    ],
    ids=str,
)
def test_values_that_are_none_are_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    save_raw(tmp_path, GOOD)
    load_manifest(tmp_path)
    save_raw(tmp_path, {**GOOD, **change})
    with pytest.raises(ManifestError, match="damaged manifest"):
        load_manifest(tmp_path)


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "../a", "a/../../b", "", "a//b", "./a", "a/", "..", "a\0b"]
)
def test_outputs_elsewhere_are_refused(tmp_path: Path, name: str) -> None:
    save_raw(tmp_path, {**GOOD, "outputs": {name: {"bytes": 1, "sha256": DIGITS}}})
    with pytest.raises(ManifestError, match="expected a path below the folder"):
        load_manifest(tmp_path)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "damaged"),
        ("[1]", "expected a JSON object"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a":' * 100_000, "nested too deeply"),
        ('{"format": "facetl-manifest", "version": 2, "steps": []}', "version '2'"),
        ('{"name": "An App", "icons": []}', "is no manifest of facetl"),
        ('{"format": "facetl-manifest", "version": 1}', "KeyError: 'steps'"),
        ('{"format": "facetl-manifest", "version": 1, "steps": {}}', "expected a list"),
        (f'{{"format": "facetl-manifest", "version": {"9" * 5000}}}', "manifest"),
        ("\ud800", "damaged"),
    ],
)
def test_what_is_no_manifest_is_refused(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "manifest.json").write_text(text, errors="surrogatepass")
    for reading in (load_manifest, find_manifest):
        with pytest.raises(ManifestError, match=why) as raised:
            reading(tmp_path)
        assert len(str(raised.value)) < 700
    before = (tmp_path / "manifest.json").read_bytes()
    with pytest.raises(ManifestError):
        add_step(tmp_path, step_of(x=fingerprint(1)))
    assert (tmp_path / "manifest.json").read_bytes() == before


def test_a_manifest_that_is_a_pipe_a_folder_or_too_large_is_refused(tmp_path: Path) -> None:
    place = tmp_path / "manifest.json"
    with pytest.raises(ManifestError, match="is not there; give a folder"):
        load_manifest(tmp_path)
    assert find_manifest(tmp_path) == Manifest()
    os.mkfifo(place)
    with pytest.raises(ManifestError, match="is no file"):
        find_manifest(tmp_path)
    place.unlink()
    place.symlink_to("nowhere")
    with pytest.raises(ManifestError, match="is no file"):
        find_manifest(tmp_path)
    place.unlink()
    with place.open("wb") as file:
        file.truncate(2**30 + 1)
    with pytest.raises(ManifestError, match="more than 1,073,741,824 bytes"):
        load_manifest(tmp_path)


def test_the_writer_of_a_file_is_known_until_the_file_is_changed(tmp_path: Path) -> None:
    marks = written(tmp_path, "a.txt", "annotations/deep/b.txt", "d/e/f/g.txt")
    add_step(tmp_path, step_of("frames", **marks))
    for name in ("a.txt", "annotations/deep/b.txt"):
        step = find_writer(tmp_path / name)
        assert step is not None
        assert step.name == "frames"
        (tmp_path / name).write_bytes(b"mended")
        assert find_writer(tmp_path / name) is None
    assert find_writer(tmp_path / "d/e/f/g.txt") is None  # too far up to be looked for
    assert find_writer(tmp_path / "nothing.txt") is None
    (tmp_path / "manifest.json").write_text("{")
    assert find_writer(tmp_path / "a.txt") is None

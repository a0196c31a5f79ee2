from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facetl.data.annotations import AnnotationFile, Kind, Problem, count_problems
from facetl.data.formats.course import load_annotations, save_annotations
from facetl.errors import AnnotationError


def read(tmp_path: Path, text: str | bytes, on_error: str = "strict") -> AnnotationFile:
    path = tmp_path / "dad.txt"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return load_annotations(path, on_error="skip" if on_error == "skip" else "strict")


def test_faces_are_grouped_by_image_in_the_order_of_the_file(tmp_path: Path) -> None:
    file = read(tmp_path, "b.jpg 1 2 3 4 dad\na.jpg 5 6 7 8\nb.jpg 0 0 2.5 9 mom\n")
    assert list(file.faces) == ["b.jpg", "a.jpg"]
    boxes, labels = file.faces["b.jpg"]
    assert boxes.tolist() == [[1, 2, 3, 4], [0, 0, 2.5, 9]]
    assert labels == ("dad", "mom")
    assert file.faces["a.jpg"].labels == (None,)
    assert [line.line for line in file.lines] == [1, 2, 3]


@pytest.mark.parametrize(
    "text",
    [
        b"\xef\xbb\xbfa.jpg 1 2 3 4 old man\n",  # byte-order mark
        b"a.jpg 1 2 3 4 old man\r\n\r\n",
        b"a.jpg\t1\t2\t3\t4\told  man\n",
        b"\n   \n  a.jpg 1 2   3 4 old man  ",
        b"a.jpg 1.0 2e0 +3 4 old man\n",
    ],
)
def test_harmless_differences_are_read_without_fuss(tmp_path: Path, text: bytes) -> None:
    boxes, labels = read(tmp_path, text).faces["a.jpg"]
    assert boxes.tolist() == [[1, 2, 3, 4]]
    assert labels == ("old man",)


@pytest.mark.parametrize("text", ["", "\n\n", "\ufeff"])
def test_an_empty_file_has_no_faces(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, text).faces == {}


@pytest.mark.parametrize(
    ("line", "name", "label"),
    [
        ("my frame.jpg 1 2 3 4", "my frame.jpg", None),
        ("my  frame 2.PNG 1 2 3 4 old man", "my  frame 2.PNG", "old man"),
        ("season 1 2 3 4.jpg 1 2 3 4", "season 1 2 3 4.jpg", None),
        ("a.jpg copy.jpg 1 2 3 4", "a.jpg copy.jpg", None),
        ("frame01 1 2 3 4 poster.jpg", "frame01", "poster.jpg"),
        ("a.jpg 1 2 3 4 5 6 7 8", "a.jpg", "5 6 7 8"),
        ("dad/père ăț.jpg 1 2 3 4", "dad/père ăț.jpg", None),
    ],
)
def test_names_with_spaces_end_at_a_suffix_before_four_numbers(
    tmp_path: Path, line: str, name: str, label: str | None
) -> None:
    faces = read(tmp_path, line).faces
    assert list(faces) == [name]
    assert faces[name].boxes.tolist() == [[1, 2, 3, 4]]
    assert faces[name].labels == (label,)


BAD = [
    ("a.jpg 1 2 3", Kind.WRONG_FIELDS, "found 3 of 4 coordinates after 'a.jpg'"),
    ("a.jpg", Kind.WRONG_FIELDS, "found 0 of 4"),
    ("a.jpg,1,2,3,4", Kind.WRONG_FIELDS, "after 'a.jpg,1,2,3,4'"),
    ("a.jpg 1 two 3 4", Kind.NOT_A_NUMBER, "found 'two', expected a number"),
    ("my a.jpg 1 nan 3 4", Kind.NOT_A_NUMBER, "found 'nan'"),
    ("a.jpg 1 2 inf 4", Kind.NOT_A_NUMBER, "found 'inf'"),
    ("a.jpg dad 1 2 3 4", Kind.NOT_A_NUMBER, "found 'dad'"),
    ("a.jpg 3 2 3 4", Kind.EMPTY_BOX, "found the box 3 2 3 4, expected x2 > x1"),
    ("a.jpg 1 4 3 2", Kind.EMPTY_BOX, "and y2 > y1"),
]


@pytest.mark.parametrize(("line", "kind", "found"), BAD)
def test_what_is_wrong_is_told_with_file_and_line(
    tmp_path: Path, line: str, kind: Kind, found: str
) -> None:
    file = read(tmp_path, f"ok.jpg 1 2 3 4\n\n{line}\n", on_error="skip")
    assert list(file.faces) == ["ok.jpg"]
    (problem,) = file.problems
    assert (problem.kind, problem.path, problem.line) == (kind, file.path, 3)
    assert found in problem.found
    assert str(problem) == f"{file.path}:3: {problem.found}"


def test_strict_tells_the_first_problem_and_counts_the_rest(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError) as caught:
        read(tmp_path, "a.jpg 1 2 3\na.jpg 1 2 x 4\na.jpg 9 9 1 1\na.jpg 1 2 y 4\n")
    assert str(caught.value) == (
        f"{tmp_path}/dad.txt:1: found 3 of 4 coordinates after 'a.jpg', "
        "expected `image x1 y1 x2 y2 [label]`; and 3 more: 2 not a number, 1 empty box; "
        "mend them or leave them out with --on-error skip"
    )


def test_strict_with_a_single_problem_speaks_in_the_singular(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match=r"label\]`; mend it or leave it out with"):
        read(tmp_path, "a.jpg 1 2 3")


@pytest.mark.parametrize("text", [b"a.jpg\xff 1 2 3 4", b"p\xe8re.jpg 1 2 3 4"])
def test_other_encodings_are_named_as_such(tmp_path: Path, text: bytes) -> None:
    with pytest.raises(AnnotationError, match=r"dad\.txt is not UTF-8 text; save it as UTF-8"):
        read(tmp_path, text, on_error="skip")


@pytest.mark.parametrize("name", ["nowhere.txt", "."])
def test_no_such_file(tmp_path: Path, name: str) -> None:
    with pytest.raises(AnnotationError, match=r"cannot be read .*; give an annotation file"):
        load_annotations(tmp_path / name)


def test_problems_are_counted_in_a_fixed_order() -> None:
    kinds = [Kind.MISSING, Kind.CLIPPED, Kind.MISSING, Kind.NOT_A_NUMBER]
    problems = [Problem(kind, Path("a.txt"), 1, "") for kind in kinds]
    assert count_problems(problems) == "1 not a number, 1 clipped, 2 image missing"
    assert count_problems([]) == ""


def test_saved_text_is_the_courses(tmp_path: Path) -> None:
    boxes = np.array([[1, 2, 3, 4], [0.5, 0, 10, 20]])
    faces = {"dad/1.jpg": (boxes, ("dad", None)), "faceless.jpg": (np.zeros((0, 4)), ())}
    save_annotations(tmp_path / "out.txt", faces)
    text = (tmp_path / "out.txt").read_text()
    assert text == "dad/1.jpg 1 2 3 4 dad\ndad/1.jpg 0.5 0 10 20\n"


@pytest.mark.parametrize(
    ("name", "box", "label"),
    [
        ("two words", [1, 2, 3, 4], None),
        ("a.jpg", [3, 2, 1, 4], None),
        ("a.jpg", [1, 2, float("nan"), 4], None),
        ("a.jpg", [1, 2, 3, 4], "two\nlines"),
        ("a.jpg", [1, 2, 3, 4], " padded"),
        ("", [1, 2, 3, 4], None),
    ],
)
def test_what_would_not_be_read_back_is_not_written(
    tmp_path: Path, name: str, box: list[float], label: str | None
) -> None:
    with pytest.raises(AnnotationError, match="would not be read back the same"):
        save_annotations(tmp_path / "out.txt", {name: (np.array([box]), [label])})
    assert list(tmp_path.iterdir()) == []


words = st.text(
    st.characters(exclude_categories=["Z", "C"]), min_size=1, max_size=8
)  # nothing that separates words or lines
labels = st.none() | st.lists(words, min_size=1, max_size=3).map(" ".join)
names = (
    st.lists(words, min_size=1, max_size=3)
    .map(lambda parts: " ".join(parts) + ".jpg")
    .filter(lambda name: "\\" not in name and not name.startswith("./"))
)  # as facetl itself names images
starts = st.floats(-1e6, 1e6)
sides = st.floats(0.01, 1e6)
boxes = st.tuples(starts, starts, sides, sides).map(
    lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3])
)
faces_of_an_image = st.lists(
    st.tuples(boxes, labels), min_size=1, max_size=4, unique_by=lambda face: face[0]
)  # the same box would be the same face


@settings(max_examples=50)
@given(st.dictionaries(names, faces_of_an_image, max_size=4))
def test_what_is_saved_is_loaded_again(
    tmp_path_factory: pytest.TempPathFactory,
    content: dict[str, list[tuple[tuple[float, ...], str | None]]],
) -> None:
    path = tmp_path_factory.mktemp("round") / "trip.txt"
    faces = {
        name: (np.array([box for box, _ in rows]), tuple(label for _, label in rows))
        for name, rows in content.items()
    }
    save_annotations(path, faces)
    loaded = load_annotations(path).faces
    assert list(loaded) == list(faces)
    for name, (expected_boxes, expected_labels) in faces.items():
        assert np.array_equal(loaded[name].boxes, expected_boxes)
        assert loaded[name].labels == expected_labels


@settings(max_examples=50)
@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_no_bytes_whatever_raise_anything_but_annotation_errors(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.mktemp("any") / "bytes.txt"
    path.write_bytes(content)
    with suppress(AnnotationError):
        load_annotations(path)


def test_names_are_written_one_way_however_they_were_given(tmp_path: Path) -> None:
    path = tmp_path / "faces.txt"
    path.write_text("./001.jpg 1 2 3 4\n.\\dad\\002.jpg 1 2 3 4\n")
    assert list(load_annotations(path).faces) == ["001.jpg", "dad/002.jpg"]

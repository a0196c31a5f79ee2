from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from facetl.errors import DetectionsError
from facetl.results.peers import FILE_NAMES, SCORES, PeerDetections, load_peer, save_peer

FACE = [10.0, 10.0, 50.0, 60.0]
ELSEWHERE = [100.0, 100.0, 140.0, 150.0]


def boxes(*rows: list[float]) -> NDArray[np.float64]:
    return np.array(rows).reshape(-1, 4)


def test_peers_survive_the_way_to_disk_and_back(tmp_path: Path) -> None:
    peer = PeerDetections(boxes(FACE, ELSEWHERE), np.array([2.5, -1]), ("b ö.jpg", "a.jpg"))
    for given in (peer, PeerDetections(boxes(), np.zeros(0), ())):
        save_peer(tmp_path, given)
        back = load_peer(tmp_path)
        assert back.boxes.tolist() == given.boxes.tolist()
        assert back.scores.tolist() == given.scores.tolist()
        assert back.file_names == given.file_names
        assert len(back) == len(given)


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        (FILE_NAMES, np.array(["a.jpg"], dtype=object), "pickled objects are never loaded"),
        (FILE_NAMES, np.array([1.0]), "expected an array of text, found one of float64"),
        (SCORES, np.array([1.0, 2.0]), "as many boxes as scores and names, got (1, 2, 1)"),
        (SCORES, np.array([np.inf]), "expected finite boxes and scores"),
        (SCORES, None, "not found; expected detections_all_faces.npy"),
    ],
)
def test_bad_arrays_of_a_peer_are_refused(
    tmp_path: Path, name: str, array: NDArray[Any] | None, message: str
) -> None:
    save_peer(tmp_path, PeerDetections(boxes(FACE), np.ones(1), ("a.jpg",)))
    (tmp_path / name).unlink()
    if array is not None:
        np.save(tmp_path / name, array, allow_pickle=True)
    with pytest.raises(DetectionsError) as caught:
        load_peer(tmp_path)
    assert message in str(caught.value)


def test_an_archive_instead_of_an_array_is_refused(tmp_path: Path) -> None:
    save_peer(tmp_path, PeerDetections(boxes(FACE), np.ones(1), ("a.jpg",)))
    with (tmp_path / SCORES).open("wb") as file:
        np.savez(file, scores=np.ones(1))
    with pytest.raises(DetectionsError, match="found an archive of arrays"):
        load_peer(tmp_path)


@pytest.mark.parametrize("what", ["pipe", "/dev/zero", "/proc/kmsg"])
def test_what_has_no_end_is_neither_waited_for_nor_read(what: str, tmp_path: Path) -> None:
    save_peer(tmp_path, PeerDetections(boxes(FACE), np.array([0.5]), ("a.jpg",)))
    (path := tmp_path / SCORES).unlink()
    os.mkfifo(path) if what == "pipe" else path.symlink_to(what)
    with pytest.raises(DetectionsError, match="no NumPy array of numbers that is safe to read"):
        load_peer(tmp_path)

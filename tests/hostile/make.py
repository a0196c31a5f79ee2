"""Makes hostile and broken inputs; nothing of it is stored, all of it is drawn anew.

``PYTHONPATH=tests python -m hostile.make FOLDER`` writes the whole corpus, for trying by hand.
"""

from __future__ import annotations

import json
import os
import pickle
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
from hostile.readers import READERS, bomb
from parameters import pretrained_tensors
from PIL import Image
from safetensors.torch import save_file

PIXELS = np.random.default_rng(2).integers(0, 256, (60, 80, 3), np.uint8)


class Trap:
    """Unpickled, it would make a file."""

    def __init__(self, marker: Path) -> None:
        self._marker = marker

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (f"touch '{self._marker}'",)


def make_images(folder: Path) -> None:
    """Write images that cannot be read, each a case of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(PIXELS).save(folder / "cut.png")
    Image.fromarray(PIXELS).save(folder / "cut.jpg")
    for name in ("cut.png", "cut.jpg"):
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[: len(data) // 2])
    (folder / "empty.png").touch()
    (folder / "text.jpg").write_text("I am no image\n")
    (folder / "head.gif").write_bytes(b"GIF89a")
    (folder / "bomb.png").write_bytes(bomb(60_000))
    (folder / "noise.bmp").write_bytes(np.random.default_rng(3).bytes(500))
    floats = PIXELS[:, :, 0].astype(np.float32) / 255
    floats[7, 7] = np.nan
    Image.fromarray(floats).save(folder / "nan.tif")
    with (folder / "sparse.png").open("wb") as file:
        file.truncate(2**40)


def make_odd_images(folder: Path) -> None:
    """Write images that can be read, though their names or kinds are unusual."""
    folder.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(PIXELS)
    picture.save(folder / "jpeg_inside.png", "JPEG")
    picture.save(folder / "moving.gif", save_all=True, append_images=[picture.rotate(90)])
    picture.save(folder / "two\nlines\x1b[31m.png")
    picture.save(folder / "-dash.png")
    picture.save(folder / "ünï © 漢.png")
    with suppress(OSError):  # not all file systems have such names
        picture.save(os.fsdecode(os.fsencode(folder) + b"/no_text_\xff.png"), "PNG")


def make_no_images(folder: Path) -> None:
    """Write what is called like an image and is none: folders, loops, pipes."""
    (folder / "folder.png").mkdir(parents=True)
    (folder / "loop.png").symlink_to("loop.png")
    (folder / "nowhere.jpg").symlink_to("/does/not/exist.jpg")
    (folder / "around").symlink_to(".", target_is_directory=True)
    os.mkfifo(folder / "pipe.png")


def make_annotations(folder: Path) -> None:
    """Write annotation files with something wrong, for images that are called ``0.png``."""
    folder.mkdir(parents=True, exist_ok=True)
    box = "0.png 10 10 40 40 dad\n"
    texts = {
        "nuls.txt": f"{box}0.png\0 1 2 3 4\n\0\0\0\n",
        "overflow.txt": f"{box}0.png 1e999 0 2 2\n0.png 0 0 1e308 1e308\n",
        "not_numbers.txt": f"{box}0.png one two three four\n0.png nan nan nan nan\n",
        "backwards.txt": f"{box}0.png 40 40 10 10\n",
        "climbing.txt": f"{box}../../../etc/passwd.png 1 1 5 5\n",
        "one_line.txt": "0.png " + "9" * 1_000_000,
        "deep.json": '{"images": ' + "[" * 100_000,
        "cut.json": '{"images": [{"id": 1, "file_name": "0.png"}], "annotations": [{"id": 1, "im',
        "climbing.json": json.dumps(_coco("../../../../etc/passwd.png", [1, 1, 5, 5])),
        "absolute.json": json.dumps(_coco("/etc/passwd.png", [1, 1, 5, 5])),
        "endless_name.json": json.dumps(_coco("a" * 5_000 + ".png", [1, 1, 5, 5])),
        "overflow.json": json.dumps(_coco("0.png", [1, 1, 10**400, 5])),
        "not_numbers.json": json.dumps(_coco("0.png", [1, float("nan"), 5, 5])),
        "surrogate.json": json.dumps(_coco("\ud800.png", [1, 1, 5, 5])),
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "binary.txt").write_bytes(b"0.png 1 2 3 4\n\xff\xfe\x00")


def make_bombs(folder: Path) -> dict[str, Path]:
    """Write data sets in folders of their own, whose annotations grow when they are read."""
    picture = Image.fromarray(PIXELS)
    for name in ("voc", "yolo"):
        (folder / name).mkdir(parents=True, exist_ok=True)
        picture.save(folder / name / "0.png")
    laughs = "".join(f'<!ENTITY a{n + 1} "{f"&a{n};" * 10}">' for n in range(9))
    (folder / "voc/0.xml").write_text(
        f'<!DOCTYPE x [<!ENTITY a0 "ha">{laughs}]>'
        "<annotation><filename>&a9;</filename></annotation>"
    )
    aliases = "\n".join(f"a{n + 1}: &a{n + 1} [{', '.join([f'*a{n}'] * 10)}]" for n in range(9))
    (folder / "yolo/data.yaml").write_text(f"a0: &a0 [lol]\n{aliases}\ntrain: *a9\nnames: *a9\n")
    return {"voc": folder / "voc", "yolo": folder / "yolo"}


def make_weights(folder: Path, marker: Path) -> None:
    """Write weights files that must be refused; those of pickles would make ``marker``."""
    folder.mkdir(parents=True, exist_ok=True)
    pnet = {f"pnet.{name}": each for name, each in pretrained_tensors("pnet").items()}
    save_file(pnet, folder / "whole.safetensors")
    data = (folder / "whole.safetensors").read_bytes()
    (folder / "whole.safetensors").unlink()
    (folder / "cut.safetensors").write_bytes(data[: len(data) // 2])
    (folder / "head.safetensors").write_bytes(data[:8])
    (folder / "empty.safetensors").touch()
    (folder / "huge_head.safetensors").write_bytes(b"\xff" * 7 + b"\x7f" + data[8:])
    first, *_ = pnet
    save_file({**pnet, first: torch.zeros(1, 2, 3)}, folder / "shape.safetensors")
    save_file({**pnet, first: pnet[first] * torch.nan}, folder / "nan.safetensors")
    save_file({**pnet, first: pnet[first].int()}, folder / "whole_numbers.safetensors")
    deep = {"facetl": "[" * 100_000}
    save_file(pnet, folder / "deep.safetensors", deep)
    torch.save({"pnet.conv1.weight": Trap(marker)}, folder / "trap.pt")
    (folder / "trap.pth").write_bytes(pickle.dumps(Trap(marker)))
    (folder / "trap.safetensors").write_bytes(pickle.dumps(Trap(marker)))
    torch.save([1, 2, 3], folder / "list.pt")
    torch.save({1: torch.zeros(1)}, folder / "numbered.pt")
    (folder / "text.pt").write_text("no weights")


def make_peers(folder: Path, marker: Path) -> list[Path]:
    """Write folders of three arrays of which one must be refused."""
    trap = np.array([Trap(marker)], dtype=object)
    places = []
    for name in ("trap", "claim", "cut", "letters"):
        place = folder / name
        place.mkdir(parents=True, exist_ok=True)
        np.save(place / "detections_all_faces.npy", np.array([[1.0, 1, 9, 9]]))
        np.save(place / "scores_all_faces.npy", np.ones(1))
        np.save(place / "file_names_all_faces.npy", np.array(["0.png"]))
        places.append(place)
    np.save(folder / "trap/scores_all_faces.npy", trap, allow_pickle=True)
    header = {"descr": "<f8", "fortran_order": False, "shape": (2**40, 4)}
    with (folder / "claim/detections_all_faces.npy").open("wb") as file:
        np.lib.format.write_array_header_2_0(file, header)
    data = (folder / "cut/detections_all_faces.npy").read_bytes()
    (folder / "cut/detections_all_faces.npy").write_bytes(data[:-20])
    letters = folder / "letters/file_names_all_faces.npy"
    letters.write_bytes(letters.read_bytes()[:-8] + b"\xff" * 8)
    return places


def make_broken(folder: Path, reader: str) -> list[Path]:
    """Write what a reader reads well, then cut short, empty, of another version, and deep."""
    (built,) = [each for each in READERS if each.name == reader]
    folder.mkdir(parents=True, exist_ok=True)
    path = built.build(folder)[0]
    data = path.read_bytes()
    path.unlink()
    variants = {
        "cut": data[: len(data) * 2 // 3],
        "empty": b"",
        "version": data.replace(b'"version": 1', b'"version": 9').replace(
            b'\\"version\\": 1', b'\\"version\\": 9'
        ),
        "deep": b"[" * 200_000,
        "binary": b"\xff\xfe" * 100,
    }
    paths = []
    for name, content in variants.items():
        if content != data:
            paths.append(path.with_name(f"{name}{''.join(path.suffixes)}"))
            paths[-1].write_bytes(content)
    return paths


def _coco(name: str, box: list[float]) -> dict[str, object]:
    return {
        "images": [{"id": 1, "file_name": name}],
        "annotations": [{"id": 1, "image_id": 1, "bbox": box}],
    }


def main(folder: Path) -> None:
    """Write the whole corpus."""
    for name, make in (
        ("images", make_images),
        ("odd", make_odd_images),
        ("none", make_no_images),
        ("annotations", make_annotations),
    ):
        make(folder / name)
    make_bombs(folder / "bombs")
    make_weights(folder / "weights", folder / "EXECUTED")
    make_peers(folder / "peers", folder / "EXECUTED")
    for name in ("patches", "detections", "metrics", "video"):
        make_broken(folder / name, name)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

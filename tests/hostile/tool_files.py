"""Small files as labelling tools export them, of one image ``a.png`` of 16 x 12 pixels."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

REGION: dict[str, Any] = {
    "original_width": 16,
    "original_height": 12,
    "type": "rectanglelabels",
    "id": "x",
}
VALUE = {"x": 12.5, "y": 10, "width": 50, "height": 40, "rotation": 0}
SHAPES = [
    REGION | {"value": VALUE | {"rectanglelabels": ["dad"]}},
    REGION | {"id": "y", "value": VALUE | {"rotation": 30, "labels": ["mom"]}},
    REGION | {"id": "p", "value": {"points": [[1, 2], [30, 4], [5, 60]], "polygonlabels": ["b"]}},
    REGION | {"id": "e", "value": {"x": 50, "y": 50, "radiusX": 9, "radiusY": 8, "rotation": 5}},
]
RECTANGLE = '<box label="dad" xtl="2.00" ytl="1.00" xbr="9.50" ybr="8.00" rotation="10.5"/>'
LABELME_SHAPES = [
    {"label": "dad", "points": [[2, 1], [9.5, 8]], "shape_type": "rectangle", "difficult": True},
    {"label": "mom", "points": [[2, 1], [9.5, 8], [3, 9]], "shape_type": "polygon", "flags": {}},
    {"label": "mom", "points": [[5, 5], [7, 7]], "shape_type": "circle", "group_id": None},
]
VIA_REGIONS = [
    {
        "shape_attributes": {"name": "rect", "x": 2, "y": 1, "width": 7, "height": 6},
        "region_attributes": {"name": "dad"},
    },
    {
        "shape_attributes": {"name": "ellipse", "cx": 5, "cy": 5, "rx": 3, "ry": 2, "theta": 0.5},
        "region_attributes": {"type": {"a": True}},
    },
    {
        "shape_attributes": {
            "name": "polygon",
            "all_points_x": [1, 5, 9],
            "all_points_y": [2, 8, 3],
        },
        "region_attributes": {},
    },
]

TEXTS: dict[str, str] = {
    "label_studio.json": json.dumps(
        [
            {
                "id": 1,
                "data": {"image": "/data/upload/1/0a1b2c3d-a.png"},
                "annotations": [
                    {"result": SHAPES, "updated_at": "2026", "was_cancelled": False},
                    {"result": [], "updated_at": "2025"},
                ],
            },
            {"data": {"image": "b.png"}, "predictions": [{"result": SHAPES[:1], "score": 0.5}]},
        ]
    ),
    "label_studio_min.json": json.dumps(
        [
            {
                "image": "/data/local-files/?d=x/a.png",
                "id": 1,
                "annotation_id": 3,
                "label": [
                    VALUE
                    | {"rectanglelabels": ["dad"], "original_width": 16, "original_height": 12}
                ],
            }
        ]
    ),
    "label_studio.csv": (
        "annotation_id,annotator,id,image,label,lead_time\n"
        '1,1,1,a.png,"[{""x"": 10, ""y"": 10, ""width"": 50, ""height"": 50, ""rotation"": 0, '
        '""original_width"": 16, ""original_height"": 12}]",3\n'
    ),
    "cvat.xml": (
        '<?xml version="1.0" encoding="utf-8"?><annotations><version>1.1</version>'
        f'<image id="0" name="a.png" width="16" height="12">{RECTANGLE}'
        '<polygon label="mom" points="1.00,2.00;9.00,3.00;4.00,8.00"/>'
        '<ellipse label="mom" cx="5" cy="5" rx="3" ry="2" rotation="30"/>'
        '<points label="x" points="1,2"/><tag label="night"/></image></annotations>'
    ),
    "cvat_video.xml": (
        "<annotations><meta><task><frame_filter>step=2</frame_filter><source>v.mp4</source></task>"
        '</meta><track id="0" label="dad"><box frame="0" outside="0" keyframe="1" xtl="2" ytl="1" '
        'xbr="9" ybr="8"/><box frame="6" outside="0" keyframe="1" xtl="3" ytl="1" xbr="10" '
        'ybr="8"/><box frame="7" outside="1" keyframe="1" xtl="3" ytl="1" xbr="10" ybr="8"/>'
        "</track></annotations>"
    ),
    "a.json": json.dumps(
        {
            "version": "5.5.0",
            "flags": {},
            "shapes": LABELME_SHAPES,
            "imagePath": "a.png",
            "imageData": None,
            "imageHeight": 12,
            "imageWidth": 16,
        }
    ),
    "via.json": json.dumps(
        {"_via_img_metadata": {"a.png9": {"filename": "a.png", "regions": VIA_REGIONS}}}
    ),
    "via.csv": (
        "filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,"
        'region_attributes\na.png,9,"{}",1,0,"{""name"":""rect"",""x"":2,""y"":1,""width"":7,'
        '""height"":6}","{""name"":""dad""}"\n'
    ),
    "table.csv": "filename,width,height,class,xmin,ymin,xmax,ymax\na.png,16,12,dad,2,1,9.5,8\n",
    "createml.json": json.dumps(
        [
            {
                "image": "a.png",
                "annotations": [
                    {"label": "d", "coordinates": {"x": 5, "y": 5, "width": 4, "height": 4}}
                ],
            }
        ]
    ),
    "ann/a.png.json": json.dumps(
        {
            "size": {"height": 12, "width": 16},
            "objects": [
                {
                    "classTitle": "dad",
                    "geometryType": "rectangle",
                    "points": {"exterior": [[2, 1], [8, 7]], "interior": []},
                }
            ],
        }
    ),
}
"""By the name of the file."""


def writing(name: str, draw: Callable[[Path], object]) -> Callable[[Path], list[Path]]:
    """Return a builder of one of the files, and of its image."""

    def build(folder: Path) -> list[Path]:
        draw(folder)
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(TEXTS[name])
        return [path]

    return build


def packing(draw: Callable[[Path], object]) -> Callable[[Path], list[Path]]:
    """Return a builder of a ZIP with an image and its annotations."""

    def build(folder: Path) -> list[Path]:
        draw(folder)
        path = folder / "export.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(folder / "a.png", "images/a.png")
            archive.writestr("annotations.xml", TEXTS["cvat.xml"])
        (folder / "a.png").unlink()
        return [path]

    return build

"""facetl: face detection for cartoons, retrained from MTCNN.

The public Python interface.  Each name is loaded when it is first used, so that ``import facetl``
is fast.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from facetl.errors import describe_missing_library

if TYPE_CHECKING:
    from facetl.cartoons.frame import CartoonFrame, draw_frame
    from facetl.data.dataset import FaceDataset, load_dataset
    from facetl.data.formats.course import load_annotations, save_annotations
    from facetl.data.frame import Frame
    from facetl.data.images import load_image, save_image
    from facetl.errors import FacetlError
    from facetl.evaluation.scoring import Evaluation, evaluate
    from facetl.mtcnn.detector import Detector
    from facetl.mtcnn.weights import Weights, load_weights, save_weights
    from facetl.recognition.recogniser import Recogniser
    from facetl.results.detections import Detections, Face, FrameResult, Run
    from facetl.results.json_file import save_run
    from facetl.results.store import load_run
    from facetl.search.settings import Settings
    from facetl.training.cascade import Training, Workshop
    from facetl.training.loop import train
    from facetl.training.patches import Patches, load_patches
    from facetl.training.plan import CascadePlan
    from facetl.training.preparation import prepare_patches
    from facetl.training.recipe import Bands, Recipe
    from facetl.training.sampling import Label
    from facetl.training.settings import TrainingSettings
    from facetl.training.transfer import Transfer

_HOMES = {
    "Bands": "facetl.training.recipe",
    "CartoonFrame": "facetl.cartoons.frame",
    "CascadePlan": "facetl.training.plan",
    "Detections": "facetl.results.detections",
    "Detector": "facetl.mtcnn.detector",
    "Recogniser": "facetl.recognition.recogniser",
    "Evaluation": "facetl.evaluation.scoring",
    "Face": "facetl.results.detections",
    "FaceDataset": "facetl.data.dataset",
    "FacetlError": "facetl.errors",
    "Frame": "facetl.data.frame",
    "FrameResult": "facetl.results.detections",
    "Label": "facetl.training.sampling",
    "Patches": "facetl.training.patches",
    "Recipe": "facetl.training.recipe",
    "Run": "facetl.results.detections",
    "Settings": "facetl.search.settings",
    "Training": "facetl.training.cascade",
    "TrainingSettings": "facetl.training.settings",
    "Transfer": "facetl.training.transfer",
    "Weights": "facetl.mtcnn.weights",
    "Workshop": "facetl.training.cascade",
    "draw_frame": "facetl.cartoons.frame",
    "evaluate": "facetl.evaluation.scoring",
    "load_annotations": "facetl.data.formats.course",
    "load_dataset": "facetl.data.dataset",
    "load_image": "facetl.data.images",
    "load_patches": "facetl.training.patches",
    "load_run": "facetl.results.store",
    "load_weights": "facetl.mtcnn.weights",
    "prepare_patches": "facetl.training.preparation",
    "save_annotations": "facetl.data.formats.course",
    "save_image": "facetl.data.images",
    "save_run": "facetl.results.json_file",
    "save_weights": "facetl.mtcnn.weights",
    "train": "facetl.training.loop",
}

__all__ = [
    "Bands",
    "CartoonFrame",
    "CascadePlan",
    "Detections",
    "Detector",
    "Evaluation",
    "Face",
    "FaceDataset",
    "FacetlError",
    "Frame",
    "FrameResult",
    "Label",
    "Patches",
    "Recipe",
    "Recogniser",
    "Run",
    "Settings",
    "Training",
    "TrainingSettings",
    "Transfer",
    "Weights",
    "Workshop",
    "draw_frame",
    "evaluate",
    "load_annotations",
    "load_dataset",
    "load_image",
    "load_patches",
    "load_run",
    "load_weights",
    "prepare_patches",
    "save_annotations",
    "save_image",
    "save_run",
    "save_weights",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'facetl' has no attribute {name!r}")
    try:
        return getattr(import_module(_HOMES[name]), name)
    except ModuleNotFoundError as error:
        if complaint := describe_missing_library(error, f"facetl.{name}"):
            raise ImportError(complaint, name=error.name) from error
        raise
    except AttributeError as error:  # which "from facetl import" would hide
        home = _HOMES[name]
        raise ImportError(f"{home} cannot be imported ({error})", name=home) from error


def __dir__() -> list[str]:
    return __all__

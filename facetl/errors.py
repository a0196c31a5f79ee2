"""The errors that facetl raises, as a tree.

::

    FacetlError                 anything the user can fix; the command line prints its one line
    ├── InputError              a given file or value is not what it should be
    │   ├── UsageError          options or settings that do not go together
    │   ├── AnnotationError     a line or a box of an annotation file
    │   ├── ImageError          an image that cannot be read
    │   ├── VideoError          a video that cannot be read
    │   ├── PatchesError        a patch file
    │   ├── WeightsError        a weights file
    │   ├── DetectionsError     a detections file
    │   └── ManifestError       a manifest of what was written
    ├── OutputError             a place that cannot or must not be written to
    │   └── NameTooLongError    one whose name is longer than the file system allows
    └── NonFiniteLossError      a training loss that became infinite or not a number

Every message is one line that says what was found, where, and what to do.  Programming errors
(an array of the wrong shape) are plain ``ValueError`` or ``TypeError``.
"""

import re

_OF_WINDOWS = ("libGL", "libgthread", "libglib", "libSM", "libX", "libICE", "libxcb")
"""How the names of the libraries begin that OpenCV loads for its windows."""

TRAINING = ("torch", "cv2", "facenet_pytorch", "scipy")
"""Modules that training imports."""
_EXTRAS: dict[str, set[str]] = {
    "train": {*TRAINING, "torchvision"},
    "ray": {"pyarrow", "ray"},
}
"""Modules that are installed with facetl only if it is asked for, as pyproject.toml has it."""


_shown_as: dict[str, str] = {}


def show_place_as(place: str, shown: str) -> None:
    """Let messages name a temporary folder, and what is in it, by what it was made from."""
    _shown_as[place] = shown


def _with_places_shown(message: str) -> str:
    for place, shown in _shown_as.items():
        message = message.replace(place, shown)
    return message


def printable(message: str) -> str:
    """Return a message in one line: file names may contain line breaks and control sequences."""
    message = _with_places_shown(message)
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in message)


def how_to_install(library: str) -> str:
    """Return what to give to pip for a module that not everybody has installed."""
    package = library.partition(".")[0]
    extras = (f"'facetl[{extra}]'" for extra, has in _EXTRAS.items() if package in has)
    return f"pip install {next(extras, package)}"


def say_not_installed(library: str, what: str, install: str | None = None) -> str:
    """Return in one line that something needs a library, and how to get it."""
    way_out = f"pip install {install}" if install else how_to_install(library)
    return f"{what} needs {library}, which is not installed; {way_out}"


def describe_missing_library(error: ImportError, what: str = "this") -> str | None:
    """Return in one line how to get a library that is missing; None for other errors.

    Args:
        error: what was raised where the library was imported.
        what: needs it.
    """
    package = (error.name or "").partition(".")[0]
    if isinstance(error, ModuleNotFoundError) and package in set().union(*_EXTRAS.values()):
        return say_not_installed(package, what)
    # slim containers lack what OpenCV shows windows with, which facetl never does
    if not (found := re.search(r"(lib\S+): cannot open shared object file", str(error))):
        return None
    if found[1].startswith(_OF_WINDOWS):
        return (
            f"{found[1]} is missing, which OpenCV needs; install it (Debian, Ubuntu: apt-get "
            "install libgl1 libglib2.0-0), or OpenCV without it: pip install opencv-python-headless"
        )
    return f"{found[1]} is missing, which a library needs; install the system package that has it"


class FacetlError(Exception):
    """Anything that went wrong and that the user can fix."""

    def __str__(self) -> str:
        return _with_places_shown(super().__str__())


class InputError(FacetlError):
    """A given file or value is not what it should be."""


class UsageError(InputError):
    """Options or settings do not go together; the command line exits with code 2."""


class AnnotationError(InputError):
    """A line or a box of an annotation file is wrong."""


class ImageError(InputError):
    """An image cannot be read."""


class VideoError(InputError):
    """A video cannot be read."""


class PatchesError(InputError):
    """A patch file is damaged, of another kind or of another version."""


class WeightsError(InputError):
    """A weights file is damaged, of another kind, or does not fit the networks."""


class DetectionsError(InputError):
    """A detections file is damaged, of another kind or of another version."""


class ManifestError(InputError):
    """A manifest is damaged, of another kind or of another version."""


class OutputError(FacetlError):
    """A place cannot be written to, or contains something that must not be overwritten."""


class DamagedSoundError(OutputError):
    """A copy of a video cannot be written, as its sound or subtitles are damaged."""


class NameTooLongError(OutputError):
    """A place cannot be written to, because its name is longer than the file system allows."""


class NonFiniteLossError(FacetlError):
    """A training loss became infinite or not a number."""

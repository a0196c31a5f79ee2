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


def printable(message: str) -> str:
    """Return a message in one line: file names may contain line breaks and control sequences."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in message)


class FacetlError(Exception):
    """Anything that went wrong and that the user can fix."""


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


class NameTooLongError(OutputError):
    """A place cannot be written to, because its name is longer than the file system allows."""


class NonFiniteLossError(FacetlError):
    """A training loss became infinite or not a number."""

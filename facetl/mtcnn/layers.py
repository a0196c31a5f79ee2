"""The layers of the three networks, as tables: what a file of weights must hold.

:mod:`facetl.mtcnn.networks` has the same layers as torch's modules, and says where they come from.
"""

from __future__ import annotations

from typing import NamedTuple

from facetl.mtcnn.stages import Stage


class Layer(NamedTuple):
    """A convolution or a dense layer; all but the output layers are followed by a PReLU.

    Attributes:
        name: such as ``conv1``; that of an output layer has an underscore.
        inputs: channels, or numbers, that it takes.
        outputs: channels, or numbers, that it gives.
        kernel: side of a convolution's kernel in pixels; 0: the layer is dense.
        pool: side in pixels of the max pooling behind it, with stride 2, the last window reaching
            over the edge; 0: there is none.
    """

    name: str
    inputs: int
    outputs: int
    kernel: int = 0
    pool: int = 0

    @property
    def is_output(self) -> bool:
        """Whether it gives what the network says: scores, offsets or landmarks."""
        return "_" in self.name

    @property
    def prelu(self) -> str:
        """The name of the PReLU behind it."""
        return f"prelu{self.name[-1]}"

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shapes of its parameters by their names, in the order of a state dict."""
        kernel = (self.kernel,) * 2 if self.kernel else ()
        found: dict[str, tuple[int, ...]] = {
            f"{self.name}.weight": (self.outputs, self.inputs, *kernel),
            f"{self.name}.bias": (self.outputs,),
        }
        if not self.is_output:
            found[f"{self.prelu}.weight"] = (self.outputs,)
        return found


LAYERS: dict[Stage, tuple[Layer, ...]] = {
    "pnet": (
        Layer("conv1", 3, 10, kernel=3, pool=2),
        Layer("conv2", 10, 16, kernel=3),
        Layer("conv3", 16, 32, kernel=3),
        Layer("conv4_1", 32, 2, kernel=1),
        Layer("conv4_2", 32, 4, kernel=1),
    ),
    "rnet": (
        Layer("conv1", 3, 28, kernel=3, pool=3),
        Layer("conv2", 28, 48, kernel=3, pool=3),
        Layer("conv3", 48, 64, kernel=2),
        Layer("dense4", 576, 128),
        Layer("dense5_1", 128, 2),
        Layer("dense5_2", 128, 4),
    ),
    "onet": (
        Layer("conv1", 3, 32, kernel=3, pool=3),
        Layer("conv2", 32, 64, kernel=3, pool=3),
        Layer("conv3", 64, 64, kernel=3, pool=2),
        Layer("conv4", 64, 128, kernel=2),
        Layer("dense5", 1152, 256),
        Layer("dense6_1", 256, 2),
        Layer("dense6_2", 256, 4),
        Layer("dense6_3", 256, 10),
    ),
}
"""In the order in which they are computed; a dense layer sees a map column by column, then row by
row, then by channel."""

ONET_FEATURES = 256
"""Numbers that ONet's hidden dense layer gives for a window."""


def output_count(stage: Stage) -> int:
    """Return how many numbers a network gives for a window: score, offsets and landmarks."""
    return sum(layer.outputs for layer in LAYERS[stage] if layer.is_output) - 1


def parameter_shapes(stage: Stage) -> dict[str, tuple[int, ...]]:
    """Return the shapes of a network's parameters by their names, in the order of a state dict."""
    return {name: shape for layer in LAYERS[stage] for name, shape in layer.shapes().items()}

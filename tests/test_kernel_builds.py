"""Builds of the kernels on processors that this machine does not have, as qemu emulates them."""

import platform
import subprocess
from pathlib import Path
from shutil import which

import pytest
from engines import needs_kernels

from facetl.mtcnn import native

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent


def run(*command: str | Path) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def needs(*programs: str) -> pytest.MarkDecorator:
    missing = [name for name in programs if not which(name)]
    return pytest.mark.skipif(bool(missing), reason=f"{', '.join(missing)} missing")


@needs_kernels
@needs("g++", "qemu-x86_64")
@pytest.mark.skipif(platform.machine() != "x86_64", reason="the builds are for another processor")
@pytest.mark.parametrize(("processor", "able"), [("Nehalem", set()), ("Haswell", {"avx2"})])
def test_a_build_says_whether_it_runs_before_it_uses_what_it_needs(
    processor: str, able: set[str], tmp_path: Path
) -> None:
    """A build that used AVX while it is loaded would end the process."""
    paths = sorted(Path(native.__file__).parent.glob("_*.so"))
    run("g++", HERE / "kernel_probe.cpp", "-o", tmp_path / "probe", "-ldl")
    said = run("qemu-x86_64", "-cpu", processor, tmp_path / "probe", *paths).split()
    names = [path.name.split(".")[0].lstrip("_") for path in paths]
    assert {name for name, runs in zip(names, said, strict=True) if runs == "1"} == able

"""Builds the kernels of facetl.mtcnn.native, for each set of instructions that they know.

Everything else about the package is in pyproject.toml.  The kernels are plain C libraries, which
ctypes loads: they use no symbol of Python, so that one wheel serves all its versions.  Without a
compiler, or for another processor, they are left out, and ``build.log`` beside them says why: then
onnxruntime or torch does the work.
"""

from __future__ import annotations

import os
import platform
import re
import shlex
import shutil
import subprocess
import sysconfig
from pathlib import Path
from subprocess import SubprocessError

from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext
from setuptools.errors import BaseError, CCompilerError

HOME = Path("facetl/mtcnn/native")
LOG = "build.log"

AVX512 = ["-mavx512f", "-mavx512dq", "-mavx512bw", "-mavx512vl", "-mfma"]
X86 = {
    "avx2": ["-mavx2", "-mfma"],
    "avx512": AVX512,
    "bfloat16": [*AVX512, "-mavx512bf16"],
}
ARM: dict[str, list[str]] = {"neon": []}
BUILDS = {"x86_64": X86, "amd64": X86, "aarch64": ARM, "arm64": ARM}
"""Flags of each build, by the processor's name in lower case."""


class BuildKernels(build_ext):
    """Builds what can be built, and writes down why the rest cannot."""

    def get_ext_filename(self, fullname: str) -> str:
        """Return ``facetl/mtcnn/native/_avx2.so``, without the version of Python."""
        return str(Path(*fullname.split(".")).with_suffix(".so"))

    def build_extensions(self) -> None:
        """Build each; a failure is no error, but a line in the log."""
        failed: list[str] = []
        if self.compiler.compiler_type == "msvc":
            failed.append("Microsoft's compiler does not know the vectors that they are written in")
        else:
            failed += filter(None, map(self._try_to_build, self.extensions))
        if not self.extensions:
            failed.append(f"there are none for this processor ({platform.machine()})")
        self._write_log(failed)

    def _try_to_build(self, extension: Extension) -> str:
        """Return what went wrong; nothing if it was built."""
        try:
            self.build_extension(extension)
        except (BaseError, CCompilerError, OSError, SubprocessError) as error:
            name = extension.name.rpartition("._")[2]
            return f"{name}: {_why_not_compiled(extension) or error}"
        return ""

    def copy_extensions_to_source(self) -> None:
        """Put what was built beside the sources, where it is installed in place."""
        super().copy_extensions_to_source()
        for old in [HOME / LOG, *HOME.glob("_*.cpython-*")]:  # older ones named a version of Python
            old.unlink(missing_ok=True)
        if (log := Path(self.build_lib) / HOME / LOG).exists():
            shutil.copy(log, HOME / LOG)

    def _write_log(self, failed: list[str]) -> None:
        log = Path(self.build_lib) / HOME / LOG
        log.unlink(missing_ok=True)
        if failed:
            log.parent.mkdir(parents=True, exist_ok=True)
            log.write_text("".join(f"{line}\n" for line in failed), encoding="utf-8")
        for line in failed:
            print(f"facetl: kernels left out: {line}")


class OneWheel(bdist_wheel):
    """A wheel for all versions of Python on one kind of machine."""

    def get_tag(self) -> tuple[str, str, str]:
        """Return the tags of Python, its binary interface and the machine."""
        return "py3", "none", super().get_tag()[2]


def _why_not_compiled(extension: Extension) -> str:
    """Return the first thing that the compiler complains of; nothing if it does not."""
    compiler = shlex.split(os.environ.get("CXX") or sysconfig.get_config_var("CXX") or "c++")
    check = [*compiler, *extension.extra_compile_args, "-fsyntax-only", *extension.sources]
    try:
        done = subprocess.run(check, capture_output=True, text=True)
    except OSError as error:
        return f"{compiler[0]} cannot be run ({error.strerror})"
    complaints = done.stderr.splitlines() if done.returncode else []
    return next((line for line in complaints if "error" in line), "\n".join(complaints[:1]))


def _describe() -> str:
    """Return the README as a package index shows it: without links to files of the repository."""
    text = Path("README.md").read_text(encoding="utf-8")
    text = re.sub(r"!\[[^\]]*\]\((?!https?:)[^)]*\)\n*", "", text)
    return re.sub(r"\[([^\]]*)\]\((?!https?:)[^)]*\)", r"\1", text)


setup(
    long_description=_describe(),
    long_description_content_type="text/markdown",
    cmdclass={"build_ext": BuildKernels, "bdist_wheel": OneWheel},
    ext_modules=[
        Extension(
            f"facetl.mtcnn.native._{name}",
            [str(HOME / "kernels.cpp")],
            extra_compile_args=["-O3", "-g0", "-std=c++17", "-pthread", *flags],
            extra_link_args=["-pthread"],
            language="c++",
            optional=True,
        )
        for name, flags in BUILDS.get(platform.machine().lower(), {}).items()
    ],
)

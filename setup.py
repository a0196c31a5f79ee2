"""Builds the kernels of facetl.mtcnn.native, for each set of instructions that they know.

Everything else about the package is in pyproject.toml.  ``optional`` leaves a build out where it
fails: without a compiler, or for another processor, onnxruntime does the work.
"""

import platform

from setuptools import Extension, setup

AVX512 = ["-mavx512f", "-mavx512dq", "-mavx512bw", "-mavx512vl", "-mfma"]
X86 = {
    "avx2": ["-mavx2", "-mfma"],
    "avx512": AVX512,
    "bfloat16": [*AVX512, "-mavx512bf16"],
}
INSTRUCTIONS = {"neon": []} if platform.machine() in ("aarch64", "arm64") else X86

setup(
    ext_modules=[
        Extension(
            f"facetl.mtcnn.native._{name}",
            ["facetl/mtcnn/native/kernels.cpp"],
            extra_compile_args=["-O3", "-g0", "-std=c++17", "-pthread", *flags],
            extra_link_args=["-pthread"],
            language="c++",
            optional=True,
        )
        for name, flags in INSTRUCTIONS.items()
    ]
)

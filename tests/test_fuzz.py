"""Broken files of every kind: whatever they hold, no error but those of facetl's own family.

A hundred cases a reader by default; ``FACETL_FUZZ=10000`` sets how many each gets.
"""

from __future__ import annotations

import os
import resource
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hostile.mutations import Mutation, mutate, mutations
from hostile.readers import READERS, Reader
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from facetl.data.images import as_image
from facetl.errors import FacetlError, ImageError

LONG = int(os.environ.get("FACETL_FUZZ", "0"))
CASES = LONG or 100
ROOM = 3 * 2**30
"""Bytes that a reader of small files may ask for beyond what the process has."""

pytestmark = pytest.mark.slow
fuzzing = settings(
    max_examples=CASES,
    database=None,
    derandomize=not LONG,
    phases=[Phase.explicit, Phase.generate] if LONG else tuple(Phase),
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(autouse=True)
def _little_memory() -> Iterator[None]:
    """Let nothing take gigabytes, where the system can see to it."""
    statm = Path("/proc/self/statm")
    if not statm.exists():
        yield
        return
    used = int(statm.read_text().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + ROOM, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
def test_whole_files_are_read(reader: Reader, tmp_path: Path) -> None:
    for path in reader.build(tmp_path):
        reader.read(path)


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
def test_broken_files_give_errors_of_the_family_alone(reader: Reader, tmp_path: Path) -> None:
    paths = reader.build(tmp_path)
    whole = {path: path.read_bytes() for path in paths}
    cases: Counter[str] = Counter()

    @fuzzing
    @given(path=st.sampled_from(paths), ways=mutations)
    def check(path: Path, ways: list[Mutation]) -> None:
        cases[path.name] += 1
        path.write_bytes(mutate(whole[path], ways))
        with suppress(FacetlError):
            reader.read(path)
        path.write_bytes(whole[path])

    check()
    assert cases.total() >= CASES, cases


@fuzzing
@given(
    arrays.arrays(
        st.one_of(arrays.scalar_dtypes(), arrays.unicode_string_dtypes()),
        arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5),
    )
)
def test_any_array_is_an_image_or_an_image_error(array: np.ndarray) -> None:
    try:
        pixels = as_image(array)
    except ImageError:
        return
    assert pixels.dtype == np.uint8
    assert pixels.shape[2] == 3

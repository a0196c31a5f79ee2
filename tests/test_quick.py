"""What ``make quick`` runs: tests that start no process and don't depend on the clock."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest
from conftest import is_slow
from hypothesis import HealthCheck, settings

HERE = Path(__file__).parent


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("test_fleet", True),  # Ray
        ("test_report", True),  # a browser
        ("test_killings", True),  # processes
        ("test_train", True),  # whole commands
        ("test_fuzz", True),  # takes long, and says so
        ("test_boxes", False),
        ("test_quick", False),
    ],
)
def test_slow_files_are_known_by_what_they_import(name: str, expected: bool) -> None:
    assert is_slow(HERE / f"{name}.py") == expected


def test_a_quick_test_that_starts_a_process_fails() -> None:
    with pytest.raises(pytest.fail.Exception, match="mark it as slow"):
        multiprocessing.Process(target=print).start()


def test_no_property_has_to_be_shown_in_time() -> None:
    assert settings().deadline is None
    assert HealthCheck.too_slow in settings().suppress_health_check

"""Blocks handed to machines by Ray Data: a local Ray of one's own, or a cluster that runs already.

Every worker is a process with one core and the detectors in its memory.  What it is given is a
block's description, what it gives back are counts: pictures are read, and shards written, by the
worker itself, from and to storage that all machines see.  A worker that dies is replaced, and its
block begun again; shards are put in place whole, so that each picture has one row in the end.

A local Ray listens on this machine alone, asks for a random token, reports nothing to
anybody, and keeps its files in a folder of its own that goes when it ends.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import socket
import sys
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

from facetl.cores import usable_cores
from facetl.data.interop import import_library
from facetl.errors import FacetlError, InputError
from facetl.interruptions import keeping_handlers
from facetl.search.block_search import Block, BlockSearch, Outcome
from facetl.version import VERSION

_STORE = 100_000_000
"""Bytes of shared memory for what workers are given: the detectors, mostly."""
_QUEUED = 2
"""Blocks that a worker has or waits for, so that it never waits itself."""
_PATIENCE = 10.0
"""Seconds that a cluster has to answer."""
_MOST_TASKS = 10_000
"""Tasks that Ray keeps account of; with more blocks a task has several."""


class Fleet(NamedTuple):
    """Where blocks are searched.

    Attributes:
        address: of a running cluster, like ``10.0.0.1:6379`` or ``auto``; None starts a local Ray.
        workers: processes, one core each; None takes all cores that there are.
    """

    address: str | None = None
    workers: int | None = None


def search_blocks(search: BlockSearch, blocks: Sequence[Block], fleet: Fleet) -> Iterator[Outcome]:
    """Yield what becomes of each block, as they come.

    Args:
        search: what is done with a block; its places must mean the same on all machines.
        blocks: those to be searched.
        fleet: where.

    Raises:
        InputError: if Ray is not installed, or there is no cluster at the address.
        FacetlError: if a block cannot be searched or written.
    """
    require_ray(fleet.address)
    with _connected(fleet), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Ray's own making
        import ray
        from ray.data import ActorPoolStrategy, from_items

        workers = min(fleet.workers or int(ray.cluster_resources().get("CPU", 1)), len(blocks))
        uses_gpu = any(run.detector.device == "cuda" for run in search.runs)
        rows = [{"block": block.to_text()} for block in blocks]
        told = from_items(rows, override_num_blocks=min(len(rows), _MOST_TASKS)).map(
            _Worker,
            fn_constructor_args=(VERSION, [ray.put(search)]),
            compute=ActorPoolStrategy(size=workers, max_tasks_in_flight_per_actor=_QUEUED),
            num_cpus=1,
            num_gpus=1 if uses_gpu else None,
        )
        try:
            for row in told.iter_rows():
                yield _outcome(json.loads(row["told"]))
        except ray.exceptions.RayError as error:
            raise FacetlError(
                f"Ray gave up ({_first_line(error)}); resume with the same command and --resume"
            ) from error


class _Worker:
    """Searches blocks in a process of Ray's.

    Args:
        version: that of the facetl that sends the blocks.
        shared: a reference to the :class:`BlockSearch`, in a list lest Ray reads it too early.
    """

    def __init__(self, version: str, shared: Sequence[Any]) -> None:
        import ray

        self._refusal = "" if version == VERSION else _tell_versions(version)
        self._search: BlockSearch | None = None if self._refusal else ray.get(shared[0])

    def __call__(self, row: dict[str, Any]) -> dict[str, str]:
        """Search a block; return what became of it, or the error, as JSON."""
        if self._search is None:
            return {"told": json.dumps({"error": self._refusal})}
        try:
            outcome = self._search.search(Block.from_text(str(row["block"])))
        except FacetlError as error:
            return {"told": json.dumps({"error": str(error)})}
        return {"told": json.dumps(outcome._asdict())}


def require_ray(address: str | None = None) -> None:
    """Raise before the work if Ray is not installed.

    Ray reads its environment when it is loaded for the first time.

    Args:
        address: of a running cluster; None if a local Ray is to be started, with a token
            of its own.

    Raises:
        InputError: naming Ray and how to get it.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    if address:
        os.environ.setdefault("RAY_NUM_REDIS_GET_RETRIES", "1")  # each takes a minute
    elif "ray" not in sys.modules:
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # else it listens to the world
        os.environ["RAY_AUTH_MODE"] = "token"
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import_library("ray.data", "--engine ray")


@contextmanager
def _connected(fleet: Fleet) -> Iterator[None]:
    """Start a local Ray or join a cluster, for as long as the block lasts."""
    import ray

    with (
        tempfile.TemporaryDirectory(prefix="facetl-", ignore_cleanup_errors=True) as place,
        redirect_stdout(sys.stderr),  # where Ray says that a worker died
    ):
        try:
            with _silent(), keeping_handlers():  # Ray takes signals
                if fleet.address:
                    _knock(fleet.address)
                    ray.init(fleet.address, log_to_driver=False, configure_logging=False)
                else:
                    _start_local(Path(place), fleet.workers or usable_cores())
        except (OSError, RuntimeError, ValueError) as error:
            raise InputError(_tell_absent(fleet.address, error)) from error
        try:
            yield
        finally:
            ray.shutdown()


def _knock(address: str) -> None:
    """Raise soon if nothing listens at an address: Ray would try for many minutes."""
    host, _, port = address.rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), _PATIENCE).close()


def _start_local(place: Path, cores: int) -> None:
    import ray

    ray.init(
        num_cpus=cores,
        include_dashboard=False,
        log_to_driver=False,
        configure_logging=False,
        object_store_memory=_STORE,
        _temp_dir=str(place / "ray"),  # which Ray opens to everybody; not so the place
    )


@contextmanager
def _silent() -> Iterator[None]:
    """Keep what Ray says as it starts off stderr, and its reports of progress after that.

    Its notes of dead workers stay.
    """
    from ray.data import DataContext

    DataContext.get_current().enable_progress_bars = False
    for name in ("ray", "ray.data"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    sys.stderr.flush()
    kept = os.dup(2)
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def _outcome(told: dict[str, Any]) -> Outcome:
    if "error" in told:
        raise FacetlError(told["error"])
    return Outcome(**told)


def _tell_absent(address: str | None, error: Exception) -> str:
    if not address:
        return f"no Ray could be started here ({_first_line(error)}); leave out --engine ray"
    return (
        f"found no Ray at {address} ({_first_line(error)}); check address and RAY_AUTH_TOKEN, or "
        "start one with ray start --head"
    )


def _tell_versions(version: str) -> str:
    return (
        f"found facetl {VERSION} on a machine of the cluster, expected {version}; "
        "install the same version everywhere"
    )


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), "no reason")

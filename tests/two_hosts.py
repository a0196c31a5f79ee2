"""Two hosts on one machine, as network namespaces, with a Ray cluster over both: for root.

What crosses from one to the other goes through a (virtual) cable; each can be killed as a whole.
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

PORT = 6379


@dataclass(frozen=True)
class Host:
    """A network namespace with an address of its own."""

    name: str
    ip: str

    def command(self, *words: object) -> list[str]:
        """Return a command that runs on this host."""
        return ["ip", "netns", "exec", self.name, *map(str, words)]

    def kill(self) -> None:
        """Kill all processes of this host at once."""
        listed = run("ip", "netns", "pids", self.name)
        for pid in listed.split():
            with suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)


@dataclass(frozen=True)
class Hosts:
    """A head and a second host of a cluster, one core each, and how to speak to them."""

    head: Host
    other: Host
    environment: Mapping[str, str]

    @property
    def address(self) -> str:
        return f"{self.head.ip}:{PORT}"


def run(*words: object, environment: Mapping[str, str] | None = None) -> str:
    return subprocess.run(
        list(map(str, words)), check=True, stdout=subprocess.PIPE, text=True, env=environment
    ).stdout


@contextmanager
def two_hosts(ray: Path) -> Iterator[Hosts]:
    """Start a cluster of two hosts; end it after the block.

    Args:
        ray: the program of this name.
    """
    mark = secrets.token_hex(2)
    head, other = Host(f"head{mark}", "10.98.76.1"), Host(f"other{mark}", "10.98.76.2")
    secret = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(16)}
    own = {name: each for name, each in os.environ.items() if not name.startswith("RAY_")}
    hosts = Hosts(head, other, {**own, **secret, "RAY_USAGE_STATS_ENABLED": "0"})
    usual = ("--num-cpus=1", "--object-store-memory=100000000", "--disable-usage-stats")
    with tempfile.TemporaryDirectory(prefix="f", ignore_cleanup_errors=True) as place:
        try:
            _lay_cable(head, other)
            where = (f"--node-ip-address={head.ip}", f"--port={PORT}", f"--temp-dir={place}")
            start = head.command(ray, "start", "--head", "--include-dashboard=false", *where)
            run(*start, *usual, environment=hosts.environment)
            join = (f"--node-ip-address={other.ip}", f"--address={hosts.address}")
            run(*other.command(ray, "start", *join, *usual), environment=hosts.environment)
            yield hosts
        finally:
            for host in (head, other):
                with suppress(subprocess.CalledProcessError):
                    host.kill()
                    run("ip", "netns", "del", host.name)


def _lay_cable(one: Host, two: Host) -> None:
    for host in (one, two):
        run("ip", "netns", "add", host.name)
    run("ip", "link", "add", one.name, "type", "veth", "peer", "name", two.name)
    for host in (one, two):
        run("ip", "link", "set", host.name, "netns", host.name)
        run("ip", "-n", host.name, "addr", "add", f"{host.ip}/24", "dev", host.name)
        for device in ("lo", host.name):
            run("ip", "-n", host.name, "link", "set", device, "up")

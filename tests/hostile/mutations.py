"""Ways to break a file: bits flipped, cut short, spliced, and values put where none belong."""

from __future__ import annotations

import re
from collections.abc import Callable

from hypothesis import strategies as st

Mutation = Callable[[bytes], bytes]

_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[-+]?[\w.]+')
_PLACE = st.integers(0, 2**32 - 1)
_HEAD = 256

BYTES = (
    *(b"\x00", b"\xff" * 4, b"\xff" * 8, b"\x7f\xff\xff\xff", b"\x80\x00\x00\x00", b"\x00" * 64),
    *(
        b"\n",
        b"\r",
        b"\xef\xbb\xbf",
        b"\xed\xa0\x80",
        b"\xc3\x28",
        b"\xe2\x80\xa8",
        b"%s%n",
        b"../",
    ),
)
TOKENS = (
    *(b"null", b"true", b"[]", b"{}", b"[[]]", b'""', b"-1", b"0", b"-0.0", b"NaN", b"-Infinity"),
    *(b"1e999", b"-1e308", b"1e308", b"1e39", b"99999999999999999999", b"9" * 5000, b"0.5", b"2"),
    *(b'"\\ud800"', b'"\\u0000"', b'"../../x.png"', b'"/etc/passwd"', b"x" * 300, b'"a\\nb"'),
    *(b"[" * 100_000, b'{"a":' * 50_000, b"&a [*a, *a]", b"!!python/name:os.system", b"1979-05-27"),
    *(b"3", b"4.7", b"1_0", "٣".encode(), b"inf", b"0x10", b"[1, 2]", b'{"a": 1}', b"<a>"),
)
"""What JSON, TOML, YAML, XML and plain text may hold and readers may not expect."""


def _flip(place: int, bit: int) -> Mutation:
    def mutate(data: bytes) -> bytes:
        at = place % max(len(data), 1)
        return data[:at] + bytes(byte ^ (1 << bit) for byte in data[at : at + 1]) + data[at + 1 :]

    return mutate


def _cut(place: int) -> Mutation:
    return lambda data: data[: place % (len(data) + 1)]


def _drop(place: int, length: int) -> Mutation:
    def mutate(data: bytes) -> bytes:
        at = place % (len(data) + 1)
        return data[:at] + data[at + length :]

    return mutate


def _insert(place: int, what: bytes) -> Mutation:
    def mutate(data: bytes) -> bytes:
        at = place % (len(data) + 1)
        return data[:at] + what + data[at:]

    return mutate


def _overwrite(place: int, what: bytes) -> Mutation:
    def mutate(data: bytes) -> bytes:
        at = place % (len(data) + 1)
        return data[:at] + what + data[at + len(what) :]

    return mutate


def _splice(place: int, other: int, length: int) -> Mutation:
    def mutate(data: bytes) -> bytes:
        at, start = place % (len(data) + 1), other % (len(data) + 1)
        return data[:at] + data[start : start + length] + data[at:]

    return mutate


def _exchange(number: int, what: bytes) -> Mutation:
    """Put another value in the place of a word, a number or a quoted text."""

    def mutate(data: bytes) -> bytes:
        tokens = list(_TOKEN.finditer(data[:20_000]))
        if not tokens:
            return what
        token = tokens[number % len(tokens)]
        return data[: token.start()] + what + data[token.end() :]

    return mutate


_PLACES = st.one_of(_PLACE, st.integers(0, _HEAD))
_SOMETHING = st.one_of(st.sampled_from(BYTES), st.binary(min_size=1, max_size=8))
_LENGTH = st.integers(1, 64)

mutations: st.SearchStrategy[list[Mutation]] = st.lists(
    st.one_of(
        st.builds(_flip, _PLACES, st.integers(0, 7)),
        st.builds(_cut, _PLACES),
        st.builds(_drop, _PLACES, _LENGTH),
        st.builds(_insert, _PLACES, _SOMETHING),
        st.builds(_overwrite, _PLACES, _SOMETHING),
        st.builds(_splice, _PLACES, _PLACES, _LENGTH),
        st.builds(_exchange, _PLACE, st.sampled_from(TOKENS)),
        st.builds(_exchange, _PLACE, st.sampled_from(TOKENS)),
    ),
    min_size=1,
    max_size=4,
)
"""One to four ways to break a file, one after the other."""


def mutate(data: bytes, ways: list[Mutation]) -> bytes:
    """Return the data broken in all ways."""
    for way in ways:
        data = way(data)
    return data

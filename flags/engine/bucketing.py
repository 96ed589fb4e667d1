"""Bucketing r1: where an account falls, for ever and in every language the same.

h(salt, key) = xxh3_64(key as UTF-8, seed = the first 8 bytes of sha256(salt), big-endian); a lone
surrogate is encoded as its three bytes. `tests/cases/bucketing.json` pins it.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from math import log
from typing import TypeVar

from xxhash import xxh3_64_intdigest

PPM = 1_000_000
_UNIT = 2.0**-53

T = TypeVar("T")


def encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def seed_of(salt: str) -> int:
    return int.from_bytes(sha256(encoded(salt)).digest()[:8], "big")


def variant_seed(salt: str, variant: str) -> int:
    return seed_of(f"{salt}\0{variant}")


def bucket(seed: int, key: str) -> int:
    """A whole number below 1,000,000."""
    return xxh3_64_intdigest(key.encode("utf-8", "surrogatepass"), seed) * PPM >> 64


def draw(key: str, choices: Sequence[tuple[int, float, T]]) -> T:
    """The choice with the least -ln(u)/weight; `choices` are (seed, weight, what), by variant key.

    Each variant has its own u for the account, so a change of one moves nobody between the others.
    """
    data = key.encode("utf-8", "surrogatepass")
    best = None
    for seed, weight, what in choices:
        score = log(((xxh3_64_intdigest(data, seed) >> 11) + 0.5) * _UNIT) / weight
        if best is None or score > best:
            best = score
            drawn = what
    return drawn


def ramped(points: Sequence[tuple[int, int]], now: int) -> int:
    """The ppm of a ramp: linear between its points, 0 before the first, constant after the last."""
    reached = 0
    before = points[0]
    for point in points:
        if now < point[0]:
            if point is before:
                return 0
            (start, low), (end, high) = before, point
            return low + (high - low) * (now - start) // (end - start)
        before, reached = point, point[1]
    return reached


def next_ramp_step(points: Sequence[tuple[int, int]], now: int) -> int | None:
    """The first moment after `now` at which the ramp's ppm is another; None when it is at its end."""
    current = ramped(points, now)
    before = points[0]
    for point in points:
        if now < point[0] and point[1] > current:
            if point is before:
                return point[0]
            (start, low), (end, high) = before, point
            return start + max(0, -(-(current + 1 - low) * (end - start) // (high - low)))
        before = point
    return None

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

T = TypeVar("T")


def encoded(text: str) -> bytes:
    """UTF-8; a lone surrogate keeps its own bytes."""
    try:
        return text.encode()
    except UnicodeEncodeError:  # naming its handler would cost every other text as much again
        return text.encode("utf-8", "surrogatepass")


def seed_of(salt: str) -> int:
    """The first 64 bits of the salt's SHA-256."""
    return int.from_bytes(sha256(encoded(salt)).digest()[:8], "big")


def variant_seed(salt: str, variant: str) -> int:
    """The seed of one variant in a split."""
    return seed_of(f"{salt}\0{variant}")


def bucket(seed: int, key: str) -> int:
    """A whole number below 1,000,000."""
    return xxh3_64_intdigest(encoded(key), seed) * PPM >> 64


def draw(key: str, choices: Sequence[tuple[int, float, T]]) -> T:
    """The choice with the least -ln(u)/weight; `choices` are (seed, weight, what), by variant key.

    Each variant has its own u for the account, so a change of one moves nobody between the others.
    """
    data = encoded(key)
    each = iter(choices)
    seed, best_weight, drawn = next(each)
    best = xxh3_64_intdigest(data, seed)
    for seed, weight, what in each:
        hashed = xxh3_64_intdigest(data, seed)
        # The first byte alone decides most pairs, at half the cost of two logarithms.
        if _LEAST[best >> 56] * weight > _MOST[hashed >> 56] * best_weight:
            continue
        if (
            _LEAST[hashed >> 56] * best_weight > _MOST[best >> 56] * weight
            or _ln(hashed) / weight > _ln(best) / best_weight
        ):
            best, best_weight, drawn = hashed, weight, what
    return drawn


def _ln(hashed: int) -> float:
    return log(((hashed >> 11) + 0.5) * 2.0**-53)


# What ln(u) is at least and at most for each first byte of a hash, with room for rounding.
_LEAST = tuple(_ln(byte << 56) * (1 + 1e-12) for byte in range(256))
_MOST = tuple(_ln((byte << 56) + (1 << 56) - 1) * (1 - 1e-12) for byte in range(256))


def ramped(points: Sequence[tuple[int, int]], now_ms: int) -> int:
    """The ppm of a ramp: linear between its points, 0 before the first, constant after the last."""
    reached = 0
    before = points[0]
    for point in points:
        if now_ms < point[0]:
            if point is before:
                return 0
            (start, low), (end, high) = before, point
            return low + (high - low) * (now_ms - start) // (end - start)
        before, reached = point, point[1]
    return reached


def next_ramp_step(points: Sequence[tuple[int, int]], now_ms: int) -> int | None:
    """The first moment after `now_ms` with another ppm; None where the ramp is at its end."""
    current = ramped(points, now_ms)
    before = points[0]
    for point in points:
        if now_ms < point[0] and point[1] > current:
            if point is before:
                return point[0]
            (start, low), (end, high) = before, point
            return start + max(0, -(-(current + 1 - low) * (end - start) // (high - low)))
        before = point
    return None

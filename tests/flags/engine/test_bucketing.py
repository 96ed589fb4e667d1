"""Bucketing r1, pinned."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flags.engine.bucketing import bucket, draw, next_ramp_step, ramped, seed_of, variant_seed
from tests.conftest import ROOT

VECTORS = json.loads((ROOT / "tests/cases/bucketing.json").read_text())
RAMP = [(1_000, 0), (2_000, 100), (3_000, 100), (4_000, 1_000_000)]


@pytest.mark.parametrize("vector", VECTORS["hashes"])
def test_bucket__pinned_vector__is_as_pinned(vector: dict[str, Any]) -> None:
    assert str(seed_of(vector["salt"])) == vector["seed"]
    assert bucket(seed_of(vector["salt"]), vector["key"]) == vector["bucket"]


@pytest.mark.parametrize("vector", VECTORS["splits"])
def test_draw__pinned_vector__is_as_pinned(vector: dict[str, Any]) -> None:
    choices = [
        (variant_seed(vector["salt"], variant), weight, variant)
        for variant, weight in sorted(vector["weights"].items())
    ]
    assert draw(vector["key"], choices) == vector["variant"]


def test_draw__equal_scores__takes_the_first_by_key() -> None:
    seed = variant_seed("salt", "a")
    assert draw("acme", [(seed, 1, "a"), (seed, 1, "b")]) == "a"


@pytest.mark.parametrize(
    ("now", "ppm"),
    [
        *[(999, 0), (1_000, 0), (1_009, 0), (1_010, 1), (1_999, 99), (2_000, 100), (3_000, 100)],
        *[(3_001, 1_099), (3_999, 999_000), (4_000, 1_000_000), (10**15, 1_000_000)],
    ],
)  # fmt: skip
def test_ramped__around_its_points__is_linear_between_them(now: int, ppm: int) -> None:
    assert ramped(RAMP, now) == ppm


@given(st.integers(0, 5_000), st.booleans())
def test_next_ramp_step__is_the_first_moment_with_another_share(now: int, jumps: bool) -> None:
    points = [(1_000, 300), *RAMP[2:]] if jumps else RAMP
    points = [(at, max(ppm, 300)) for at, ppm in points] if jumps else points
    current = ramped(points, now)
    later = next((at for at in range(now, 5_001) if ramped(points, at) != current), None)
    assert next_ramp_step(points, now) == later

"""Times calls side by side: rounds in turn, so that a drift of the machine meets all alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping

ROUNDS = 15
ROUND_S = 0.05


def medians_us(contenders: Mapping[str, Callable[[], object]]) -> dict[str, float]:
    """The median time of one call of each contender, in microseconds."""
    repeats = {name: _repeats(call) for name, call in contenders.items()}
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(ROUNDS):
        for name, call in contenders.items():
            times[name].append(_seconds(call, repeats[name]) / repeats[name])
    return {name: statistics.median(each) * 1e6 for name, each in times.items()}


def _repeats(call: Callable[[], object]) -> int:
    """How often the call fits into one round."""
    _seconds(call, 3)
    return max(1, int(ROUND_S / max(_seconds(call, 10) / 10, 1e-9)))


def _seconds(call: Callable[[], object], repeats: int) -> float:
    started = time.perf_counter()
    for _ in range(repeats):
        call()
    return time.perf_counter() - started

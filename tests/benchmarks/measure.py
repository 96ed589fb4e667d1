"""Times calls side by side: rounds in turn, so that a drift of the machine meets all alike."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import cycle, islice
from threading import Thread
from typing import Any, NamedTuple

ROUNDS = 15
ROUND_S = 0.05
_FEWEST = 10


class Contender(NamedTuple):
    """`decide` answers the subjects one after the other."""

    decide: Callable[[Sequence[Any]], list[Any]]
    subjects: Sequence[Any]


def medians_us(contenders: Mapping[str, Callable[[], object]]) -> dict[str, float]:
    """The median time of one call of each contender, in microseconds."""
    repeats = {name: _repeats(call) for name, call in contenders.items()}
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(ROUNDS):
        for name, call in contenders.items():
            times[name].append(_seconds(call, repeats[name]) / repeats[name])
    return {name: statistics.median(each) * 1e6 for name, each in times.items()}


def decisions_us(contenders: Mapping[str, Contender], rounds: int = ROUNDS) -> dict[str, float]:
    """The median time of one decision of each contender over its subjects, in microseconds."""
    with _frozen_heap():
        turns = {name: _turns(each) for name, each in contenders.items()}
        times: dict[str, list[float]] = {name: [] for name in contenders}
        for _ in range(rounds):
            for name, each in contenders.items():
                subjects = next(turns[name])
                spent = _seconds(partial(each.decide, subjects), 1)
                times[name].append(spent / len(subjects))
    return {name: statistics.median(each) * 1e6 for name, each in times.items()}


def kept_percent(contender: Contender, threads: int) -> float:
    """What many threads at once keep of the decisions per second that one thread makes."""
    share = [next(_turns(contender)) for _ in range(threads)]
    kept = []
    with _frozen_heap():
        for _ in range(ROUNDS // 3):
            alone = _seconds(lambda: [contender.decide(each) for each in share], 1)
            kept.append(alone / _seconds(lambda: _at_once(contender, share), 1))
    return 100 * statistics.median(kept)


def median_s(call: Callable[[], object], rounds: int = 3) -> float:
    """The median time of one long call, in seconds."""
    with _frozen_heap():
        return statistics.median(_seconds(call, 1) for _ in range(rounds))


def _at_once(contender: Contender, share: Sequence[Sequence[Any]]) -> None:
    threads = [Thread(target=contender.decide, args=(each,)) for each in share]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _turns(contender: Contender) -> Iterator[list[Any]]:
    """As many subjects as fit into one round, going on where the last round ended."""
    subjects = cycle(contender.subjects)
    contender.decide(list(islice(subjects, _FEWEST)))
    size, spent = _FEWEST, 0.0
    while spent < ROUND_S / 10:
        size *= 2
        started = time.perf_counter()
        contender.decide(list(islice(subjects, size)))
        spent = time.perf_counter() - started
    size = max(_FEWEST, int(size * ROUND_S / spent))
    while True:
        yield list(islice(subjects, size))


@contextmanager
def _frozen_heap() -> Iterator[None]:
    """What was set up is not walked by the collector while something is timed."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def _repeats(call: Callable[[], object]) -> int:
    """How often the call fits into one round."""
    _seconds(call, 3)
    return max(1, int(ROUND_S / max(_seconds(call, 10) / 10, 1e-9)))


def _seconds(call: Callable[[], object], repeats: int) -> float:
    started = time.perf_counter()
    for _ in range(repeats):
        call()
    return time.perf_counter() - started

"""How a decision's time grows with the document, and what threads and whole documents cost."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from flags.engine import DocumentError, Subject, compile, parse  # noqa: A004  (the engine's word)
from tests.benchmarks.engine import many_rules, ours, ours_scanning
from tests.benchmarks.measure import Contender, decisions_us, kept_percent, median_s
from tests.benchmarks.peers.flagd import flagd
from tests.benchmarks.peers.flagsmith import flagsmith, flagsmith_lists
from tests.benchmarks.peers.growthbook import growthbook
from tests.benchmarks.peers.launchdarkly import launchdarkly
from tests.benchmarks.peers.unleash import unleash
from tests.benchmarks.workload import Setup, Workload, chain, check, decide

Row = dict[int, float]

ROUNDS: Final = 9
ACCOUNTS: Final = 200
THREADS: Final = 16
ENGINES: Final[Mapping[str, Setup]] = {
    "ours": ours,
    "LaunchDarkly": launchdarkly,
    "GrowthBook": growthbook,
    "Unleash": unleash,
    "Flagsmith": flagsmith,
    "flagd": flagd,
}


def growth() -> dict[str, dict[str, Row]]:
    """Tables of engine -> size -> microseconds."""
    return {
        "targets of one flag": _grown(
            {**ENGINES, "Flagsmith, targets as a list": flagsmith_lists},
            {size: decide(targets=size, accounts=ACCOUNTS) for size in (10, 1_000, 100_000)},
        ),
        "rules on a trait's equality before the match": _grown(
            ENGINES, {size: chain(size, ACCOUNTS) for size in (10, 100, 1_000)}
        ),
        "flags in the document": _grown(
            ENGINES,
            {size: decide(targets=10, accounts=ACCOUNTS, flags=size) for size in (10, 100, 1_000)},
        ),
        "rules that no index can find, ours": _scanned(),
    }


def _grown(engines: Mapping[str, Setup], workloads: Mapping[int, Workload]) -> dict[str, Row]:
    contenders = {
        (name, size): setup(workload)
        for name, setup in engines.items()
        for size, workload in workloads.items()
    }
    for (name, size), contender in contenders.items():
        check(f"{name} at {size}", contender, workloads[size])
    return _rows(contenders)


def _scanned() -> dict[str, Row]:
    """Clauses that are looked at one after the other, and do not hold."""
    subject = Subject("acme", {"email": "someone@acme.example", "seats": 5})
    clauses: dict[str, Callable[[int], dict[str, Any]]] = {
        "contains": lambda number: {
            "trait": "email",
            "op": "contains",
            "values": [f"@bolt-{number}."],
        },
        "gt": lambda number: {"trait": "seats", "op": "gt", "values": [number + 10]},
    }
    return _rows(
        {
            (name, size): ours_scanning([clause(number) for number in range(size)], subject)
            for name, clause in clauses.items()
            for size in (10, 100, 1_000)
        }
    )


def _rows(contenders: Mapping[tuple[str, int], Contender]) -> dict[str, Row]:
    named = {f"{name}\n{size}": each for (name, size), each in contenders.items()}
    medians = decisions_us(named, ROUNDS)
    rows: dict[str, Row] = {}
    for name, size in contenders:
        rows.setdefault(name, {})[size] = medians[f"{name}\n{size}"]
    return rows


def kept_by_threads() -> dict[str, float]:
    from tests.benchmarks.resolver import whole

    workload = decide()
    return {
        name: kept_percent(setup(workload), THREADS)
        for name, setup in (
            ("ours: resolve(), whole", whole),
            ("ours", ours),
            ("LaunchDarkly", launchdarkly),
        )
    }


def documents_s() -> dict[str, float]:
    """Seconds for a document of 10,000 rules, and until a hostile one is refused."""
    text, changed = (json.dumps(many_rules(100, 100, serve)) for serve in ("next", "large"))
    before, after = parse(text), parse(changed)
    compiled = compile(before)
    whole = {
        "parse 10,000 rules": median_s(lambda: parse(text)),
        "compile 10,000 rules": median_s(lambda: compile(before)),
        "recompile with one rule changed": median_s(lambda: compile(after, compiled)),
    }
    return whole | {name: median_s(partial(_refused, text)) for name, text in _hostile()}


def _hostile() -> list[tuple[str, str]]:
    """About 10 MB each."""
    flags = ",".join(f'"flag-number-{number:06}":{{}}' for number in range(300_000))
    return [
        ("refuse 10 million opening brackets", "[" * 10_000_000),
        ("refuse 5 million zeros in a list", f"[{'0,' * 5_000_000}0]"),
        ("refuse 300,000 empty flags", f'{{"flags":{{{flags}}}}}'),
        ("refuse an integer of 10 million digits", "9" * 10_000_000),
    ]


def _refused(text: str) -> None:
    try:
        parse(text)
    except DocumentError:
        return
    raise AssertionError("a hostile document was taken")

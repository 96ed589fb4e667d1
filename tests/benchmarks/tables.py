"""Rows -> document and back, for 200 flags with 2,000 rules and 300 segments."""

from __future__ import annotations

from typing import Any

from flags.engine import parse
from tests.benchmarks.measure import median_s

FLAGS, RULES_A_FLAG, SEGMENTS = 200, 10, 300
CLAUSE = {"trait": "plan", "op": "in", "values": ["pro", "team"]}


def document() -> dict[str, Any]:
    names = [f"segment-{number}" for number in range(SEGMENTS)]
    return {
        "schema": 1,
        "hash": "r1",
        "number": None,
        "traits": {"plan": "str"},
        "segments": {
            name: {"include": [f"{name}-a", f"{name}-b"], "exclude": [], "rules": [[CLAUSE]]}
            for name in names
        },
        "flags": {f"flag-{number}": _flag(number, names) for number in range(FLAGS)},
        "switches": {},
        "sections": {},
    }


def _flag(number: int, segments: list[str]) -> dict[str, Any]:
    named = [segments[(number + at) % SEGMENTS] for at in range(RULES_A_FLAG)]
    return {
        "kind": "str",
        "force": None,
        "variants": {"a": "A", "b": "B", "c": "C"},
        "off": None,
        "requires": [],
        "rules": [
            {
                "id": f"r{at}",
                "when": [CLAUSE, {"op": "segment", "values": [segment]}],
                "serve": {"variant": "a"},
            }
            for at, segment in enumerate(named)
        ],
        "default": {"split": {"b": 1, "c": 1}},
    }


def tables_s() -> dict[str, float]:
    from flags.document import export
    from flags.document.check import check
    from flags.document.restore import restore
    from flags.live import snapshot

    wanted = parse(document())
    restore(wanted)
    return {
        "export": median_s(export.document),
        "export and check": median_s(check),
        "read, check and compile a first snapshot": median_s(
            lambda: snapshot.of_tables(snapshot.EMPTY)
        ),
        "restore": median_s(lambda: restore(wanted)),
    }

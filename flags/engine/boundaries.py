"""When time alone may change a document's answers."""

from __future__ import annotations

from collections.abc import Iterator

from flags.engine.bucketing import next_ramp_step
from flags.engine.clauses import ramp_points
from flags.engine.document import Document, walk
from flags.engine.times import moment_ms


def boundaries(document: Document, now_ms: int) -> Iterator[int]:
    """When windows begin and end, and when each ramp takes its next step."""
    groups = [group for segment in document["segments"].values() for group in segment["rules"]]
    for flag in document["flags"].values():
        for rule in flag["rules"]:
            groups.append(rule["when"])
            yield from (
                at
                for at in (moment_ms(rule.get("from")), moment_ms(rule.get("until")))
                if at is not None
            )
    for clause in walk(groups):
        if clause["op"] == "share" and "ramp" in clause:
            step = next_ramp_step(ramp_points(clause["ramp"]), now_ms)
            if step is not None:
                yield step

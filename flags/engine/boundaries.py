"""When time alone may change a document's answers, and when a subject's own times do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from flags.engine.bucketing import next_ramp_step
from flags.engine.clauses import ramp_points
from flags.engine.document import Clause, Document, walk
from flags.engine.times import duration_ms, moment_ms


def boundaries(document: Document, now_ms: int) -> Iterator[int]:
    """When windows begin and end, and when each ramp takes its next step."""
    yield from _windows(document)
    for points in _ramps(document):
        step = next_ramp_step(points, now_ms)
        if step is not None:
            yield step


def written_moments(document: Document) -> Iterator[int]:
    """When windows begin and end, and the points of ramps."""
    yield from _windows(document)
    for points in _ramps(document):
        yield from (at for at, _ in points)


def _windows(document: Document) -> Iterator[int]:
    for flag in document["flags"].values():
        for rule in flag["rules"]:
            edges = (moment_ms(rule.get("from")), moment_ms(rule.get("until")))
            yield from (at for at in edges if at is not None)


def _ramps(document: Document) -> Iterator[list[tuple[int, int]]]:
    for clause in clauses(document):
        if clause["op"] == "share" and "ramp" in clause:
            yield ramp_points(clause["ramp"])


def withins(document: Document) -> frozenset[tuple[str, int]]:
    """Which times of subjects are asked about, and within how many milliseconds."""
    return frozenset(
        (clause["trait"], duration_ms(clause["values"][0]) or 0)
        for clause in clauses(document)
        if clause["op"] == "within"
    )


def own_boundaries(asked: Iterable[tuple[str, int]], traits: Mapping[str, object]) -> Iterator[int]:
    """When each of a subject's times comes, and when it is over."""
    for trait, lasts_ms in asked:
        at = moment_ms(traits.get(trait))
        if at is not None:
            yield at
            yield at + lasts_ms


def clauses(document: Document) -> Iterator[Clause]:
    """Every clause of its segments and rules."""
    groups = [group for segment in document["segments"].values() for group in segment["rules"]]
    groups += [rule["when"] for flag in document["flags"].values() for rule in flag["rules"]]
    return walk(groups)

"""Which variants a document's flags may serve from now on, and which of them cannot be served."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import NamedTuple, cast

from flags.document.words import rule_words
from flags.engine import Document
from flags.engine.document import Flag, Serve
from flags.engine.problems import Path, Problem, pointer
from flags.engine.times import datetime_of_ms, moment_ms
from flags.registry import WhyNot


class Place(NamedTuple):
    """Where a flag serves a variant, and from when until when."""

    path: Path
    words: str
    variant: str
    begins: datetime
    ends: datetime | None = None


def places(key: str, flag: Flag, at: datetime) -> Iterator[Place]:
    """What the flag may serve at the moment or later, overrides apart."""
    path = ("flags", key)
    if flag["force"] is not None:
        yield Place((*path, "force"), f"the flag {key} is forced to it", flag["force"], at)
        return
    if flag["off"] is not None:
        yield Place((*path, "off"), f"the flag {key} serves it when it is off", flag["off"], at)
    if not flag.get("on", True):
        return
    for index, rule in enumerate(flag["rules"]):
        begins, ends = (_datetime(rule.get(side)) for side in ("from", "until"))
        if ends is None or ends > at:
            words = f"{rule_words(rule)} of flag {key} serves it"
            for variant in _variants(rule["serve"]):
                yield Place(
                    (*path, "rules", index, "serve"), words, variant, max(at, begins or at), ends
                )
    if flag["default"] is not None:
        for variant in _variants(flag["default"]):
            yield Place((*path, "default"), f"the default of flag {key} serves it", variant, at)


def _datetime(value: object) -> datetime | None:
    """A rule's moment; beyond the calendar the nearest that it has."""
    at = moment_ms(value)
    if at is None:
        return None
    try:
        return datetime_of_ms(at)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC) if at > 0 else datetime.min.replace(tzinfo=UTC)


def _variants(serve: Serve) -> list[str]:
    return [serve["variant"]] if "variant" in serve else [*serve["split"]]


def unservable(
    document: Document, known: Mapping[str, Mapping[str, WhyNot]], at: datetime
) -> list[Problem]:
    """What the flags serve although their vocabulary says that it cannot be served."""
    found: list[Problem] = []
    for key, flag in document["flags"].items():
        values = known.get(cast(str, flag.get("vocabulary")), {})
        for place in places(key, flag, at):
            value = flag["variants"][place.variant]
            reason = values[value](place.begins, place.ends) if values else None
            if reason is not None:
                message = f"{value!r} cannot be served, because {reason}: {place.words}."
                problem: Problem = {
                    "path": pointer(place.path),
                    "value": value,
                    "message": message,
                    "code": "not_servable",
                }
                found.append(problem)
    return found

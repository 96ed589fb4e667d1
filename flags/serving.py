"""Which variants a document's flags may serve from now on, and which of them cannot be served."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple, cast

from flags.engine import Document
from flags.engine.document import Flag, Serve
from flags.engine.problems import Path, Problem, pointer
from flags.engine.traits import moment


class Place(NamedTuple):
    """Where a flag serves a variant."""

    path: Path
    words: str
    variant: str


def places(key: str, flag: Flag, at: datetime) -> Iterator[Place]:
    """What the flag may serve at the moment or later, overrides apart."""
    path = ("flags", key)
    if flag["force"] is not None:
        yield Place((*path, "force"), f"the flag {key} is forced to it", flag["force"])
        return
    if flag["off"] is not None:
        yield Place((*path, "off"), f"the flag {key} serves it when it is off", flag["off"])
    if not flag.get("on", True):
        return
    for index, rule in enumerate(flag["rules"]):
        end = moment(rule.get("until"))
        if end is None or end > at.timestamp() * 1000:
            words = f"{rule_words(rule)} of flag {key} serves it"
            for variant in _variants(rule["serve"]):
                yield Place((*path, "rules", index, "serve"), words, variant)
    if flag["default"] is not None:
        for variant in _variants(flag["default"]):
            yield Place((*path, "default"), f"the default of flag {key} serves it", variant)


def rule_words(rule: Mapping[str, Any]) -> str:
    name = rule.get("name")
    return f"rule “{name}”" if name else f"rule {rule['id']}"


def _variants(serve: Serve) -> list[str]:
    return [serve["variant"]] if "variant" in serve else [*serve["split"]]


def unservable(
    document: Document, known: Mapping[str, Mapping[str, str | None]], at: datetime
) -> list[Problem]:
    """What the flags serve although their vocabulary says that it cannot be served."""
    found: list[Problem] = []
    for key, flag in document["flags"].items():
        values = known.get(cast(str, flag.get("vocabulary")), {})
        for place in places(key, flag, at):
            value = flag["variants"][place.variant]
            why_not = values.get(value) if values else None
            if why_not is not None:
                message = f"{value!r} cannot be served, because {why_not}: {place.words}."
                problem: Problem = {
                    "path": pointer(place.path),
                    "value": value,
                    "message": message,
                    "code": "not_servable",
                }
                found.append(problem)
    return found

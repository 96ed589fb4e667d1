"""Schema 1 -> schema 2: the same meaning, in the words of today.

In schema 1 `requires` and `flag` without variants hold wherever the flag was decided. In schema 2
they hold on a boolean flag when its value is true; naming all its variants says what schema 1 said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flags.engine.document import SCHEMA, Document

Json = Mapping[str, Any]


def upgraded(document: Document) -> Document:
    """A sound document, in schema 2; what does not change in it is the same object."""
    if document["schema"] == SCHEMA:
        return document
    variants = {
        key: sorted(flag["variants"])
        for key, flag in document["flags"].items()
        if flag["kind"] == "bool"
    }
    segments = {
        key: _put(segment, rules=[_group(group, variants) for group in segment["rules"]])
        for key, segment in document["segments"].items()
    }
    flags = {key: _flag(flag, variants) for key, flag in document["flags"].items()}
    made: Any = {**document, "schema": SCHEMA, "segments": segments, "flags": flags}
    return made  # type: ignore[no-any-return]


def _flag(flag: Json, variants: Mapping[str, list[str]]) -> Json:
    requires = [
        {**each, "variants": variants[each["flag"]]}
        if "variants" not in each and each["flag"] in variants
        else each
        for each in flag["requires"]
    ]
    rules = [_put(rule, when=_group(rule["when"], variants)) for rule in flag["rules"]]
    return _put(flag, requires=requires, rules=rules)


def _group(group: Sequence[Json], variants: Mapping[str, list[str]]) -> list[Json]:
    return [_clause(clause, variants) for clause in group]


def _clause(clause: Json, variants: Mapping[str, list[str]]) -> Json:
    if clause["op"] == "any":
        return _put(clause, values=[_group(group, variants) for group in clause["values"]])
    if clause["op"] == "flag":
        named = [
            [f"{each}={variant}" for variant in variants[each]] if each in variants else [each]
            for each in clause["values"]
        ]
        return _put(clause, values=[value for values in named for value in values])
    return clause


def _put(entry: Json, **parts: Any) -> Json:
    return entry if all(entry[name] == part for name, part in parts.items()) else {**entry, **parts}

"""A document's entries: what of it can be put back by itself to what it was.

A flag with its variants and rules, a segment, a trait, a switch, an entry of a section's table, and
an entry of a table inside one, such as a single price of a model.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from flags.document.diff import ABSENT, Path
from flags.registry import sections

PARTS: Final = ("traits", "segments", "flags", "switches")
_OF_SECTION: Final = 4
Json = dict[str, Any]


def changed(before: Json, after: Json) -> list[Path]:
    """The entries in which the documents differ, in the order of the documents."""
    found: list[Path] = []
    for part in PARTS:
        found += _differing(before[part], after[part], (part,))
    for name in dict.fromkeys([*after["sections"], *before["sections"]]):
        found += _in_section(name, before["sections"].get(name), after["sections"].get(name))
    return found


def _in_section(name: str, before: Json | None, after: Json | None) -> Iterator[Path]:
    path: Path = ("sections", name)
    if before is None or after is None:
        if before is not after:
            yield path
        return
    inner = sections()[name].inner if name in sections() else ()
    for table in dict.fromkeys([*after, *before]):
        old, new = before.get(table, {}), after.get(table, {})
        for entry in _differing(old, new, (*path, table)):
            key = entry[-1]
            if key not in old or key not in new:
                yield entry
                continue
            if _without(old[key], inner) != _without(new[key], inner):
                yield entry
            for each in inner:
                one, other = (side[key].get(each, {}) for side in (old, new))
                yield from _differing(one, other, (*entry, each))


def _differing(before: Mapping[str, Any], after: Mapping[str, Any], path: Path) -> Iterator[Path]:
    for key in dict.fromkeys([*after, *before]):
        if not is_same(before.get(key, ABSENT), after.get(key, ABSENT)):
            yield (*path, key)


def is_same(one: Any, other: Any) -> bool:
    """To Python 1, 1.0 and True are equal; the order of keys says nothing."""
    return one is other or (bool(one == other) and (one is ABSENT or _text(one) == _text(other)))


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _without(entry: Json, inner: tuple[str, ...]) -> Json:
    return {name: value for name, value in entry.items() if name not in inner}


_WORDS: Final = {"switches": "switch", "aliases": "alias"}


def entry_text(entry: Path) -> str:
    """`flag x`; `price 2026-12-01T00:00:00Z of model m`."""
    names = [str(part) for part in entry]
    pairs = names[1:] if names[0] == "sections" else names
    if len(pairs) % 2:
        pairs = pairs[1:]
    told = [
        f"{_WORDS.get(table, table.removesuffix('s'))} {key}"
        for table, key in zip(pairs[::2], pairs[1::2], strict=True)
    ]
    return " of ".join(reversed(told)) or "section " + names[-1]


def found(document: Json, entry: Path) -> Any:
    """What the document says there, or ABSENT."""
    value: Any = document
    for part in entry:
        value = value.get(part, ABSENT) if isinstance(value, dict) else ABSENT
        if value is ABSENT:
            return ABSENT
    return value


def put(document: Json, entry: Path, value: Any) -> Json:
    """The document with the entry so, or without it where ABSENT; the document itself stays.

    An entry of a table inside keeps the tables of what it is in.
    """
    if len(entry) == _OF_SECTION and value is not ABSENT:
        now = found(document, entry)
        name = str(entry[1])
        inner = sections()[name].inner if name in sections() else ()
        if now is not ABSENT:
            value = {**value, **{table: now[table] for table in inner if table in now}}
    return _put(document, entry, value)


def _put(document: Json, path: Path, value: Any) -> Json:
    key, *rest = path
    made = dict(document)
    if rest:
        if key in made:
            made[str(key)] = _put(made[str(key)], tuple(rest), value)
    elif value is ABSENT:
        made.pop(str(key), None)
    else:
        made[str(key)] = value
    return made

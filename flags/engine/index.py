"""Which rules of a flag can match a subject at all: looked up by its key and traits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from flags.engine.clauses import CompiledClause, Members
from flags.engine.traits import ELEMENTS, KEY, LISTS, Type

# Segments with more than this are scanned, not copied into the index of each flag that names them.
_MAX_COPIED: Final = 100
# With more rules than this that no index finds, the others are merged with them when asked.
_MAX_MERGED: Final = 100
# Fewer rules than this on a trait are scanned sooner than found.
_MIN_RULES: Final = 4
_HASHED: Final[Mapping[Type, tuple[type, ...]]] = {
    Type.STR: (str,),
    Type.NUM: (int, float),
    Type.BOOL: (bool,),
}

# A clause can only hold where one of these traits has one of its values.
Keys = dict[str, frozenset[Any]]


class Table(NamedTuple):
    trait: str
    hashed: tuple[type, ...]
    is_list: bool
    positions: Mapping[Any, tuple[int, ...]]


class Entry(NamedTuple):
    """How a rule is found; without keys it is scanned. `proves` holds for all that it finds."""

    keys: Keys | None = None
    proves: CompiledClause | None = None


def entry(
    clauses: Iterable[CompiledClause], types: Mapping[str, Type], segments: Mapping[str, Members]
) -> Entry:
    """By the account's key if it can be, else by what has the fewest values."""
    found = [(_keys(each, types, segments), each) for each in clauses]
    usable = [(keys, each) for keys, each in found if keys is not None]
    if not usable:
        return Entry()
    keys, best = min(usable, key=lambda pair: (set(pair[0]) != {KEY}, _size(pair[0])))
    is_proof = best.clause["op"] == "in" and types[best.clause["trait"]] is Type.STR
    return Entry(keys, best if is_proof else None)


class Index(NamedTuple):
    """Positions of rules, in order: by the account's key, for every other key, and by traits."""

    by_key: Mapping[str | None, tuple[int, ...]]
    always: tuple[int, ...]
    tables: tuple[Table, ...]


def worthwhile(entries: Sequence[Entry]) -> list[Entry]:
    """The entries, but those scanned whose trait finds so few rules that asking costs more."""
    counts = Counter(trait for each in entries for trait in each.keys or ())
    return [
        each
        if each.keys is not None
        and all(trait == KEY or counts[trait] >= _MIN_RULES for trait in each.keys)
        else Entry()
        for each in entries
    ]


def build(entries: Sequence[Entry], types: Mapping[str, Type]) -> Index:
    """An index of rules by the values that they ask for."""
    positions: dict[str, dict[Any, list[int]]] = {}
    for position, each in enumerate(entries):
        for trait, values in (each.keys or {}).items():
            for value in values:
                positions.setdefault(trait, {}).setdefault(value, []).append(position)
    always = tuple(at for at, each in enumerate(entries) if each.keys is None)
    by_key: dict[Any, tuple[int, ...]] = {}
    if len(always) <= _MAX_MERGED:
        by_key = _frozen(positions.pop(KEY, {}), always)
    tables = [
        Table(trait, _HASHED[ELEMENTS[types[trait]]], types[trait] in LISTS, _frozen(table))
        for trait, table in positions.items()
    ]
    return Index(by_key, always, tuple(tables))


def found(tables: Iterable[Table], key: str | None, traits: Mapping[str, Any]) -> tuple[int, ...]:
    """The rules that the tables have for this subject, in no order, perhaps twice."""
    positions: tuple[int, ...] = ()
    for trait, hashed, is_list, table in tables:
        value = key if trait == KEY else traits.get(trait)
        if isinstance(value, hashed):
            positions += table.get(value, ())
        elif is_list and isinstance(value, list | tuple):
            for element in value:
                if isinstance(element, hashed):
                    positions += table.get(element, ())
    return positions


def _frozen(
    table: Mapping[Any, Sequence[int]], always: tuple[int, ...] = ()
) -> dict[Any, tuple[int, ...]]:
    """Equal positions are one object, so a list of many accounts costs one entry each."""
    shared: dict[tuple[int, ...], tuple[int, ...]] = {}
    frozen = {}
    for value, positions in table.items():
        own = tuple(positions)
        if own not in shared:
            shared[own] = tuple(sorted((*own, *always)))
        frozen[value] = shared[own]
    return frozen


def _keys(
    compiled: CompiledClause, types: Mapping[str, Type], segments: Mapping[str, Members]
) -> Keys | None:
    clause = compiled.clause
    if clause.get("not", False):
        return None
    if clause["op"] == "in":
        is_plain = not clause.get("absent") and not clause.get("fold", False)
        is_hashed = ELEMENTS[types[clause["trait"]]] in _HASHED
        return {clause["trait"]: frozenset(clause["values"])} if is_plain and is_hashed else None
    if clause["op"] == "any":
        return _union(_best(group, types, segments) for group in compiled.groups)
    if clause["op"] == "segment":
        return _union(_members_keys(segments[key], types, segments) for key in clause["values"])
    return None


def _members_keys(
    members: Members, types: Mapping[str, Type], segments: Mapping[str, Members]
) -> Keys | None:
    if len(members.listed) > _MAX_COPIED:
        return None
    included = frozenset(key for key, is_in in members.listed.items() if is_in)
    groups = [_best(group, types, segments) for group in members.groups]
    keys = _union([{KEY: included} if included else {}, *groups])
    return keys if keys is not None and _size(keys) <= _MAX_COPIED else None


def _best(
    group: Iterable[CompiledClause], types: Mapping[str, Type], segments: Mapping[str, Members]
) -> Keys | None:
    return entry(group, types, segments).keys


def _union(each: Iterable[Keys | None]) -> Keys | None:
    """Keys of alternatives: all of them, or none where one of them has none."""
    result: Keys = {}
    for keys in each:
        if keys is None:
            return None
        for trait, values in keys.items():
            result[trait] = result.get(trait, frozenset()) | values
    return result


def _size(keys: Keys) -> int:
    return sum(map(len, keys.values()))

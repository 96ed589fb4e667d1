"""Which rules of a flag can match a subject at all: looked up by its key and traits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from flags.engine.clauses import Condition, Members
from flags.engine.traits import KEY, Type

# Segments with more than this are scanned, not copied into the index of each flag that names them.
_MAX_COPIED: Final = 100
_HASHED: Final[Mapping[Type, tuple[type, ...]]] = {
    Type.STR: (str,),
    Type.NUM: (int, float),
    Type.BOOL: (bool,),
}

# A condition can only hold where one of these traits has one of its values.
Keys = dict[str, frozenset[Any]]


class Table(NamedTuple):
    trait: str
    hashed: tuple[type, ...]
    is_list: bool
    positions: Mapping[Any, tuple[int, ...]]


class Entry(NamedTuple):
    """How a rule is found; without keys it is scanned. `proves` holds for all that it finds."""

    keys: Keys | None = None
    proves: Condition | None = None


def entry(
    conditions: Iterable[Condition], types: Mapping[str, Type], segments: Mapping[str, Members]
) -> Entry:
    """By the account's key if it can be, else by what has the fewest values."""
    found = [(_keys(each, types, segments), each) for each in conditions]
    usable = [(keys, each) for keys, each in found if keys is not None]
    if not usable:
        return Entry()
    keys, best = min(usable, key=lambda pair: (set(pair[0]) != {KEY}, _size(pair[0])))
    is_proof = best.clause["op"] == "in" and types[best.clause["trait"]] is Type.STR
    return Entry(keys, best if is_proof else None)


class Index(NamedTuple):
    """Positions of rules: those of no index, by the account's key, and by the values of traits."""

    always: tuple[int, ...]
    by_key: Mapping[str | None, tuple[int, ...]]
    by_trait: tuple[Table, ...]


def build(entries: Sequence[Entry], types: Mapping[str, Type]) -> Index:
    tables: dict[str, dict[Any, list[int]]] = {KEY: {}}
    always: list[int] = []
    for position, each in enumerate(entries):
        if each.keys is None:
            always.append(position)
            continue
        for trait, values in each.keys.items():
            for value in values:
                tables.setdefault(trait, {}).setdefault(value, []).append(position)
    by_key = _frozen(tables.pop(KEY))
    by_trait = [
        Table(trait, _HASHED[types[trait].element], types[trait].is_list, _frozen(table))
        for trait, table in tables.items()
    ]
    return Index(tuple(always), by_key, tuple(by_trait))


def found(tables: Iterable[Table], traits: Mapping[str, Any]) -> tuple[int, ...]:
    """The rules that the traits' values point to, in no order, perhaps twice."""
    positions: tuple[int, ...] = ()
    for trait, hashed, is_list, table in tables:
        value = traits.get(trait)
        if isinstance(value, hashed):
            positions += table.get(value, ())
        elif is_list and isinstance(value, list | tuple):
            for element in value:
                if isinstance(element, hashed):
                    positions += table.get(element, ())
    return positions


def _frozen(table: Mapping[Any, Sequence[int]]) -> Mapping[Any, tuple[int, ...]]:
    return {value: tuple(positions) for value, positions in table.items()}


def _keys(
    condition: Condition, types: Mapping[str, Type], segments: Mapping[str, Members]
) -> Keys | None:
    clause = condition.clause
    if clause.get("not", False):
        return None
    if clause["op"] == "in":
        is_plain = not clause.get("absent") and not clause.get("fold", False)
        is_hashed = types[clause["trait"]].element in _HASHED
        return {clause["trait"]: frozenset(clause["values"])} if is_plain and is_hashed else None
    if clause["op"] == "any":
        return _union(_best(group, types, segments) for group in condition.groups)
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
    group: Iterable[Condition], types: Mapping[str, Type], segments: Mapping[str, Members]
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

"""What differs between two documents: changes that can be applied, and sentences about them."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from flags import explain
from flags.engine.problems import pointer
from flags.sections import sections
from flags.serving import rule_words

Json = Mapping[str, Any]
Path = tuple[str | int, ...]


class _Absent:
    """Stands for a value that is not there."""

    def __repr__(self) -> str:
        return "(absent)"


ABSENT: Final = _Absent()


class Change(NamedTuple):
    """At the path, `before` became `after`; either may be ABSENT."""

    path: Path
    before: Any
    after: Any

    def facts(self) -> dict[str, Any]:
        """For `--json`; what is absent is left out."""
        sides = {"before": self.before, "after": self.after}
        told = {side: value for side, value in sides.items() if value is not ABSENT}
        return {"path": pointer(self.path), **told}


def diff(before: Json, after: Json) -> list[Change]:
    """What leads from one document to the other; their numbers do not count."""
    sides = [{key: each[key] for key in each if key != "number"} for each in (before, after)]
    return list(_differences(sides[0], sides[1], ()))


def apply(document: Json, changes: Iterable[Change]) -> dict[str, Any]:
    """The document with the changes made; raises KeyError, IndexError for another's changes."""
    changed: dict[str, Any] = copy.deepcopy(dict(document))
    for change in changes:
        where: Any = changed
        for part in change.path[:-1]:
            where = where[part]
        if change.after is ABSENT:
            del where[change.path[-1]]
        else:
            where[change.path[-1]] = copy.deepcopy(change.after)
    return changed


def _differences(before: Any, after: Any, path: Path) -> Iterator[Change]:
    if len(path) in _WHOLE and _text(before) == _text(after):
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for key in [*before, *(key for key in after if key not in before)]:
            old, new = before.get(key, ABSENT), after.get(key, ABSENT)
            if old is ABSENT or new is ABSENT:
                yield Change((*path, key), old, new)
            else:
                yield from _differences(old, new, (*path, key))
    elif _is_alike(before, after):
        for index, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from _differences(old, new, (*path, index))
    elif _text(before) != _text(after):
        yield Change(path, before, after)


# At these depths stand a flag, a segment, a section; and a section's own things.
_WHOLE: Final = (2, 4)


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _is_alike(before: Any, after: Any) -> bool:
    """Whether two lists hold the same things in the same places: rules by id, clauses by number."""
    if not (isinstance(before, list) and isinstance(after, list) and len(before) == len(after)):
        return False
    return bool(before) and all(
        isinstance(old, dict) and isinstance(new, dict) and old.get("id") == new.get("id")
        for old, new in zip(before, after, strict=True)
    )


def sentences(before: Json, after: Json) -> list[str]:
    """What has changed, for people: a sentence for each thing, not for each change inside it."""
    told: dict[Path, str] = {}
    for change in diff(*(_without_sections(side) for side in (before, after))):
        place, sentence = _sentence(change, before, after)
        told.setdefault(place, sentence)
    old, new = before["sections"], after["sections"]
    named = [*old, *(name for name in new if name not in old)]
    return [
        *told.values(),
        *(each for name in named for each in _section(name, old.get(name), new.get(name))),
    ]


def _without_sections(side: Json) -> Json:
    return {name: part for name, part in side.items() if name != "sections"}


def _section(name: str, before: Json | None, after: Json | None) -> Iterable[str]:
    if before is None or after is None:
        return [f"section {name}: {'added' if before is None else 'removed'}"]
    return sections()[name].sentences(before, after) if name in sections() else ()


def _sentence(  # noqa: PLR0911 - one for each kind of place
    change: Change, before: Json, after: Json
) -> tuple[Path, str]:
    """The place that a sentence is about, and the sentence."""
    match change.path:
        case ("flags", flag, "rules", int(at), "when", int(index), *_):
            place = change.path[:6]
            named = rule_words(after["flags"][flag]["rules"][at])
            sides = (side["flags"][flag]["rules"][at]["when"][index] for side in (before, after))
            old, new = (explain.clause_text(clause) for clause in sides)
            return place, f"{named} of flag {flag}: {old} → {new}"
        case ("flags", flag, "rules", int(at), key, *_):
            place = change.path[:5]
            named = rule_words(after["flags"][flag]["rules"][at])
            old, new = (
                _told(key, side["flags"][flag]["rules"][at].get(key, ABSENT))
                for side in (before, after)
            )
            return place, f"{named} of flag {flag}: {key} {old} → {new}"
        case ("flags", flag, "rules"):
            return change.path, f"flag {flag}: {_rules(change.before, change.after)}"
        case ("flags", flag, "variants", variant, *_):
            old, new = (
                _value(side["flags"][flag]["variants"], variant) for side in (before, after)
            )
            return change.path[:4], f"variant {variant} of flag {flag}: {old} → {new}"
        case ("flags", flag, key, *_):
            old, new = (
                _told(key, side["flags"][flag].get(key, ABSENT)) for side in (before, after)
            )
            return change.path[:3], f"flag {flag}: {key} {old} → {new}"
        case ("segments", segment, ("include" | "exclude") as which):
            return change.path, f"segment {segment}: {which}d {_keys(change)}"
        case ("segments", segment, "rules", *_):
            old, new = (
                explain.groups_text(side["segments"][segment]["rules"]) or "nobody"
                for side in (before, after)
            )
            return change.path[:3], f"segment {segment}: {old} → {new}"
        case (section, name):
            return change.path, f"{_SINGULAR.get(str(section), section)} {name}: {_became(change)}"
    return change.path, f"{pointer(change.path)}: {_became(change)}"


_SINGULAR: Final = {
    "flags": "flag",
    "segments": "segment",
    "traits": "trait",
    "switches": "switch",
}


def _became(change: Change) -> str:
    if change.before is ABSENT:
        return "added"
    if change.after is ABSENT:
        return "removed"
    return f"{explain.value_text(change.before)} → {explain.value_text(change.after)}"


def _rules(before: Sequence[Json], after: Sequence[Json]) -> str:
    old, new = ({rule["id"]: rule for rule in rules} for rules in (before, after))
    added = [f"{rule_words(new[key])} added" for key in new if key not in old]
    removed = [f"{rule_words(old[key])} removed" for key in old if key not in new]
    kept = [key for key in old if key in new] != [key for key in new if key in old]
    moved = ["rules in another order"] if kept else []
    edited = [
        f"{rule_words(new[key])} changed"
        for key in new
        if key in old and list(_differences(old[key], new[key], ()))
    ]
    return ", ".join([*added, *removed, *moved, *edited])


def _keys(change: Change) -> str:
    old, new = set(change.before), set(change.after)
    parts = [f"+{len(new - old)}"] * bool(new - old) + [f"−{len(old - new)}"] * bool(old - new)
    return " ".join(parts) or "in another order"


def _value(values: Mapping[Any, Any], key: str | int) -> str:
    return explain.value_text(values[key]) if key in values else "(absent)"


def _told(key: Any, value: Any) -> str:
    if value is ABSENT or value is None:
        return "nothing"
    if key in {"serve", "default"}:
        return explain.serve_text(value)
    if key == "when":
        return " and ".join(map(explain.clause_text, value)) or "always"
    return explain.value_text(value)

"""What differs between two documents, in sentences for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from flags.document import words
from flags.document.diff import ABSENT, Difference, Json, Path, diff, differences
from flags.document.words import rule_words
from flags.engine.problems import pointer
from flags.registry import sections


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
    change: Difference, before: Json, after: Json
) -> tuple[Path, str]:
    """The place that a sentence is about, and the sentence."""
    match change.path:
        case ("flags", flag, "rules", int(at), "when", int(index), *_):
            place = change.path[:6]
            named = rule_words(after["flags"][flag]["rules"][at])
            sides = (side["flags"][flag]["rules"][at]["when"][index] for side in (before, after))
            old, new = (words.clause_text(clause) for clause in sides)
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
                words.groups_text(side["segments"][segment]["rules"]) or "nobody"
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


def _became(change: Difference) -> str:
    if change.before is ABSENT:
        return "added"
    if change.after is ABSENT:
        return "removed"
    return f"{words.value_text(change.before)} → {words.value_text(change.after)}"


def _rules(before: Sequence[Json], after: Sequence[Json]) -> str:
    old, new = ({rule["id"]: rule for rule in rules} for rules in (before, after))
    added = [f"{rule_words(new[key])} added" for key in new if key not in old]
    removed = [f"{rule_words(old[key])} removed" for key in old if key not in new]
    kept = [key for key in old if key in new] != [key for key in new if key in old]
    moved = ["rules in another order"] if kept else []
    edited = [
        f"{rule_words(new[key])} changed"
        for key in new
        if key in old and list(differences(old[key], new[key], ()))
    ]
    return ", ".join([*added, *removed, *moved, *edited])


def _keys(change: Difference) -> str:
    old, new = set(change.before), set(change.after)
    parts = [f"+{len(new - old)}"] * bool(new - old) + [f"−{len(old - new)}"] * bool(old - new)
    return " ".join(parts) or "in another order"


def _value(values: Mapping[Any, Any], key: str | int) -> str:
    return words.value_text(values[key]) if key in values else "(absent)"


def _told(key: Any, value: Any) -> str:
    if value is ABSENT or value is None:
        return "nothing"
    if key in {"serve", "default"}:
        return words.serve_text(value)
    if key == "when":
        return " and ".join(map(words.clause_text, value)) or "always"
    if key == "requires":
        return " and ".join(map(words.requirement_text, value)) or "nothing"
    return words.value_text(value)

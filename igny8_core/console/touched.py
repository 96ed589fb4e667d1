"""For which tasks a change of the document may take a model from an account."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from flags.engine.document import walk
from flags.engine.traits import KEY
from igny8_core.catalogue.names import PROVIDER_SWITCH, SECTION
from igny8_core.catalogue.section import price_of_entry
from igny8_core.errors import AIError
from igny8_core.tasks.tasks import TASKS, Task

Json = Mapping[str, Any]
# What of a model says nothing about whether it can be used.
_HARMLESS: Final = {"display_name", "sort_order", "prices"}


def models_of(document: Json) -> Mapping[str, Json]:
    """The catalogue's entries by model id."""
    models: Mapping[str, Json] = document["sections"].get(SECTION, {}).get("models", {})
    return models


def touched_tasks(before: Json, after: Json) -> list[Task]:
    """Those whose models became weaker, or whose flags changed; the others lose nothing."""
    old, new = models_of(before), models_of(after)
    weaker = {entry["model_type"] for key, entry in old.items() if _is_weaker(entry, new.get(key))}
    off = {
        name.removeprefix(PROVIDER_SWITCH)
        for name, active in after["switches"].items()
        if not active and before["switches"].get(name, True)
    }
    had = {entry["model_type"] for entry in old.values() if entry["is_active"]}
    weaker |= {entry["model_type"] for entry in old.values() if entry["provider"] in off}
    changed = {
        (part, key)
        for part in ("flags", "segments", "traits")
        for key in {*before[part], *after[part]}
        if before[part].get(key) != after[part].get(key)
    }
    return [
        task
        for task in TASKS.values()
        if task.model_type in weaker
        or (task.model_type in had and _asks(task, changed, before, after))
    ]


def _asks(task: Task, changed: set[tuple[str, str]], *documents: Json) -> bool:
    return bool(changed) and any(
        not changed.isdisjoint(_asked(task, document)) for document in documents
    )


def _is_weaker(before: Json, after: Json | None) -> bool:
    if not before["is_active"]:
        return False
    if after is None or any(
        after[name] != value for name, value in before.items() if name not in _HARMLESS
    ):
        return True
    prices = after["prices"]
    return not prices.keys() >= before["prices"].keys() or any(
        before["prices"].get(moment) != entry
        and not _is_complete(moment, entry, after["model_type"])
        for moment, entry in prices.items()
    )


def _is_complete(moment: str, entry: Json, model_type: str) -> bool:
    try:
        return price_of_entry("", moment, entry).is_complete(model_type)
    except AIError:
        return False


def _asked(task: Task, document: Json) -> Iterator[tuple[str, str]]:
    """The flags, segments and traits that decide about the task's models."""
    available = {
        entry["available_to"]
        for entry in models_of(document).values()
        if entry["model_type"] == task.model_type and entry["available_to"]
    }
    left = [("flags", key) for key in (task.key, task.model_type.value, *available)]
    seen: set[tuple[str, str]] = set()
    while left:
        node = left.pop()
        if node in seen:
            continue
        seen.add(node)
        yield node
        left += _named(document, *node)


def _named(document: Json, part: str, key: str) -> Iterable[tuple[str, str]]:
    entry = document[part].get(key)
    if entry is None or part == "traits":
        return
    groups = entry["rules"] if part == "segments" else [rule["when"] for rule in entry["rules"]]
    for clause in walk(groups):
        if clause["op"] == "segment":
            yield from (("segments", name) for name in clause["values"])
        elif clause["op"] == "flag":
            yield from (("flags", value.partition("=")[0]) for value in clause["values"])
        elif clause["op"] != "any":
            trait = clause["by"] if "by" in clause else clause.get("trait", KEY)
            yield "traits", str(trait)
    if part == "flags":
        yield from (("flags", required["flag"]) for required in entry["requires"])
        serves = [entry["default"] or {}, *(rule["serve"] for rule in entry["rules"])]
        yield from (("traits", serve["by"]) for serve in serves if "by" in serve)

"""For which tasks a change of the document may take a model from an account."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from flags.engine.document import walk
from flags.engine.traits import KEY
from igny8_core.catalogue.names import PROVIDER_SWITCH, SECTION
from igny8_core.catalogue.section import price_of_entry
from igny8_core.errors import AIError
from igny8_core.tasks.section import declared_by
from igny8_core.tasks.tasks import Task, known_tasks

Json = Mapping[str, Any]
# What of a model says nothing about whether it can be used.
_HARMLESS: Final = {"display_name", "sort_order", "prices"}


def models_of(document: Json) -> Mapping[str, Json]:
    """The catalogue's entries by model id."""
    models: Mapping[str, Json] = document["sections"].get(SECTION, {}).get("models", {})
    return models


def tasks_of(before: Json, after: Json) -> Iterator[tuple[Task, Task]]:
    """The tasks that are known on both sides, as each side has them.

    Of one that is not known any more nobody who asks here can say what it would get.
    """
    had, has = (known_tasks(declared_by(document)) for document in (before, after))
    yield from ((had[key], task) for key, task in has.items() if key in had)


def touched_tasks(before: Json, after: Json) -> list[Task]:
    """Those that ask more, whose models became weaker, or whose flags changed.

    The others lose nothing.
    """
    old, new = models_of(before), models_of(after)
    weaker = {entry["model_type"] for key, entry in old.items() if _is_weaker(entry, new.get(key))}
    off = {name for name, active in _switched(before, after) if not active}
    return _touched(before, after, weaker | _types_of(old, off))


def changed_tasks(before: Json, after: Json) -> list[Task]:
    """Those for which an account may get another model than before."""
    old, new = models_of(before), models_of(after)
    changed = {
        entry["model_type"]
        for models, others in ((old, new), (new, old))
        for key, entry in models.items()
        if _is_different(entry, others.get(key))
    }
    switched = {name for name, _ in _switched(before, after)}
    return _touched(before, after, changed | _types_of(new, switched))


def _switched(before: Json, after: Json) -> Iterator[tuple[str, bool]]:
    """Where a switch is missing it is on."""
    for name in {*before["switches"], *after["switches"]}:
        active = after["switches"].get(name, True)
        if active != before["switches"].get(name, True):
            yield name.removeprefix(PROVIDER_SWITCH), active


def _types_of(models: Mapping[str, Json], providers: set[str]) -> set[str]:
    return {entry["model_type"] for entry in models.values() if entry["provider"] in providers}


def _touched(before: Json, after: Json, types: set[str]) -> list[Task]:
    had = {entry["model_type"] for entry in models_of(before).values() if _may_serve(entry)}
    changed = {
        (part, key)
        for part in ("flags", "segments", "traits")
        for key in {*before[part], *after[part]}
        if before[part].get(key) != after[part].get(key)
    }
    return [
        task
        for was, task in tasks_of(before, after)
        if task.model_type in types
        or (was.model_type, was.needs) != (task.model_type, task.needs)
        or (task.model_type in had and _asks(task, changed, before, after))
    ]


def _asks(task: Task, changed: set[tuple[str, str]], *documents: Json) -> bool:
    return bool(changed) and any(
        not changed.isdisjoint(_asked(task, document)) for document in documents
    )


def _is_weaker(before: Json, after: Json | None) -> bool:
    return _may_serve(before) and _is_different(before, after)


def _may_serve(entry: Json) -> bool:
    """It, or once it is retired the model in its place."""
    return bool(entry["is_active"] or entry["replaced_by"])


def _is_different(before: Json, after: Json | None) -> bool:
    """In what decides whether an account can use the model."""
    return (
        after is None
        or any(after.get(name) != before.get(name) for name in {*before, *after} - _HARMLESS)
        or _priced(before) != _priced(after)
    )


def _priced(entry: Json) -> list[tuple[str, bool]]:
    """From which moments on the model has a complete price, and has none."""
    spans: list[tuple[str, bool]] = []
    for moment, price in sorted(entry["prices"].items()):
        is_complete = _is_complete(moment, price, entry["model_type"])
        if is_complete is not (spans[-1][1] if spans else False):
            spans.append((moment, is_complete))
    return spans


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

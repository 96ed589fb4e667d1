"""What is to be looked at of a change: the tasks and accounts that may lose a model by it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from random import SystemRandom
from typing import Any, Final, NamedTuple

from flags import live
from flags.accounts import Facts, facts_of_many
from flags.engine import Document
from flags.engine.boundaries import written_moments
from flags.engine.document import empty
from flags.engine.times import microseconds
from flags.host import ALL_ACCOUNTS
from igny8_core.ai.candidates import SnapshotCandidates
from igny8_core.catalogue.names import SECTION
from igny8_core.catalogue.section import moment_of
from igny8_core.console.active_accounts import AT_ONCE, active_accounts, batched
from igny8_core.console.touched import models_of, tasks_of, touched_tasks
from igny8_core.tasks import section as tasks_section
from igny8_core.tasks.tasks import Task

# Of more accounts of which something else is said, a sample is looked at under the lock; of more
# again where it is not known of which.
_MOST: Final = 1_000
_MOST_OF_ALL: Final = 10_000
Json = Mapping[str, Any]


class Period(NamedTuple):
    """A task from one moment to the next; the first begins now."""

    task: Task
    begins_us: int
    ends_us: int
    is_now: bool


class Question(NamedTuple):
    """Whether accounts lose a model in the periods of the touched tasks, the changed ones in any.

    `facts` is what is said of the changed ones after the change, `changed` how many they stand for;
    with `is_any` any account may have changed.
    """

    before: Document
    after: Document
    touched: frozenset[str]
    periods: list[Period]
    facts: dict[str, Facts]
    changed: int
    is_any: bool


def question(before: Document, after: Document, keys: frozenset[str]) -> Question | None:
    """What is to be looked at; None where nobody can lose a model. In the change's transaction.

    Something else is said of the accounts with these keys, or of any with ALL_ACCOUNTS.
    """
    is_any = ALL_ACCOUNTS in keys
    tasks = touched_tasks(before, after)
    if not tasks and not keys:
        return None
    every_task = [task for _, task in tasks_of(before, after)]
    periods = _uncovered(before, after, every_task if keys else tasks)
    touched = frozenset(task.key for task in tasks)
    if not periods:
        return None
    every = active_accounts()
    changed = [*(every if is_any else every.filter(key__in=keys)).values_list("key", flat=True)]
    if not changed and touched.isdisjoint(period.task.key for period in periods):
        return None
    most = min(_MOST_OF_ALL if is_any else _MOST, len(changed))
    facts = _facts_of(SystemRandom().sample(changed, most))
    return Question(before, after, touched, periods, facts, len(changed), is_any)


def _facts_of(keys: Sequence[str]) -> dict[str, Facts]:
    """What is said now of the accounts with these keys."""
    facts: dict[str, Facts] = {}
    for some in batched(keys, AT_ONCE):
        rows = active_accounts().filter(key__in=some)
        facts |= {account.key: each for account, each in facts_of_many(rows)}
    return facts


def _uncovered(before: Document, after: Document, tasks: Iterable[Task]) -> list[Period]:
    """The periods of tasks in which the default is not there for every account."""
    now_us = time.time_ns() // 1_000
    moments = {at for each in (before, after) for at in _moments_us(each) if at > now_us}
    begins = [now_us, *sorted(moments)]
    covering = SnapshotCandidates(live.snapshot_of(_defaults(after)))
    return [
        Period(task, begins_us, ends_us, begins_us == now_us)
        for task in tasks
        for begins_us, ends_us in pairwise([*begins, _FOREVER_US])
        if not _is_covered(covering, task, begins_us)
    ]


_FOREVER_US: Final = 2**63


def _moments_us(document: Document) -> Iterator[int]:
    """When the catalogue or a rule says something else."""
    for entry in models_of(document).values():
        texts = [*entry["prices"], *([entry["retires_at"]] if entry["retires_at"] else [])]
        yield from (microseconds(moment_of(text)) for text in texts)
    yield from (at_ms * 1_000 for at_ms in written_moments(document))


def _defaults(document: Json) -> Document:
    """The document of the types' defaults and those that take their place, and of the tasks."""
    models = models_of(document)
    kept: dict[str, Json] = {}
    for key, entry in models.items():
        following = key if entry["is_default"] else ""
        while following in models and following not in kept:
            kept[following] = models[following]
            following = models[following]["replaced_by"]
    sections: Any = {SECTION: {"models": {**kept}}} if kept else {}
    if tasks_section.SECTION in document["sections"]:
        sections[tasks_section.SECTION] = document["sections"][tasks_section.SECTION]
    return {**empty(), "switches": document["switches"], "sections": sections}


def _is_covered(covering: SnapshotCandidates, task: Task, at_us: int) -> bool:
    default = covering.of_task(task.key, None, at_us).default
    return default is not None and not default.refusal and not default.model.available_to

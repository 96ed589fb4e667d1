"""Which accounts a change would leave without a model for a task, now or when it says."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from flags import live
from flags.accounts import Facts, facts_of_many
from flags.engine import Document
from flags.engine.document import empty
from flags.engine.times import datetime_of_us, microseconds, moment_ms
from flags.host import Progress, Unfinished
from igny8_core.ai.candidates import SnapshotCandidates, TaskCandidates
from igny8_core.catalogue.names import SECTION
from igny8_core.catalogue.section import moment_of
from igny8_core.console.active_accounts import AT_ONCE, ActiveAccounts
from igny8_core.console.touched import models_of, touched_tasks
from igny8_core.tasks.tasks import Task

_SHOWN: Final = 5
# Of more accounts than this a sample is looked at.
MOST: Final = 100_000
Json = Mapping[str, Any]


def may_take(before: Json, after: Json) -> bool:
    """Whether the change touches a task that has no default which every account may use."""
    return bool(_uncovered(before, after))


def _uncovered(before: Json, after: Json) -> list[Task]:
    touched = touched_tasks(before, after)
    if not touched:
        return []
    moments = [time.time_ns() // 1_000, *_boundaries_us(after)]
    covering = SnapshotCandidates(live.snapshot_of(_defaults(after)))
    return [task for task in touched if not _is_covered(covering, task, moments)]


def _defaults(document: Json) -> Document:
    """The document of the types' defaults and those that take their place, and of nothing else."""
    models = models_of(document)
    kept: dict[str, Json] = {}
    for key, entry in models.items():
        following = key if entry["is_default"] else ""
        while following in models and following not in kept:
            kept[following] = models[following]
            following = models[following]["replaced_by"]
    sections: Any = {SECTION: {"models": {**kept}}} if kept else {}
    return {**empty(), "switches": document["switches"], "sections": sections}


def _is_covered(covering: SnapshotCandidates, task: Task, moments_us: Iterable[int]) -> bool:
    """Whether every account may use the default whenever something is scheduled."""
    for at_us in moments_us:
        default = covering.of_task(task.key, None, at_us).default
        if default is None or default.refusal or default.model.available_to:
            return False
    return True


def _boundaries_us(document: Json) -> Iterator[int]:
    """The moments to come at which the catalogue or a rule says something else."""
    now_us = time.time_ns() // 1_000
    moments: list[datetime] = []
    for entry in models_of(document).values():
        retires_at = entry["retires_at"]
        moments += [
            moment_of(text) for text in [*entry["prices"], *([retires_at] if retires_at else [])]
        ]
    found = [microseconds(each) for each in moments]
    for flag in document["flags"].values():
        for rule in flag["rules"]:
            edges = (moment_ms(rule.get(edge)) for edge in ("from", "until"))
            found += [edge * 1_000 for edge in edges if edge is not None]
    return (each for each in sorted({*found}) if each > now_us)


class _Question(NamedTuple):
    """One task at one moment, before and after; the moment is None for now."""

    task: str
    at_us: int
    is_now: bool
    before: TaskCandidates
    after: TaskCandidates


def taken(before: Document, after: Document, seconds: float, progress: Progress) -> list[str]:
    """`12 accounts would have no model for generate_content: acme, bolt, …`.

    Of the active accounts. Of more than MOST those with overrides, preferences or a place on a list
    are all counted, and a sample of the rest. Raises Unfinished.
    """
    tasks = _uncovered(before, after)
    if not tasks:
        return []
    sides = [SnapshotCandidates(live.snapshot_of(each)) for each in (before, after)]
    now_us = time.time_ns() // 1_000
    covering = SnapshotCandidates(live.snapshot_of(_defaults(after)))
    moments = [now_us, *sorted({*_boundaries_us(before), *_boundaries_us(after)})]
    questions = [
        _Question(
            task.key,
            at_us,
            at_us == now_us,
            *(side.of_task(task.key, None, at_us) for side in sides),
        )
        for task in tasks
        for at_us in moments
        if not _is_covered(covering, task, [at_us])
    ]
    return _look(questions, ActiveAccounts(before, after, most=MOST), seconds, progress)


def _look(
    questions: Sequence[_Question], accounts: ActiveAccounts, seconds: float, progress: Progress
) -> list[str]:
    """Raises Unfinished."""
    ends_s = time.monotonic() + seconds
    lost = [_Lost(question) for question in questions]
    for looked, (account, facts) in enumerate(facts_of_many(accounts)):
        if looked % AT_ONCE == 0:
            progress(looked, accounts.looked_at)
            if time.monotonic() > ends_s:
                told = _sentences(lost, accounts, is_cut=True)
                raise Unfinished(told, looked, accounts.count)
        weight = accounts.weight_of(account)
        for each in lost:
            each.look(account.key, facts, weight)
    progress(accounts.looked_at, accounts.looked_at)
    return _sentences(lost, accounts)


class _Lost:
    """The accounts that lose their model, by one question."""

    def __init__(self, question: _Question) -> None:
        self.question = question
        self.count = 0.0
        self.keys: list[str] = []

    def look(self, key: str, facts: Facts, weight: float) -> None:
        at_ms = self.question.at_us // 1_000
        _, _, _, before, after = self.question
        if before.choose(facts, at_ms) and not after.choose(facts, at_ms):
            self.count += weight
            if len(self.keys) < _SHOWN:
                self.keys.append(key)


def _sentences(
    lost: Iterable[_Lost], accounts: ActiveAccounts, *, is_cut: bool = False
) -> list[str]:
    is_sample = accounts.looked_at < accounts.count
    told = []
    for each in lost:
        count = round(each.count)
        if not count:
            continue
        who = "1 account" if count == 1 else f"{count:,} accounts"
        about = "at least " if is_cut else "about " if is_sample else ""
        more = ", …" if count > len(each.keys) else ""
        at = datetime_of_us(each.question.at_us)
        when = "" if each.question.is_now else f"from {at:%Y-%m-%d %H:%M} UTC on "
        of = f" (by a sample of {accounts.looked_at:,} of {accounts.count:,})" if is_sample else ""
        keys = ", ".join(each.keys)
        what = f"would have no model for {each.question.task}{of}"
        sentence = f"{when}{about}{who} {what}: {keys}{more}."
        told.append(sentence[0].upper() + sentence[1:])
    return told

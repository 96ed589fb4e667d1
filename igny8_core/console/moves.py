"""Which accounts have got another model by a change that was made: told, not asked about."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from typing import Final, NamedTuple

from flags import live
from flags.accounts import Facts, facts_of_many
from flags.engine import Document
from igny8_core.ai.candidates import SnapshotCandidates, TaskCandidates
from igny8_core.console.active_accounts import ActiveAccounts
from igny8_core.console.touched import changed_tasks

_SHOWN: Final = 5
# A report is no guard: of more accounts a sample will do, and it never keeps its reader waiting.
_MOST: Final = 1_000
_SECONDS: Final = 1.0
_NO_MODEL: Final = "no model"


class _Move(NamedTuple):
    old: str
    new: str


def moved(before: Document, after: Document) -> list[str]:
    """For example: 2 accounts move from gpt-4o-mini to gpt-4o for generate_content: acme, bolt.

    Of the active accounts as they are now; of over a thousand by a sample.
    """
    tasks = changed_tasks(before, after)
    if not tasks:
        return []
    now_us = time.time_ns() // 1_000
    old, new = (SnapshotCandidates(live.snapshot_of(each)) for each in (before, after))
    sides = {
        task.key: tuple(side.of_task(task.key, None, now_us) for side in (old, new))
        for task in tasks
    }
    accounts = ActiveAccounts.of_change(before, after, most=_MOST)
    found: dict[tuple[str, _Move], dict[str, float]] = defaultdict(dict)
    ends_s, looked = time.monotonic() + _SECONDS, 0
    for account, facts in facts_of_many(accounts):
        if time.monotonic() > ends_s:
            break
        looked += 1
        for task, (was, is_now) in sides.items():
            move = _Move(*(_model(side, facts, now_us // 1_000) for side in (was, is_now)))
            if move.old != move.new:
                found[task, move][account.key] = accounts.weight_of(account)
    return [*_sentences(found, looked, accounts.count)]


def _model(side: TaskCandidates, facts: Facts, now_ms: int) -> str:
    chosen = side.choose(facts, now_ms)
    return _NO_MODEL if chosen is None else chosen[1].model.model_id


def _sentences(
    found: dict[tuple[str, _Move], dict[str, float]], looked: int, count: int
) -> Iterator[str]:
    """One for all tasks in which the same accounts move alike."""
    alike: dict[tuple[_Move, frozenset[str]], list[str]] = defaultdict(list)
    for (task, move), weights in found.items():
        alike[move, frozenset(weights)].append(task)
    for (move, keys), tasks in alike.items():
        weights = found[tasks[0], move]
        number = round(sum(weights.values()))
        who = "1 account moves" if number == 1 else f"{number:,} accounts move"
        is_sample = looked < count
        about = f"Of {looked:,} of {count:,} accounts looked at, about " if is_sample else ""
        shown = ", ".join([*weights][:_SHOWN]) + (", …" if len(keys) > _SHOWN else "")
        yield f"{about}{who} from {move.old} to {move.new} for {', '.join(tasks)}: {shown}."

"""Which accounts a change would leave without a model for a task, now or when it says."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Final

from flags import live
from flags.accounts import Facts, facts_of_many
from flags.engine.boundaries import own_boundaries, withins
from flags.engine.times import datetime_of_us
from flags.host import Progress, Unfinished
from igny8_core.ai.candidates import SnapshotCandidates, TaskCandidates
from igny8_core.console.active_accounts import AT_ONCE, ActiveAccounts
from igny8_core.console.question import Period, Question

_SHOWN: Final = 5
# Of more accounts than this a sample is looked at.
MOST: Final = 100_000
Times = frozenset[tuple[str, int]]


def taken(asked: Question, seconds: float, progress: Progress) -> list[str]:
    """`12 accounts would have no model for generate_content: acme, bolt, …`.

    Of the active accounts. Of more than MOST those with overrides, preferences or a place on a list
    are all counted, and a sample of the rest. Raises Unfinished.
    """
    before, after = asked.before, asked.after
    sides = [SnapshotCandidates(live.snapshot_of(each)) for each in (before, after)]
    lost = [
        _Lost(period, *(side.of_task(period.task.key, None, period.begins_us) for side in sides))
        for period in asked.periods
    ]
    if asked.is_any or not asked.touched:
        accounts = ActiveAccounts.of_keys(asked.facts, count=asked.changed)
    else:
        accounts = ActiveAccounts.of_change(before, after, most=MOST, keys=asked.facts)
    of_touched = [each for each in lost if each.period.task.key in asked.touched]
    times = withins(before) | withins(after)
    ends_s = time.monotonic() + seconds
    for looked, (account, facts) in enumerate(facts_of_many(accounts)):
        if looked % AT_ONCE == 0:
            progress(looked, accounts.looked_at)
            if time.monotonic() > ends_s:
                told = _sentences(lost, accounts, is_cut=True)
                raise Unfinished(told, looked, accounts.count)
        after_facts = asked.facts.get(account.key)
        one = _One(account.key, facts, after_facts or facts, accounts.weight_of(account), times)
        for each in of_touched if after_facts is None else lost:
            each.look(one)
    progress(accounts.looked_at, accounts.looked_at)
    return _sentences(lost, accounts)


class _One:
    """An account before the change and after it, and the moments to come of its own."""

    def __init__(self, key: str, before: Facts, after: Facts, weight: float, times: Times) -> None:
        self.key, self.before, self.after, self.weight = key, before, after, weight
        self.own_ms: set[int] = set()
        for facts in {before, after} if times or before.expiries or after.expiries else ():
            self.own_ms |= {*own_boundaries(times, facts.traits), *facts.expiries.values()}


class _Count:
    """How many accounts lose their model, and the first of them."""

    def __init__(self) -> None:
        self.count = 0.0
        self.keys: list[str] = []

    def add(self, one: _One) -> None:
        self.count += one.weight
        if len(self.keys) < _SHOWN:
            self.keys.append(one.key)


class _Lost:
    """Who loses a model in a period: when it begins, or later at a moment of the account's own."""

    def __init__(self, period: Period, before: TaskCandidates, after: TaskCandidates) -> None:
        self.period = period
        self.at_once, self.later = _Count(), _Count()
        self._before, self._after = before, after

    def look(self, one: _One) -> None:
        begins_us, ends_us = self.period.begins_us, self.period.ends_us
        if self._loses(one, begins_us // 1_000):
            self.at_once.add(one)
        elif any(
            self._loses(one, at_ms) for at_ms in one.own_ms if begins_us < at_ms * 1_000 < ends_us
        ):
            self.later.add(one)

    def _loses(self, one: _One, at_ms: int) -> bool:
        had = self._before.choose(one.before, at_ms)
        return bool(had) and not self._after.choose(one.after, at_ms)


def _sentences(
    lost: Iterable[_Lost], accounts: ActiveAccounts, *, is_cut: bool = False
) -> list[str]:
    is_sample = accounts.looked_at < accounts.count
    about = "at least " if is_cut else "about " if is_sample else ""
    of = f" (by a sample of {accounts.looked_at:,} of {accounts.count:,})" if is_sample else ""
    told = []
    for each in lost:
        at = datetime_of_us(each.period.begins_us)
        when = "" if each.period.is_now else f"from {at:%Y-%m-%d %H:%M} UTC on "
        for counted, begins in ((each.at_once, when), (each.later, _LATER)):
            count = round(counted.count)
            if not count:
                continue
            who = "1 account" if count == 1 else f"{count:,} accounts"
            keys = ", ".join(counted.keys) + (", …" if count > len(counted.keys) else "")
            what = f"would have no model for {each.period.task.key}{of}"
            sentence = f"{begins}{about}{who} {what}: {keys}."
            told.append(sentence[0].upper() + sentence[1:])
    return told


_LATER: Final = "later, when an override or a `within` of theirs ends, "

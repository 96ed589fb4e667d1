"""Account + task -> the model to use, its price, and why."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from time import time_ns
from typing import Final, cast

from flags import live
from flags.accounts import Facts, facts_of, facts_of_many
from flags.engine.times import microseconds
from flags.live import Snapshot, Source
from igny8_core.ai.candidates import SnapshotCandidates, TaskCandidates
from igny8_core.ai.errors import ModelNotAvailable, NoUsableModel
from igny8_core.ai.providers import circuits
from igny8_core.ai.resolution import NOTHING_REFUSED, Refusal, Resolution
from igny8_core.ai.trail import trail
from igny8_core.catalogue.names import REACH
from igny8_core.modules.accounts.models import Account
from igny8_core.pricing.errors import InvalidMoment
from igny8_core.tasks.needs import Needs

# What a NamedTuple's own constructor does, in half the time.
_new: Final = tuple.__new__


class _Latest:
    """The candidates of the snapshot that was asked last."""

    def __init__(self) -> None:
        self.candidates: SnapshotCandidates | None = None


_latest: Final = _Latest()


def resolve(  # noqa: PLR0913 - the question has this many parts, most of them by keyword
    account: Account,
    task: str,
    *,
    needs: Needs | None = None,
    model: str | None = None,
    keep: str | None = None,
    at: datetime | None = None,
    revision: int | None = None,
    explain: bool = False,
    keys_for: Collection[str] | None = None,
) -> Resolution:
    """Pick the model for an account's task; `explain` keeps the trail. No query, where it is warm.

    `model` and no other is used; `keep` is, while it is usable. `at` takes the rules' times, the
    prices and the overrides as they are at that moment, `revision` another document than the one in
    force; of the account what is known now. `keys_for`: the caller has keys of its own, for these
    providers and no others. Raises UnknownTask, InvalidMoment where `at` has no
    zone, ModelNotAvailable where `model` is not usable, NoUsableModel with the whole trail, and for
    a `revision` UnknownRevision and UnusableRevision.
    """
    snapshot = live.current() if revision is None else live.at_revision(revision)
    now_us = time_ns() // 1000 if at is None else _microseconds(at)
    of_snapshot = _latest.candidates
    if of_snapshot is None or of_snapshot.snapshot is not snapshot:
        of_snapshot = _candidates(snapshot, is_kept=revision is None)
    question = task if needs is None else (task, needs)
    candidates = of_snapshot.by_question.get(question)
    if candidates is None or not candidates.begins_us <= now_us < candidates.ends_us:
        candidates = of_snapshot.of_task(task, needs, now_us)
        if at is None:
            of_snapshot.keep(question, candidates)
    facts = facts_of(account, now_us if at is None else None)
    if keys_for is not None:
        facts = _with_keys(facts, of_snapshot.origins, keys_for)
    held = facts.held
    is_plain = model is None is keep and at is None
    refused = NOTHING_REFUSED
    if circuits.opened and at is None and revision is None and keys_for is None:
        refused = dict.fromkeys(circuits.open_now(), Refusal.CIRCUIT_OPEN)
        is_plain = is_plain and not refused
    if (
        is_plain
        and held is not None
        and held[0] is candidates.token
        and held[1] <= now_us < held[2]
    ):
        chosen = held[3]
    else:
        chosen = candidates.choose(facts, now_us // 1000, model, keep, refused)
        if chosen is None:
            raise _nothing(facts, candidates, now_us // 1000, model, keep, refused)
        if is_plain and of_snapshot is _latest.candidates:
            candidates.hold(facts, now_us, chosen)
    entries = (
        trail(candidates, facts, now_us // 1000, pinned=model, kept=keep, refused=refused)
        if explain
        else None
    )
    return _new(Resolution, (candidates, facts, chosen, now_us, entries, refused))


def _with_keys(facts: Facts, origins: Mapping[str, str], keys_for: Collection[str]) -> Facts:
    """Where offline answers stand in for keys, they still do."""
    reach = facts.host.get(REACH)
    if reach is None or reach["offline"]:
        return facts
    keys = {provider: origins[provider] for provider in keys_for if provider in origins}
    return replace(facts, host={**facts.host, REACH: {**reach, "keys": keys}}, held=None)


def _candidates(snapshot: Snapshot, *, is_kept: bool) -> SnapshotCandidates:
    """An open transaction's are its own."""
    of_snapshot = SnapshotCandidates(snapshot)
    if is_kept and snapshot.source is not Source.TRANSACTION:
        _latest.candidates = of_snapshot
    return of_snapshot


def resolve_many(
    accounts: Iterable[Account], task: str, *, needs: Needs | None = None
) -> Iterator[tuple[Account, Resolution | NoUsableModel]]:
    """Each account with its model, or why there is none: at one moment, on one revision.

    For reports: accounts are read as they come, and what is read of them is not kept. Raises
    UnknownTask.
    """
    now_us = time_ns() // 1000
    candidates = SnapshotCandidates(live.current()).of_task(task, needs, now_us)
    return _each(accounts, candidates, now_us)


def _each(
    accounts: Iterable[Account], candidates: TaskCandidates, now_us: int
) -> Iterator[tuple[Account, Resolution | NoUsableModel]]:
    for account, facts in facts_of_many(accounts):
        chosen = candidates.choose(facts, now_us // 1000)
        if chosen is None:
            nothing = _nothing(facts, candidates, now_us // 1000, None, None)
            yield account, cast(NoUsableModel, nothing)
        else:
            yield (
                account,
                _new(Resolution, (candidates, facts, chosen, now_us, None, NOTHING_REFUSED)),
            )


def _nothing(  # noqa: PLR0913 - what was asked
    facts: Facts,
    candidates: TaskCandidates,
    now_ms: int,
    model: str | None,
    keep: str | None,
    refused: Mapping[str, Refusal] = NOTHING_REFUSED,
) -> ModelNotAvailable | NoUsableModel:
    entries = trail(candidates, facts, now_ms, pinned=model, kept=keep, refused=refused)
    available = candidates.usable_ids(facts, now_ms, refused)
    if model is not None:
        return ModelNotAvailable(model, available, entries)
    return NoUsableModel(str(facts.key), candidates.task.key, entries, available)


def _microseconds(at: datetime) -> int:
    if not isinstance(at, datetime) or at.tzinfo is None:
        raise InvalidMoment(at)
    try:
        return microseconds(at.astimezone(UTC))
    except OverflowError:
        raise InvalidMoment(at) from None

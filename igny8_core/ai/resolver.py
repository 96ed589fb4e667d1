"""Account + task -> the model to use, its price, and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from time import time_ns
from typing import Final, cast

from flags import live
from flags.account_facts import facts_of, facts_of_many
from flags.account_rows import Facts
from flags.snapshot import Snapshot, Source
from igny8_core.ai.exceptions import InvalidMoment, ModelNotAvailable, NoUsableModel
from igny8_core.ai.routing import Route, Router, microseconds
from igny8_core.ai.trail import trail
from igny8_core.ai.values import Needs, Resolution
from igny8_core.modules.accounts.models import Account

# What a NamedTuple's own constructor does, in half the time.
_new: Final = tuple.__new__


class _Warm:
    """The router of the snapshot that was asked last."""

    def __init__(self) -> None:
        self.router: Router | None = None


_warm: Final = _Warm()


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
) -> Resolution:
    """Pick the model for an account's task; `explain` keeps the trail. No query, where it is warm.

    `model` and no other is used; `keep` is, while it is usable. `at` takes the rules' times, the
    prices and the overrides as they are at that moment, `revision` another document than the one in
    force; of the account what is known now. Raises UnknownTask, InvalidMoment where `at` has no
    zone, ModelNotAvailable where `model` is not usable, NoUsableModel with the whole trail, and for
    a `revision` UnknownRevision and UnusableRevision.
    """
    snapshot = live.current() if revision is None else live.at_revision(revision)
    now = time_ns() // 1000 if at is None else _microseconds(at)
    router = _warm.router
    if router is None or router.snapshot is not snapshot:
        router = _router(snapshot, is_kept=revision is None)
    asked = task if needs is None else (task, needs)
    route = router.routes.get(asked)
    if route is None or not route.begins <= now < route.ends:
        route = router.route(task, needs, now)
        if at is None:
            router.keep(asked, route)
    facts = facts_of(account, now if at is None else None)
    held = facts.held
    is_plain = model is None is keep and at is None
    if is_plain and held is not None and held[0] is route.token and held[1] <= now < held[2]:
        chosen = held[3]
    else:
        chosen = route.choose(facts, now // 1000, model, keep)
        if chosen is None:
            raise _nothing(facts, route, now // 1000, model, keep)
        if is_plain and router is _warm.router:
            route.hold(facts, now, chosen)
    steps = trail(route, facts, now // 1000, pinned=model, kept=keep) if explain else None
    return _new(Resolution, (route, facts, chosen, now, steps))


def _router(snapshot: Snapshot, *, is_kept: bool) -> Router:
    """An open transaction's is its own."""
    router = Router(snapshot)
    if is_kept and snapshot.source is not Source.TRANSACTION:
        _warm.router = router
    return router


def resolve_many(
    accounts: Iterable[Account], task: str, *, needs: Needs | None = None
) -> Iterator[tuple[Account, Resolution | NoUsableModel]]:
    """Each account with its model, or why there is none: at one moment, on one revision.

    For reports: accounts are read as they come, and what is read of them is not kept. Raises
    UnknownTask.
    """
    now = time_ns() // 1000
    return _each(accounts, Router(live.current()).route(task, needs, now), now)


def _each(
    accounts: Iterable[Account], route: Route, now: int
) -> Iterator[tuple[Account, Resolution | NoUsableModel]]:
    for account, facts in facts_of_many(accounts):
        chosen = route.choose(facts, now // 1000)
        if chosen is None:
            nothing = _nothing(facts, route, now // 1000, None, None)
            yield account, cast(NoUsableModel, nothing)
        else:
            yield account, _new(Resolution, (route, facts, chosen, now, None))


def _nothing(
    facts: Facts, route: Route, now: int, model: str | None, keep: str | None
) -> ModelNotAvailable | NoUsableModel:
    steps = trail(route, facts, now, pinned=model, kept=keep)
    available = route.usable_ids(facts, now)
    if model is not None:
        return ModelNotAvailable(model, available, steps)
    return NoUsableModel(str(facts.key), route.task.key, steps, available)


def _microseconds(at: datetime) -> int:
    if not isinstance(at, datetime) or at.tzinfo is None:
        raise InvalidMoment(at)
    try:
        return microseconds(at.astimezone(UTC))
    except OverflowError:
        raise InvalidMoment(at) from None

"""Account + task -> the model to use, its price, and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from time import time_ns
from typing import Final, cast

from flags import live
from flags.account_facts import Facts, facts_of, facts_of_many
from igny8_core.ai.exceptions import InvalidMoment, ModelNotAvailable, NoUsableModel
from igny8_core.ai.routing import Route, Router, microseconds
from igny8_core.ai.values import Needs, Resolution, Step
from igny8_core.modules.accounts.models import Account

# What a NamedTuple's own constructor does, in half the time.
_new: Final = tuple.__new__


class _Last:
    """The router of the snapshot that was asked last."""

    router: Router | None = None


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
    router = _Last.router
    if router is None or router.snapshot is not snapshot:
        router = Router(snapshot)
        if revision is None:
            _Last.router = router
    now = time_ns() // 1000 if at is None else _microseconds(at)
    asked = task if needs is None else (task, needs)
    route = router.routes.get(asked)
    if route is None or not route.begins <= now < route.ends:
        route = router.route(task, needs, now)
        if at is None:
            router.routes[asked] = route
    facts = facts_of(account)
    is_plain = model is None is keep and at is None and not explain
    if is_plain:
        held = route.held.get(account.key)
        if held is not None and held[0] is facts and now < held[1]:
            _, _, reason, choice, decision = held
            return _new(
                Resolution, (account.key, route, facts, choice, reason, decision, now, None)
            )
    trail: list[Step] | None = [] if explain else None
    chosen = route.choose(facts, now // 1000, model, keep, trail)
    if chosen is None:
        raise _nothing(account, facts, route, now // 1000, model, keep)
    reason, choice, decision = chosen
    if is_plain:
        route.hold(account.key, facts, now, chosen)
    steps = None if trail is None else tuple(trail)
    return _new(Resolution, (account.key, route, facts, choice, reason, decision, now, steps))


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
            nothing = _nothing(account, facts, route, now // 1000, None, None)
            yield account, cast(NoUsableModel, nothing)
        else:
            reason, choice, decision = chosen
            answer = (account.key, route, facts, choice, reason, decision, now, None)
            yield account, _new(Resolution, answer)


def _nothing(  # noqa: PLR0913
    account: Account, facts: Facts, route: Route, now: int, model: str | None, keep: str | None
) -> ModelNotAvailable | NoUsableModel:
    """Asked once more, for the trail."""
    trail: list[Step] = []
    route.choose(facts, now, model, keep, trail)
    available = route.usable_ids(facts, now)
    if model is not None:
        return ModelNotAvailable(model, available, trail)
    return NoUsableModel(account.key, route.task.key, trail, available)


def _microseconds(at: datetime) -> int:
    if not isinstance(at, datetime) or at.tzinfo is None:
        raise InvalidMoment(at)
    try:
        return microseconds(at.astimezone(UTC))
    except OverflowError:
        raise InvalidMoment(at) from None

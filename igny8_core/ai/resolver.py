"""Account + task + catalogue -> the model to use, and why."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from django.utils import timezone

from flags.account_facts import facts_of
from igny8_core.ai import pricing
from igny8_core.ai.catalogue import Catalogue
from igny8_core.ai.exceptions import InvalidMoment, ModelNotAvailable, NoUsableModel
from igny8_core.ai.model_registry import ModelRegistry
from igny8_core.ai.tasks import Task, get_task
from igny8_core.ai.values import CatalogueModel, Needs, Reason, Refusal, Resolution, Step
from igny8_core.modules.accounts.models import Account
from igny8_core.modules.system.apps import PREFERENCES


def resolve(  # noqa: PLR0913 - the question has this many parts, four of them by keyword
    account: Account,
    task: str,
    *,
    needs: Needs | None = None,
    model: str | None = None,
    at: datetime | None = None,
    explain: bool = False,
) -> Resolution:
    """Pick the model for an account's task; `explain` keeps the trail.

    Raises UnknownTask, InvalidMoment where `at` has no zone, ModelNotAvailable where the caller's
    `model` is not usable, and NoUsableModel with the whole trail.
    """
    if at is not None and at.tzinfo is None:
        raise InvalidMoment(at)
    the_task = get_task(task)
    the_task = the_task._replace(needs=the_task.needs.union(needs or Needs()))
    catalogue = ModelRegistry.catalogue()
    trail: list[Step] = []
    moment = at or timezone.now()
    for reason, found in _candidates(catalogue, the_task, account, model):
        if isinstance(found, Refusal):
            trail.append(Step(reason, model, found))
            continue
        refusal = refusal_of(found, the_task, moment)
        trail.append(Step(reason, found.model_id, refusal))
        if refusal is None:
            return Resolution(
                account_key=account.key,
                task=the_task.key,
                model=found,
                reason=reason,
                at=moment,
                trail=tuple(trail) if explain else None,
            )
    if model is not None:
        raise ModelNotAvailable(model, _usable_ids(catalogue, the_task, moment), trail)
    raise NoUsableModel(account.key, the_task.key, trail)


def refusal_of(model: CatalogueModel, task: Task, at: datetime) -> Refusal | None:
    """Why the task cannot use the model at this moment, or None: it is usable."""
    checks = (
        (model.is_active, Refusal.INACTIVE),
        (model.model_type == task.model_type, Refusal.WRONG_TYPE),
        (pricing.price_of(model, at).is_complete(model.model_type), Refusal.UNPRICED),
        (model.supports_json_mode or not task.needs.json_mode, Refusal.NO_JSON_MODE),
        (model.supports_vision or not task.needs.vision, Refusal.NO_VISION),
        (model.max_tokens >= task.needs.context_tokens, Refusal.CONTEXT_TOO_SMALL),
    )
    return next((refusal for is_met, refusal in checks if not is_met), None)


def _candidates(
    catalogue: Catalogue,
    task: Task,
    account: Account,
    pinned: str | None,
) -> Iterator[tuple[Reason, CatalogueModel | Refusal]]:
    """The models to try, in order. A pinned model is never swapped for another."""
    if pinned is not None:
        yield Reason.PINNED, catalogue.models.get(pinned, Refusal.UNKNOWN_MODEL)
        return
    yield Reason.PREFERENCE, _preference(catalogue, task, account)
    default = catalogue.default(task.model_type)
    if not catalogue.is_constants:
        yield Reason.TYPE_DEFAULT, default or Refusal.NO_DEFAULT
        return
    yield Reason.TYPE_DEFAULT, Refusal.CATALOGUE_EMPTY
    for model in sorted(
        catalogue.active(task.model_type),
        key=lambda model: not model.is_default,
    ):
        yield Reason.CONSTANTS, model


def _preference(catalogue: Catalogue, task: Task, account: Account) -> CatalogueModel | Refusal:
    """The account's own choice for the task's type."""
    facts = facts_of(account)
    if not facts.is_known:
        return Refusal.PREFERENCE_UNREADABLE
    preferred = facts.host.get(PREFERENCES, {}).get(task.model_type)
    if preferred is None:
        return Refusal.NO_PREFERENCE
    return catalogue.models.get(preferred, Refusal.UNKNOWN_MODEL)


def _usable_ids(catalogue: Catalogue, task: Task, at: datetime) -> list[str]:
    return [
        model.model_id
        for model in catalogue.active(task.model_type)
        if refusal_of(model, task, at) is None
    ]

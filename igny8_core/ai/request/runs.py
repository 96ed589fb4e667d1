"""A run keeps the model that it has: its receipts say which, in any process."""

from __future__ import annotations

import logging
import time
from datetime import timedelta
from typing import Final

from django.utils import timezone

from igny8_core.ai.errors import InvalidRunKey
from igny8_core.ai.resolution import Reason, Resolution
from igny8_core.modules.accounts.models import Account
from igny8_core.modules.system.declared_tasks import known_tasks
from igny8_core.modules.usage.connecting import AWAY, reconnected
from igny8_core.modules.usage.models import Receipt
from igny8_core.tasks.tasks import Task

logger = logging.getLogger(__name__)

# For how long.
_RUN: Final = timedelta(days=1)
# What this process has resolved for a run, and when, in seconds of the monotonic clock: by account,
# run and type of model. Receipts on the disk are not in the table yet.
_here: Final[dict[tuple[object, str, str], tuple[str, float]]] = {}
_MOST_HERE: Final = 10_000


def checked_run(key: str | None) -> str:
    """Raises InvalidRunKey; "" where there is none."""
    if key is None:
        return ""
    longest = Receipt._meta.get_field("run").max_length or 0
    if not isinstance(key, str) or not 1 <= len(key) <= longest or not key.isprintable():
        raise InvalidRunKey(key)
    return key


def model_of_run(account: Account, run: str, task: Task) -> str | None:
    """The model that the run has of this type. One query where this process has not met the run.

    Without the database a run that is new here has none.
    """
    model_id, at_s = _here.get((account.pk, run, task.model_type), (None, 0.0))
    if model_id is not None and time.monotonic() - at_s < _RUN.total_seconds():
        return model_id
    try:
        return reconnected(lambda: _of_receipts(account, run, task))
    except AWAY as error:
        logger.warning("The model of the run %r cannot be read: %s", run, error)
        return None


def remember(account: Account, run: str, resolution: Resolution) -> None:
    """What was resolved for the run; a model that the call named is no run's."""
    if resolution.reason is not Reason.PINNED:
        if len(_here) >= _MOST_HERE:
            _here.clear()
        model = resolution.model
        _here[account.pk, run, model.model_type] = model.model_id, time.monotonic()


def _of_receipts(account: Account, run: str, task: Task) -> str | None:
    tasks = [each.key for each in known_tasks().values() if each.model_type == task.model_type]
    rows = Receipt.objects.filter(
        account=account, run=run, task__in=tasks, created_at__gte=timezone.now() - _RUN
    )
    unpinned = rows.exclude(reason=Reason.PINNED).order_by("-pk")
    return unpinned.values_list("model_asked", flat=True).first()

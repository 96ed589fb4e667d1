"""A run keeps the model that its first call got: its receipts say which."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from django.utils import timezone

from igny8_core.ai.errors import InvalidRunKey
from igny8_core.ai.resolution import Reason
from igny8_core.modules.accounts.models import Account
from igny8_core.modules.system.declared_tasks import known_tasks
from igny8_core.modules.usage.models import Receipt
from igny8_core.tasks.tasks import Task

# For how long.
_RUN: Final = timedelta(days=1)


def checked_run(key: str | None) -> str:
    """Raises InvalidRunKey; "" where there is none."""
    if key is None:
        return ""
    longest = Receipt._meta.get_field("run").max_length or 0
    if not isinstance(key, str) or not 1 <= len(key) <= longest or not key.isprintable():
        raise InvalidRunKey(key)
    return key


def model_of_run(account: Account, run: str, task: Task) -> str | None:
    """The model that the run's last call of this type of model was resolved to. One query."""
    tasks = [each.key for each in known_tasks().values() if each.model_type == task.model_type]
    rows = Receipt.objects.filter(
        account=account, run=run, task__in=tasks, created_at__gte=timezone.now() - _RUN
    )
    unpinned = rows.exclude(reason=Reason.PINNED).order_by("-pk")
    return unpinned.values_list("model_asked", flat=True).first()

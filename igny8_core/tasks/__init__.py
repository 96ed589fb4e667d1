"""The tasks of the pipeline: `register` adds one of an app's own."""

from __future__ import annotations

from igny8_core.tasks.needs import Needs
from igny8_core.tasks.tasks import Task, register

__all__ = ["Needs", "Task", "register"]

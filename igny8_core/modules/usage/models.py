"""Every row of the app, for Django."""

from __future__ import annotations

from igny8_core.modules.usage.adjustments import Adjustment
from igny8_core.modules.usage.receipts import Receipt
from igny8_core.modules.usage.roll_ups import ChangedDay, DailyUsage, RolledDay

__all__ = ["Adjustment", "ChangedDay", "DailyUsage", "Receipt", "RolledDay"]

"""Reports of the ledger: what calls add up to, by whatever they are told apart by.

`sums` says what is added up, `latencies` how percentiles are kept, `days` which days are rolled up,
`rolling` rolls them, `totals` answers.
"""

from __future__ import annotations

from igny8_core.modules.usage.reports.days import Days
from igny8_core.modules.usage.reports.totals import By, Total, days_of_month, month, totals

__all__ = ["By", "Days", "Total", "days_of_month", "month", "totals"]

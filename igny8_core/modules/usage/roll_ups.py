"""The ledger by day: what the receipts of a day add up to, kept so that reports read few rows.

```
receipts ──(roll_up)──▶ DailyUsage, RolledDay          a day in UTC that is over
   └──(trigger of the database)──▶ ChangedDay          a receipt of a past day was written
```
A day that is rolled and has not changed since is read from here, any other from its receipts.
"""

from __future__ import annotations

from typing import ClassVar, Final

from django.conf import settings
from django.db import models

from igny8_core.modules.system.money import UsdField

DIMENSIONS: Final = ("account", "task", "model_asked", "provider", "flag", "variant")


class RolledDay(models.Model):
    """A day in UTC of which there is a roll-up; its row is locked while it is rolled."""

    day = models.DateField(primary_key=True)
    rolled_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"{self.day}"


class ChangedDay(models.Model):
    """A mark: something of the day was written when it was over.

    The database writes it in the writer's own transaction, and only the roll-up that has seen what
    was written takes it away. Marks are many for a day, so that no writer waits for another.
    """

    day = models.DateField(db_index=True)

    def __str__(self) -> str:
        return f"{self.day}"


class DailyUsage(models.Model):
    """What the receipts of a day add up to; the model is the one that was resolved."""

    day = models.DateField()
    account = models.ForeignKey(
        settings.FLAGS_ACCOUNT_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    task = models.CharField(max_length=100)
    model_asked = models.CharField(max_length=100)
    provider = models.CharField(max_length=50)
    flag = models.CharField(max_length=200, blank=True)
    variant = models.CharField(max_length=200, blank=True)

    calls = models.BigIntegerField()
    errors = models.BigIntegerField(help_text="Calls that are over and have no answer.")
    without_cost = models.BigIntegerField(help_text="Calls of which no cost is known.")
    input_tokens = models.BigIntegerField()
    output_tokens = models.BigIntegerField()
    images = models.BigIntegerField()
    cost = UsdField(help_text="Of what counts as spend.")
    charge = UsdField(help_text="Of what counts as spend.")
    compared = models.BigIntegerField(
        help_text="Calls with a cost that the provider reports and one by the price."
    )
    cost_reported = UsdField(help_text="What providers report for the calls compared.")
    cost_computed = UsdField(help_text="What the calls compared cost by their prices.")
    latencies = models.TextField(
        blank=True,
        help_text="A letter for each settled call: how long it took, as latencies.py spells it.",
    )

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["day", *DIMENSIONS], name="usage_of_a_day_is_added_up_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.account} {self.task} {self.model_asked}: {self.calls}"

"""Adjusting entries: what is found out later of a receipt, which itself is never edited."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils import timezone

from igny8_core.modules.system.models import ModelPrice
from igny8_core.modules.system.money import UsdField
from igny8_core.modules.usage.receipts import Receipt


class Adjustment(models.Model):
    """The cost of a receipt that had none, by the price of the moment of its call."""

    receipt = models.OneToOneField(Receipt, on_delete=models.PROTECT, related_name="adjustment")
    meters = models.JSONField(help_text="What the call took, as read from its usage block.")
    model_priced = models.CharField(max_length=100, help_text="The model whose price was taken.")
    price = models.ForeignKey(
        ModelPrice,
        null=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="The price that was taken; empty for the plan's figures.",
    )
    lines = models.JSONField(help_text="The quote's lines, as on a receipt.")
    cost = UsdField(help_text="What the provider takes.")
    charge = UsdField(
        null=True, help_text="What the account pays; empty where the receipt has no markup."
    )
    author = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering: ClassVar = ["-created_at", "-pk"]

    def __str__(self) -> str:
        return f"{self.receipt_id}: {self.cost} USD at the price of {self.model_priced}"

"""The ledger's rows."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from igny8_core.modules.usage.fields import UsdField


class Receipt(models.Model):
    """One AI call: who asked for what, what answered, why that model, and what it cost."""

    OK = "ok"
    UNMETERED = "unmetered"
    INTERRUPTED = "interrupted"

    request_id = models.UUIDField(unique=True, help_text="One per AI call.")
    account = models.ForeignKey(
        settings.FLAGS_ACCOUNT_MODEL,
        on_delete=models.PROTECT,
        related_name="receipts",
    )
    task = models.CharField(max_length=100)
    model_asked = models.CharField(max_length=100, help_text="The model that was resolved.")
    model_served = models.CharField(
        max_length=100,
        blank=True,
        help_text="The model that the provider says answered.",
    )
    provider = models.CharField(
        max_length=50,
        help_text="Who was called; “offline” where no provider was.",
    )
    reason = models.CharField(max_length=40, help_text="Which candidate gave the model.")
    input_tokens = models.BigIntegerField(null=True, blank=True)
    output_tokens = models.BigIntegerField(null=True, blank=True)
    cost = UsdField(
        null=True,
        blank=True,
        help_text="What the provider takes; empty where it is not known.",
    )
    currency = models.CharField(max_length=3, default="USD")
    latency_ms = models.IntegerField()
    status = models.CharField(
        max_length=40,
        help_text=(
            "ok, unmetered (an answer without token counts), interrupted (the call was cut off), "
            "or the failure's code."
        ),
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False, db_index=True)

    class Meta:
        ordering: ClassVar = ["-created_at", "-pk"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(status="ok", cost__isnull=False, cost__gte=0)
                | (~models.Q(status="ok") & models.Q(cost__isnull=True)),
                name="receipt_has_a_cost_exactly_when_ok",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.request_id} {self.account} {self.task} {self.model_asked} {self.status}"

"""The ledger's rows."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from igny8_core.modules.system.models import ModelPrice
from igny8_core.modules.system.money import UsdField
from igny8_core.modules.usage.states import ANSWERED, OK, State


class Receipt(models.Model):
    """One AI request: who asked for what, what answered, why that model, and what it cost.

    It is opened before anything is sent, and settled once.
    """

    request_id = models.UUIDField(help_text="One per AI request of an account.")
    state = models.CharField(max_length=10, choices=State.choices, default=State.SETTLED)
    arguments = models.CharField(
        max_length=64, blank=True, help_text="A digest of what was asked, to know it again by."
    )
    is_sent = models.BooleanField(
        default=True, help_text="Whether anything of it reached a provider, as far as is known."
    )
    is_spend = models.BooleanField(
        default=True,
        help_text="Whether it counts as spend; what was answered offline has a cost and no charge.",
    )
    duplicates = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
        help_text="The receipt whose request id this one had too, while the database was away.",
    )
    run = models.CharField(max_length=200, blank=True, help_text="The run whose models it keeps.")
    asked = models.JSONField(
        default=dict, blank=True, help_text="Which model and needs were asked."
    )
    refused = models.JSONField(
        default=dict, blank=True, help_text="Unusable models just then: why."
    )
    parameters = models.JSONField(default=dict, blank=True, help_text="As they were sent last.")
    attempts = models.JSONField(
        default=list, blank=True, help_text="Each call to a provider, and what came of it."
    )
    account = models.ForeignKey(
        settings.FLAGS_ACCOUNT_MODEL,
        on_delete=models.PROTECT,
        related_name="receipts",
        db_index=False,  # its other indexes begin with it
    )
    task = models.CharField(max_length=100)
    model_asked = models.CharField(max_length=100, help_text="The model that was resolved.")
    model_served = models.CharField(
        max_length=100, blank=True, help_text="The model that the provider says answered."
    )
    provider = models.CharField(max_length=50, help_text="Who was called, or “offline”.")
    replaces = models.CharField(
        max_length=100, blank=True, help_text="The retired model it is for."
    )
    reason = models.CharField(max_length=40, help_text="Which candidate gave the model.")
    account_facts = models.JSONField(
        default=dict,
        blank=True,
        help_text="What was known of the account: traits, overrides in force, preferences.",
    )
    prompt = models.CharField(
        max_length=20,
        help_text="Whose instruction it was put with: account, platform or built-in.",
    )
    prompt_version = models.PositiveIntegerField(null=True, blank=True)
    input_tokens = models.BigIntegerField(null=True, blank=True)
    output_tokens = models.BigIntegerField(null=True, blank=True)
    images = models.IntegerField(null=True, blank=True)
    meters = models.JSONField(
        default=dict, blank=True, help_text="What it took, as the provider counts."
    )
    context = models.JSONField(
        default=dict,
        blank=True,
        help_text="How the provider says that it served: service tier, size, quality, region.",
    )
    usage_block = models.TextField(
        blank=True, help_text="The provider's usage block as it came, JSON."
    )
    usage_note = models.CharField(
        max_length=500, blank=True, help_text="Why it is not metered, or what is an estimate."
    )
    is_name_known = models.BooleanField(
        default=True, help_text="Whether the catalogue knew the model that answered by its name."
    )
    cost = UsdField(
        null=True,
        blank=True,
        help_text="What the provider takes, or would where offline answered; empty if unknown.",
    )
    cost_computed = UsdField(
        null=True, blank=True, help_text="What it costs by the price; the sum of the lines."
    )
    cost_reported = UsdField(
        null=True, blank=True, help_text="What the provider says it costs; it wins."
    )
    charge = UsdField(null=True, blank=True, help_text="What the account pays.")
    price = models.ForeignKey(
        ModelPrice,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="The price that was taken; empty for the plan's figures.",
    )
    model_priced = models.CharField(
        max_length=100,
        blank=True,
        help_text="The model whose price was taken: the served one where the catalogue has it.",
    )
    lines = models.JSONField(
        default=list,
        blank=True,
        help_text="The quote's lines: meter, quantity, rate, per how many, amount.",
    )
    revision = models.PositiveBigIntegerField(
        null=True,
        blank=True,
        db_index=True,
        help_text="The number of the revision that decided; empty for the plan's figures.",
    )
    flag = models.CharField(max_length=200, blank=True, help_text="The flag that gave the model.")
    rule = models.CharField(max_length=200, blank=True, help_text="The id of its rule.")
    variant = models.CharField(
        max_length=200, blank=True, help_text="The variant of the flag that gave the model."
    )
    arm = models.CharField(max_length=200, blank=True, help_text="The arm of a rollout.")
    markup_percent = models.DecimalField(
        max_digits=20,
        decimal_places=12,
        null=True,
        blank=True,
        help_text="What the account pays above the cost.",
    )
    markup_by = models.CharField(
        max_length=240, blank=True, help_text="What decided the markup: the reason and the rule."
    )
    latency_ms = models.IntegerField(default=0)
    status = models.CharField(
        max_length=40,
        help_text=(
            "ok, unmetered (an answer without token counts), unpriced (what it took has no "
            "price), interrupted (the call was cut off), pending (its end is not known), or the "
            "failure's code."
        ),
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False, db_index=True)
    settled_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering: ClassVar = ["-created_at", "-pk"]
        indexes: ClassVar = [
            models.Index(fields=["request_id"], name="receipt_by_request"),
            models.Index(fields=["account", "-created_at"], name="receipt_by_account"),
            models.Index(fields=["run", "-id"], condition=~models.Q(run=""), name="receipt_by_run"),
            models.Index(
                fields=["created_at"],
                condition=models.Q(state=State.OPEN),
                name="receipt_that_is_open",
            ),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["account", "request_id"], name="one_receipt_per_request_of_an_account"
            ),
            models.CheckConstraint(
                condition=models.Q(cost__isnull=False, cost__gte=0)
                | (~models.Q(status=OK) & models.Q(cost__isnull=True)),
                name="receipt_has_a_cost_when_ok",
            ),
        ]

    @property
    def outcome(self) -> str:
        """`ok` where there was an answer, however it could be metered; else what was in its way."""
        return OK if self.status in ANSWERED else self.status

    @property
    def metering(self) -> str:
        """How its cost is known: metered, reported, unmetered or unpriced; "" without an answer."""
        if self.cost_reported is not None:
            return "reported"
        return {OK: "metered"}.get(self.status, self.status if self.outcome == OK else "")

    def __str__(self) -> str:
        return f"{self.request_id} {self.account} {self.task} {self.model_asked} {self.status}"

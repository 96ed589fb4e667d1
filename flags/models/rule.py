"""A flag's variants and rules."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, ClassVar

from django.db import models

from flags.models.fields import JsonField
from flags.models.keys import check_key
from flags.models.published import Published, PublishedQuerySet


class Variant(Published):
    """One of a flag's possible answers."""

    flag = models.ForeignKey("flags.Flag", on_delete=models.CASCADE, related_name="variants")
    key = models.CharField(max_length=200, validators=[check_key])
    value = JsonField()

    objects: ClassVar[Any] = PublishedQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["flag", "key"], name="one_variant_per_flag_and_key"),
        ]

    def __str__(self) -> str:
        return self.key


class Rule(Published):
    """When … serve …: a flag's rules are asked in order of their positions."""

    flag = models.ForeignKey("flags.Flag", on_delete=models.CASCADE, related_name="rules")
    # A new rule goes last.
    position = models.PositiveIntegerField(default=None, blank=True, db_index=True)
    rule_id = models.CharField(
        "id",
        max_length=200,
        blank=True,
        help_text="What answers and receipts name; empty: the next free one.",
    )
    name = models.CharField(max_length=200, blank=True)
    when = JsonField(
        default=list,
        blank=True,
        help_text="Clauses that must all hold; empty: every account.",
    )
    serve = JsonField(
        help_text='A variant, or a split such as {"split": {"mini": 90, "next": 10}}.',
    )
    starts_at = models.DateTimeField("from", null=True, blank=True)
    ends_at = models.DateTimeField("until", null=True, blank=True)
    group = models.CharField(
        max_length=200,
        blank=True,
        help_text="Rules of one group, in any flag, have shares that do not overlap.",
    )

    objects: ClassVar[Any] = PublishedQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["position", "pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["flag", "rule_id"], name="one_rule_per_flag_and_id"),
        ]

    def __str__(self) -> str:
        return self.name or self.rule_id

    def save(self, *args: Any, **options: Any) -> None:
        if not self.rule_id:
            self.rule_id = next_rule_id(self.flag.rules.values_list("rule_id", flat=True))
        if self.position is None:
            last = self.flag.rules.aggregate(last=models.Max("position"))["last"]  # type: ignore[unreachable]
            self.position = 0 if last is None else last + 1
        super().save(*args, **options)


def next_rule_id(used: Iterable[str]) -> str:
    """`r<n>`, above every number in use."""
    numbers = [int(each[1:]) for each in used if re.fullmatch(r"r[0-9]{1,9}", each)]
    return f"r{max(numbers, default=0) + 1}"

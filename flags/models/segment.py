"""Reusable named sets of accounts, and the accounts of their long lists."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, ClassVar, Final

from django.core.exceptions import ValidationError
from django.db import models, transaction

from flags.engine.plain import MAX_ITEMS
from flags.models.fields import JsonField
from flags.models.keys import check_key
from flags.models.pending import accounts_changed, list_changed
from flags.models.primary import OnPrimary
from flags.models.published import Published, PublishedQuerySet

# Where more accounts change, all are told of.
_TOLD: Final = 1_000


class Segment(Published):
    """A reusable named set of accounts: excluded, else included, else any group of clauses."""

    NAME = "key"

    key = models.CharField(max_length=200, unique=True, validators=[check_key])
    note = models.TextField(blank=True)
    rules = JsonField(
        default=list,
        blank=True,
        help_text="Groups of clauses, [[…], […]]: an account is in where all of one group hold.",
    )
    include = JsonField(default=list, blank=True)
    exclude = JsonField(default=list, blank=True)
    is_long = models.BooleanField(
        default=False,
        editable=False,
        help_text=f"Its lists are rows of their own, because one has over {MAX_ITEMS:,} accounts.",
    )

    objects: ClassVar[Any] = PublishedQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["key"]

    def __str__(self) -> str:
        return self.key

    def lists(self) -> tuple[list[str], list[str]]:
        """The included and the excluded accounts."""
        if not self.is_long:
            return self.include, self.exclude
        rows = list(self.members.order_by("pk").values_list("key", "is_excluded"))
        return [key for key, out in rows if not out], [key for key, out in rows if out]

    @staticmethod
    def check_lists(include: Sequence[str], exclude: Sequence[str]) -> None:
        """Raises ValidationError for an account in both, or twice in one."""
        for which, keys in (("included", include), ("excluded", exclude)):
            counted = Counter(keys)
            twice = next((key for key, count in counted.items() if count > 1), None)
            if twice is not None:
                message = f"“{twice}” is {which} twice."
                raise ValidationError(message)
        excluded = {*exclude}
        both = next((key for key in include if key in excluded), None)
        if both is not None:
            message = f"“{both}” is both included and excluded."
            raise ValidationError(message)

    @transaction.atomic
    def set_lists(self, include: Sequence[str], exclude: Sequence[str]) -> None:
        """Save the segment with these accounts: in the document, or as rows where they are many.

        Raises ValidationError as check_lists does.
        """
        self.check_lists(include, exclude)
        self.is_long = max(len(include), len(exclude)) > MAX_ITEMS
        self.include, self.exclude = ([], []) if self.is_long else (list(include), list(exclude))
        self.save()
        members = self.members.all()
        before = [*members.order_by("pk").values_list("key", "is_excluded")]
        after = [(key, False) for key in include] + [(key, True) for key in exclude]
        if not self.is_long:
            after = []
        if before == after:
            return
        changed = [*dict({*before} ^ {*after})]
        keys = changed if len(changed) <= _TOLD else None
        accounts_changed.send(sender=SegmentMember, keys=keys)
        added, removed = (
            sorted(f"{key}{' (out)' * is_out}" for key, is_out in each)
            for each in ({*after} - {*before}, {*before} - {*after})
        )
        list_changed.send(sender=Segment, segment=self, added=added, removed=removed)
        members._raw_delete(members.db)
        rows = [
            SegmentMember(segment=self, key=key, is_excluded=is_excluded)
            for key, is_excluded in after
        ]
        SegmentMember.objects.bulk_create(rows, batch_size=1000)


class SegmentMember(OnPrimary):
    """An account in a segment's long list: a fact about the account, read when it is asked for."""

    segment = models.ForeignKey(Segment, on_delete=models.CASCADE, related_name="members")
    key = models.CharField(max_length=200, db_index=True, help_text="The account's key.")
    is_excluded = models.BooleanField(default=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["segment", "key"], name="one_member_per_segment"),
        ]

    def __str__(self) -> str:
        return f"{self.key} {'out of' if self.is_excluded else 'in'} {self.segment}"

"""What was published: immutable, numbered documents."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils import timezone

from flags.models.compressed import CompressedTextField
from flags.models.primary import OnPrimary


class Revision(OnPrimary):
    """What was published: one immutable, numbered document."""

    number = models.PositiveBigIntegerField(primary_key=True)
    text = CompressedTextField(help_text="The document as canonical JSON.")
    checksum = models.CharField(max_length=64, help_text="SHA-256 of the text.")
    author = models.CharField(max_length=200, blank=True)
    comment = models.CharField(max_length=500, blank=True)
    summary = models.JSONField(default=list, help_text="What changed, a sentence each.")
    parent = models.ForeignKey(
        "self", null=True, on_delete=models.SET_NULL, related_name="+", help_text="The one before."
    )
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering: ClassVar = ["-number"]

    def __str__(self) -> str:
        return f"Revision {self.number}"

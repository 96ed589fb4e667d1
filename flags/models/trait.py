"""The declared, typed facts about accounts."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models

from flags.engine.traits import Type
from flags.models.keys import check_trait_name
from flags.models.published import Published, PublishedQuerySet


class Trait(Published):
    """A declared, typed fact about accounts."""

    name = models.CharField(max_length=200, unique=True, validators=[check_trait_name])
    type = models.CharField(max_length=5, choices=[(kind.value, kind.value) for kind in Type])
    note = models.TextField(blank=True)

    objects: ClassVar[Any] = PublishedQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        return self.name

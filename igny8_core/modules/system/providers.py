"""Providers as rows: in which protocol each is spoken to, where, and what its answers mean."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, ClassVar, Final

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models

from flags.host import Published, check_visible
from igny8_core.catalogue import protocols
from igny8_core.catalogue.errors import UnknownProvider
from igny8_core.catalogue.names import PROVIDERS
from igny8_core.modules.system.addresses import check_address, origin_of, url_of
from igny8_core.modules.system.errors import ProviderInUse
from igny8_core.modules.system.naming import NamedQuerySet, deleting

_is_name: Final = RegexValidator(
    r"^[a-z0-9][a-z0-9-]*\Z",
    "A provider's name has small letters, digits and hyphens: models, keys and switches name it.",
)


class AIProvider(Published):
    """Who answers for models. Another server of a known protocol is a row, without code."""

    name = models.CharField(
        max_length=50,
        unique=True,
        validators=[_is_name],
        help_text="Models name it, and its switch is provider.NAME; it stays as it is.",
    )
    display_name = models.CharField(max_length=200, validators=[check_visible])
    protocol = models.CharField(
        max_length=20, choices=protocols.choices, help_text="How it is spoken to."
    )
    base_url = models.CharField(
        "base URL",
        max_length=300,
        blank=True,
        validators=[check_address],
        help_text=(
            "Such as https://api.example.com/v1; empty: the protocol's own address. Keys are sent "
            "only to the address they were set for: with another one, enter them again; accounts "
            "their own, too."
        ),
    )
    standard_tiers = models.CharField(
        max_length=300,
        blank=True,
        validators=[check_visible],
        help_text="Service tiers that it bills as standard, separated by commas: on_demand",
    )
    prices_unknown = models.BooleanField(
        "prices unknown names",
        default=False,
        help_text=(
            "An answer of a model that the catalogue does not know is billed as the model that was "
            "asked for. Otherwise it has no cost until the name is known."
        ),
    )

    objects = NamedQuerySet.as_manager()

    class Meta:
        db_table = "igny8_ai_providers"
        ordering: ClassVar = ["display_name", "name"]
        verbose_name = "AI provider"

    def __str__(self) -> str:
        return self.display_name or self.name

    @property
    def tiers(self) -> list[str]:
        return sorted({tier.strip() for tier in self.standard_tiers.split(",")} - {""})

    @tiers.setter
    def tiers(self, tiers: Iterable[str]) -> None:
        self.standard_tiers = ", ".join(tiers)

    @property
    def origin(self) -> str:
        """Where a key that is set now may be sent; raises InvalidAddress."""
        return origin_of(url_of(self.name, self.base_url))

    @classmethod
    def named(cls, name: str) -> AIProvider:
        """Raises UnknownProvider. One query."""
        found = {row.name: row for row in cls.objects.all()}
        if name not in found:
            raise UnknownProvider(name, found)
        return found[name]

    @classmethod
    def refuse_unknown(cls, name: str) -> None:
        """Raises UnknownProvider. No query for those of the start."""
        if name not in PROVIDERS:
            cls.named(name)

    @classmethod
    def choices(cls) -> list[tuple[str, str]]:
        """For a form or the API. One query."""
        return [*cls.objects.values_list("name", "display_name")]

    def save(self, **options: Any) -> None:
        """Raises ProviderInUse for another name than what is stored."""
        if not self._state.adding:
            stored = AIProvider.objects.filter(pk=self.pk).values_list("name", flat=True).first()
            if stored not in {None, self.name}:
                raise ProviderInUse(str(stored), "renamed", "models, keys and switches name it")
        super().save(**options)

    def delete(
        self,
        using: str | None = None,
        keep_parents: bool = False,  # noqa: FBT001, FBT002 - Django's
    ) -> tuple[int, dict[str, int]]:
        """Raises ProviderInUse."""
        deleting.send(sender=AIProvider, instance=self)
        return super().delete(using, keep_parents)


class NamesProvider(models.Model):
    """A row with the name of a provider's row in `provider`.

    Of that column's choices only that they are there from the start.
    """

    class Meta:
        abstract = True

    def clean_fields(self, exclude: Collection[str] | None = None) -> None:
        super().clean_fields({*(exclude or ()), "provider"})

    def clean(self) -> None:
        """There is such a provider. No query for those of the start."""
        super().clean()
        name: str = getattr(self, "provider", "")
        if name not in PROVIDERS and name not in (names := dict(AIProvider.choices())):
            message = f"There is no provider {name!r}, but {', '.join(names)}."
            raise ValidationError({"provider": ValidationError(message, code="unknown_provider")})

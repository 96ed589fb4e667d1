"""Provider keys as rows, each for one origin."""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.db import models, transaction
from django.db.models.functions import Coalesce
from django.utils import timezone

from flags.host import ALL_ACCOUNTS, FactsQuerySet
from igny8_core.modules.accounts.models import Account
from igny8_core.modules.system.errors import KeyForAnotherAddress, UnreadableKey
from igny8_core.modules.system.secrets import SecretField


class _KeysQuerySet(FactsQuerySet):
    """Of the platform's row all accounts are told."""

    ACCOUNT: ClassVar[Any] = Coalesce("account__key", models.Value(ALL_ACCOUNTS))


class ProviderKey(models.Model):
    """A provider's key, of the platform or of one account."""

    provider = models.CharField(max_length=50)
    account = models.ForeignKey(
        settings.FLAGS_ACCOUNT_MODEL,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="provider_keys",
        help_text="Empty: the platform's.",
    )
    secret = SecretField("key")
    origin = models.CharField(
        max_length=300,
        blank=True,
        help_text="The only origin that it is sent to; empty: the provider's own.",
    )
    set_by = models.CharField(max_length=200, blank=True)
    set_at = models.DateTimeField(default=timezone.now)

    objects: ClassVar[Any] = _KeysQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["provider", "account"], name="one_key_per_account"),
            models.UniqueConstraint(
                fields=["provider"],
                condition=models.Q(account=None),
                name="one_key_of_the_platform_per_provider",
            ),
        ]

    def __str__(self) -> str:
        return f"The key of {self.account or 'the platform'} for {self.provider}"

    @property
    def tells(self) -> str:
        """The key of the account that it says something of."""
        return self.account.key if self.account else ALL_ACCOUNTS

    @property
    def is_readable(self) -> bool:
        """Whether ENCRYPTION_KEYS can still read it."""
        return self.secret is not None and self.secret.is_readable

    def reveal_for(self, origin: str) -> str:
        """The key itself; raises KeyForAnotherAddress, UnreadableKey."""
        if origin != self.origin:
            raise KeyForAnotherAddress(str(self), self.origin, origin)
        try:
            return self.secret.reveal() if self.secret else ""
        except UnreadableKey:
            raise UnreadableKey(str(self)) from None

    @classmethod
    def of(cls, account: Account) -> dict[str, ProviderKey]:
        """By provider: the account's own, else the platform's. One query."""
        rows = cls.objects.filter(models.Q(account=account) | models.Q(account=None))
        found = sorted(rows.select_related("account"), key=lambda row: row.account_id is not None)
        return {row.provider: row for row in found}

    @classmethod
    @transaction.atomic
    def rotate(cls) -> int:
        """Encrypt every key with the first of ENCRYPTION_KEYS, or none. How many there are.

        Raises UnreadableKey, which names the row.
        """
        rows = list(cls.objects.select_for_update(of=("self",)).select_related("account"))
        for row in rows:
            try:
                row.secret = row.secret.rotated() if row.secret else None
            except UnreadableKey:
                raise UnreadableKey(str(row)) from None
        cls.objects.bulk_update(rows, ["secret"])
        return len(rows)

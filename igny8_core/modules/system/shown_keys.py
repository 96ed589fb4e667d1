"""Settings rows that show provider keys as fields, and save those that were assigned."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

from django.db import models, transaction
from django.db.models.signals import post_delete
from django.dispatch import receiver
from django.utils import timezone

from igny8_core.catalogue.names import PROVIDERS
from igny8_core.modules.accounts.models import Account
from igny8_core.modules.system.keys import ProviderKey
from igny8_core.modules.system.providers import AIProvider
from igny8_core.modules.system.secrets import Secret, SecretField


def key_field(provider: str) -> str:
    """The name of the provider's key on a settings row."""
    return f"{provider}_api_key"


def _shown(provider: str) -> property:
    def read(row: ProviderKeys) -> Secret | None:
        return row.key_of(provider)

    def write(row: ProviderKeys, key: object) -> None:
        row.set_key(provider, key)

    return property(read, write, doc=f"The key of {PROVIDERS[provider]}: a text or None is taken.")


class ProviderKeys(models.Model):
    """Settings that show their keys as `openai_api_key` and its kin, and save what was assigned."""

    updated_at = models.DateTimeField(auto_now=True)

    openai_api_key = _shown("openai")
    anthropic_api_key = _shown("anthropic")
    runware_api_key = _shown("runware")
    google_api_key = _shown("google")

    # Who assigns keys, for their rows.
    set_by = ""

    class Meta:
        abstract = True

    def key_account(self) -> Account | None:
        """Whose keys these are; None: the platform's."""
        raise NotImplementedError

    def keys(self) -> dict[str, ProviderKey]:
        """The stored keys by provider. One query."""
        rows = ProviderKey.objects.filter(account=self.key_account())
        return {row.provider: row for row in rows}

    def key_of(self, provider: str) -> Secret | None:
        """The provider's key; raises UnknownProvider."""
        AIProvider.refuse_unknown(provider)
        assigned = self._assigned()
        if provider in assigned:
            return assigned[provider]
        if "_keys" not in self.__dict__:
            self.__dict__["_keys"] = self.keys()
        row: ProviderKey | None = self.__dict__["_keys"].get(provider)
        return row.secret if row else None

    def set_key(self, provider: str, key: object) -> None:
        """Set the provider's key, or with "" remove it; raises UnknownProvider. Not saved yet."""
        if key or provider not in self.keys():
            AIProvider.refuse_unknown(provider)
        self._assigned()[provider] = SecretField().to_python(key)

    def _assigned(self) -> dict[str, Secret | None]:
        assigned: dict[str, Secret | None] = self.__dict__.setdefault("_assigned_keys", {})
        return assigned

    def save(self, *, update_fields: Iterable[str] | None = None, **options: Any) -> None:
        """The row, and the keys that were assigned: those among `update_fields`, where given."""
        names = {key_field(each): each for each in (*PROVIDERS, *self._assigned())}
        written = None if update_fields is None else [*update_fields]
        saved = [*names.values()] if written is None else [names[n] for n in written if n in names]
        if written is not None:
            written = [name for name in written if name not in names]
            written = written or ["updated_at"]
        with transaction.atomic():
            super().save(update_fields=written, **options)
            for provider in saved:
                if provider in self._assigned():
                    self._write(provider, self._assigned().pop(provider))

    def _write(self, provider: str, secret: Secret | None) -> None:
        self.__dict__.pop("_keys", None)
        which: dict[str, Any] = {"provider": provider, "account": self.key_account()}
        if secret is None:
            for row in ProviderKey.objects.filter(**which):
                row.delete()
            return
        origin = AIProvider.named(provider).origin
        said = {"origin": origin, "set_by": self.set_by, "set_at": timezone.now()}
        ProviderKey.objects.update_or_create(**which, defaults={"secret": secret, **said})

    def refresh_from_db(self, *args: Any, **options: Any) -> None:
        self.__dict__.pop("_keys", None)
        self.__dict__.pop("_assigned_keys", None)
        super().refresh_from_db(*args, **options)

    @classmethod
    def locked(cls, **which: Any) -> Self:
        """The row, made where there is none, and held until the transaction ends."""
        cls._default_manager.get_or_create(**which)
        return cls._default_manager.select_for_update().get(**which)


@receiver(post_delete, sender="system.IntegrationSettings")
def _delete_keys(instance: Any, **_signal: object) -> None:
    """An account's keys go with the row that shows them."""
    ProviderKey.objects.filter(account=instance.account_id).delete()

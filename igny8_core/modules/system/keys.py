"""A key for each provider, of the platform and of an account."""

from __future__ import annotations

from typing import Any, Self

from django.db import models

from igny8_core.catalogue.errors import UnknownProvider
from igny8_core.catalogue.names import PROVIDERS
from igny8_core.modules.system.secrets import Secret, SecretField


class ProviderKeys(models.Model):
    """A key for each provider."""

    openai_api_key = SecretField("OpenAI API key")
    anthropic_api_key = SecretField("Anthropic API key")
    runware_api_key = SecretField("Runware API key")
    google_api_key = SecretField("Google AI API key")
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        abstract = True

    def key_of(self, provider: str) -> Secret | None:
        """The provider's key; raises UnknownProvider."""
        secret: Secret | None = getattr(self, key_field(provider))
        return secret

    def set_key(self, provider: str, key: str) -> None:
        """Set the provider's key, or with "" remove it; raises UnknownProvider. Not saved yet."""
        setattr(self, key_field(provider), Secret.of(key) if key else None)

    @classmethod
    def locked(cls, **which: Any) -> Self:
        """The row, made where there is none, and held until the transaction ends."""
        cls._default_manager.get_or_create(**which)
        return cls._default_manager.select_for_update().get(**which)

    def rotate_keys(self) -> int:
        """Encrypt every key with the first of ENCRYPTION_KEYS, and save. How many there are."""
        names = [key_field(provider) for provider in PROVIDERS]
        held = {name: secret for name in names if (secret := getattr(self, name))}
        for name, secret in held.items():
            setattr(self, name, secret.rotated())
        self.save(update_fields=[*held, "updated_at"])
        return len(held)


def key_field(provider: str) -> str:
    """The name of the provider's key field; raises UnknownProvider."""
    if provider not in PROVIDERS:
        raise UnknownProvider(provider, PROVIDERS)
    return f"{provider}_api_key"

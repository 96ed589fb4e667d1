"""A provider's key in a column: encrypted at rest, shown as its last four characters only."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models
from django.db.models.query_utils import DeferredAttribute

from igny8_core.modules.system.errors import EncryptionNotConfigured, InvalidKey, UnreadableKey

_SHOWN = 4
# A key so short that its last four characters would give it away is not shown at all.
_LEAST_TO_SHOW = 12
MOST_OF_A_KEY = 1_000
# Marks a text in a fixture as encrypted already.
_DUMPED = re.compile(r"fernet:(gAAAA[A-Za-z0-9_-]+={0,2})")


class Secret:
    """An encrypted text. Printed, formatted or put into a page it is masked: see reveal()."""

    def __init__(self, token: str) -> None:
        self.token = token

    @classmethod
    def of(cls, text: str) -> Secret:
        """Raises InvalidKey, EncryptionNotConfigured."""
        is_short = len(text) <= MOST_OF_A_KEY
        if not (is_short and text.isascii() and text.isprintable() and " " not in text):
            raise InvalidKey
        return cls(_cipher().encrypt(text.encode()).decode())

    def reveal(self) -> str:
        """The text itself; raises UnreadableKey, EncryptionNotConfigured."""
        try:
            return _cipher().decrypt(self.token.encode()).decode()
        except InvalidToken:
            raise UnreadableKey from None

    def rotated(self) -> Secret:
        """The same text, encrypted with the first of ENCRYPTION_KEYS."""
        try:
            return Secret(_cipher().rotate(self.token.encode()).decode())
        except InvalidToken:
            raise UnreadableKey from None

    @property
    def is_readable(self) -> bool:
        try:
            self.reveal()
        except (UnreadableKey, EncryptionNotConfigured):
            return False
        return True

    @property
    def mask(self) -> str:
        """`sk-…last4`."""
        if not self.is_readable:
            return "(unreadable)"
        text = self.reveal()
        prefix = "sk-" if text.startswith("sk-") else ""
        return f"{prefix}…{text[-_SHOWN:] if len(text) >= _LEAST_TO_SHOW else ''}"

    def __str__(self) -> str:
        return self.mask

    __repr__ = __str__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self.token == other.token

    def __hash__(self) -> int:
        return hash(self.token)


if TYPE_CHECKING:
    _Column = models.TextField[Secret | str | None, Secret | None]
else:
    _Column = models.TextField


class _EncryptedWhenSet(DeferredAttribute):
    """A text that is assigned is a Secret from then on."""

    def __set__(self, instance: models.Model, value: Any) -> None:
        instance.__dict__[self.field.attname] = self.field.to_python(value)


class SecretField(_Column):
    """Takes a text or a Secret, gives a Secret or None; nothing can be looked up by it."""

    description = "A secret, encrypted at rest"
    descriptor_class = _EncryptedWhenSet

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{**options, "null": True, "blank": True, "default": None})

    def from_db_value(self, value: str | None, *_context: object) -> Secret | None:
        return Secret(value) if value else None

    def to_python(self, value: Any) -> Secret | None:
        if value is None or value == "":
            return None
        if isinstance(value, Secret):
            return value
        if not isinstance(value, str):
            raise InvalidKey
        dumped = _DUMPED.fullmatch(value)
        return Secret(dumped[1]) if dumped else Secret.of(value)

    def get_prep_value(self, value: Any) -> str | None:
        secret = self.to_python(value)
        return secret.token if secret else None

    def value_to_string(self, obj: models.Model) -> str:
        """For fixtures: the encrypted text."""
        secret = self.to_python(self.value_from_object(obj))
        return f"fernet:{secret.token}" if secret else ""

    def get_lookup(self, lookup_name: str) -> type[models.Lookup[Any]] | None:
        return super().get_lookup(lookup_name) if lookup_name == "isnull" else None


def _cipher() -> MultiFernet:
    return _cipher_of(tuple(settings.ENCRYPTION_KEYS))


@lru_cache(maxsize=8)
def _cipher_of(keys: tuple[str, ...]) -> MultiFernet:
    if not keys:
        raise EncryptionNotConfigured("ENCRYPTION_KEYS is not set.")
    try:
        return MultiFernet([Fernet(key) for key in keys])
    except ValueError as error:
        raise EncryptionNotConfigured(f"ENCRYPTION_KEYS: {error}") from None

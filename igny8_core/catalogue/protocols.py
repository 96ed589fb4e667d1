"""The protocols in which providers are spoken to here; `ai.providers.register` adds one."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from igny8_core.catalogue.names import PROVIDERS

_protocols: Final = dict(PROVIDERS)
# Their names for people, as they are at each look.
PROTOCOLS: Final = MappingProxyType(_protocols)


def add(protocol: str, label: str) -> None:
    """Raises ValueError for a protocol that is there already."""
    if _protocols.setdefault(protocol, label) != label:
        message = f"The protocol {protocol!r} is registered already."
        raise ValueError(message)


def choices() -> list[tuple[str, str]]:
    """For a form."""
    return [*PROTOCOLS.items()]

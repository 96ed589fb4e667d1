"""The settings of flags that a host may leave out; only FLAGS_ACCOUNT_MODEL has no default."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from django.conf import settings

DEFAULTS: Final = MappingProxyType(
    {
        "FLAGS_THREAD": True,
        "FLAGS_POLL_S": 0.5,
        "FLAGS_REDIS_URL": "",
        "FLAGS_SNAPSHOT_FILE": "",
        "FLAGS_FACTS_TTL_S": 60,
        "FLAGS_FACTS_KEPT": 100_000,
    }
)
# Names no model, so that Django's own check says that it is missing.
NO_ACCOUNT_MODEL: Final = "flags.FLAGS_ACCOUNT_MODEL_is_not_set"


def account_model_name() -> str:
    """`app_label.Model`, or NO_ACCOUNT_MODEL where none is set."""
    name: str = getattr(settings, "FLAGS_ACCOUNT_MODEL", NO_ACCOUNT_MODEL)
    return name


def set_defaults() -> None:
    """For the app's configuration, before anything of the app is imported."""
    for name, value in DEFAULTS.items():
        if not hasattr(settings, name):
            setattr(settings, name, value)

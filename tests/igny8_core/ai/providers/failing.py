"""What every provider's failure has to be: one error of ours, and a receipt without a cost."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from constance import config

from igny8_core.ai.providers.errors import ProviderError
from igny8_core.modules.usage.models import Receipt


def assert_fails(
    ask: Callable[[], object], provider: str, error: type[ProviderError], sentence: str
) -> tuple[str, Receipt]:
    """The error's text, and the receipt."""
    with pytest.raises(error) as caught:
        ask()
    told = str(caught.value)
    assert type(caught.value) is error
    assert told.startswith(f"Provider {provider!r} ")
    assert sentence in told
    receipt = Receipt.objects.get()
    assert (receipt.status, receipt.cost) == (error.code, None)
    return told, receipt


@pytest.fixture(autouse=True)
def one_attempt(db: None) -> None:
    """What one call does: neither again nor by another model."""
    config.AI_ATTEMPTS = 1
    config.AI_FALLBACK = False

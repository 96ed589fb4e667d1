"""What the catalogue, the settings, the keys and the prompts refuse."""

from __future__ import annotations

from collections.abc import Sequence

from igny8_core.errors import AIError


class InvalidRate(AIError):
    code = "invalid_rate"

    def __init__(self, name: str, value: object) -> None:
        self.name = name
        self.value = value
        super().__init__(
            f"{name} is {value!r}; it must be a number from 0 to 999999.9999 with at most four "
            "decimals.",
        )


class ModelInUse(AIError):
    """A model that receipts or flags name is neither deleted nor given another id."""

    code = "model_in_use"

    def __init__(self, model_id: str, change: str, who: str = "receipts name it") -> None:
        self.model_id = model_id
        self.change = change
        super().__init__(
            f"Model {model_id!r} cannot be {change}: {who}. Deactivate it instead.",
        )


class ProviderInUse(AIError):
    """A provider that is named, or there from the start, is neither deleted nor renamed."""

    code = "provider_in_use"

    def __init__(self, provider: str, change: str, who: str) -> None:
        self.provider = provider
        self.change = change
        super().__init__(
            f"Provider {provider!r} cannot be {change}: {who}. Switch provider.{provider} off "
            "instead."
        )


class PriceHasBegun(AIError):
    """A price that has begun is neither edited nor deleted; a new one takes its place."""

    code = "price_has_begun"

    def __init__(self, price: str) -> None:
        self.price = price
        super().__init__(f"{price} has begun: it is never edited or deleted. Add a new price.")


class PriceInThePast(AIError):
    """A new price does not change what calls cost that were made already."""

    code = "price_in_the_past"

    def __init__(self, model_id: str, at: str) -> None:
        self.model_id = model_id
        self.at = at
        super().__init__(
            f"{at} is past, and model {model_id!r} had a price then: begin now or later.",
        )


class PromptIsFixed(AIError):
    """A version of a prompt is not edited: receipts name it. A change is a new version."""

    code = "prompt_is_fixed"

    def __init__(self, prompt: str, fields: Sequence[str]) -> None:
        self.prompt = prompt
        self.fields = list(fields)
        super().__init__(
            f"{prompt} is never edited ({', '.join(fields)}): add a new version instead.",
        )


class EncryptionNotConfigured(AIError):
    code = "encryption_not_configured"

    def __init__(self, fault: str) -> None:
        super().__init__(f"Provider keys cannot be kept: {fault}")


class UnreadableKey(AIError):
    code = "unreadable_key"

    def __init__(self, row: str = "A stored provider key") -> None:
        super().__init__(
            f"{row} was encrypted with a key that ENCRYPTION_KEYS no longer has. Add that one "
            "again at its end, or set the provider's key anew.",
        )


class KeyForAnotherAddress(AIError):
    """A key goes only to the origin that it was set for."""

    code = "key_for_another_address"

    def __init__(self, row: str, origin: str, wanted: str) -> None:
        was, now = origin or "the provider's own address", wanted or "the provider's own address"
        super().__init__(f"{row} was set for {was}, and would go to {now}. Enter the key again.")


class InsecureAddress(AIError):
    code = "insecure_address"

    def __init__(self, url: str) -> None:
        super().__init__(
            f"{url} does not begin with https://, so a key would be sent for all to read. "
            "AI_PLAIN_HTTP=true allows it."
        )


class InvalidAddress(AIError):
    code = "invalid_address"

    def __init__(self, url: str) -> None:
        super().__init__(
            f"{url!r} is no address: it has a scheme, a host and perhaps a port from 1 to 65,535."
        )


class InvalidKey(AIError):
    """The key itself is in no error."""

    code = "invalid_key"

    def __init__(self) -> None:
        super().__init__(
            "A provider's key is at most 1,000 characters of printable ASCII without spaces; this "
            "one is not."
        )

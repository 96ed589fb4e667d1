"""How a provider can fail; a receipt's status is the error's code."""

from __future__ import annotations

from igny8_core.errors import AIError


class ProviderError(AIError):
    """A provider gave no answer; the receipt's status is this error's code."""

    def __init__(self, provider: str, sentence: str) -> None:
        self.provider = provider
        super().__init__(f"Provider {provider!r} {sentence}")


class ProviderNotConfigured(AIError):
    code = "provider_not_configured"

    def __init__(self, provider: str) -> None:
        self.provider = provider
        super().__init__(f"Provider {provider!r} has no key, and offline answers are turned off.")


class ProviderNotImplemented(AIError):
    code = "provider_not_implemented"

    def __init__(self, provider: str) -> None:
        self.provider = provider
        super().__init__(f"Provider {provider!r} has a key, but igny8 cannot call it yet.")


class ProviderUnreachable(ProviderError):
    code = "provider_unreachable"
    is_final = False

    def __init__(self, provider: str) -> None:
        super().__init__(provider, "cannot be reached.")


class ProviderTimeout(ProviderError):
    code = "provider_timeout"
    is_final = False

    def __init__(self, provider: str, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        super().__init__(provider, f"did not answer within {timeout_s:g} s.")


class ProviderKeyRefused(ProviderError):
    code = "provider_key_refused"

    def __init__(self, provider: str, http_status: int) -> None:
        self.http_status = http_status
        super().__init__(provider, f"refused the key (HTTP {http_status}).")


class ProviderRateLimited(ProviderError):
    """`retry_after_s` is None where the provider did not say."""

    code = "provider_rate_limited"
    is_final = False

    def __init__(self, provider: str, retry_after_s: float | None) -> None:
        self.retry_after_s = retry_after_s
        wait = "" if retry_after_s is None else f" Try again in {retry_after_s:g} s."
        super().__init__(provider, f"refused the request: too many requests (HTTP 429).{wait}")


class ProviderRequestRefused(ProviderError):
    code = "provider_request_refused"

    def __init__(self, provider: str, http_status: int, detail: str) -> None:
        self.http_status = http_status
        self.detail = detail
        super().__init__(provider, f"refused the request (HTTP {http_status}): {detail}")


class ProviderFailed(ProviderError):
    code = "provider_failed"
    is_final = False

    def __init__(self, provider: str, http_status: int) -> None:
        self.http_status = http_status
        super().__init__(provider, f"failed (HTTP {http_status}).")


class ProviderAnswerInvalid(ProviderError):
    code = "provider_answer_invalid"

    def __init__(self, provider: str, fault: str) -> None:
        self.fault = fault
        super().__init__(provider, f"sent an answer that makes no sense: {fault}.")

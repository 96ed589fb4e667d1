"""How a provider can fail; a receipt's status is the error's code."""

from __future__ import annotations

from typing import ClassVar

from igny8_core.errors import AIError


class ProviderError(AIError):
    """A provider gave no answer; the receipt's status is this error's code.

    `is_retryable`: the same call may succeed soon, and is not paid twice. `may_fall_back`: another
    model may answer it.
    """

    is_retryable: bool = False
    may_fall_back: ClassVar[bool] = True

    def __init__(self, provider: str, sentence: str) -> None:
        self.provider = provider
        super().__init__(f"Provider {provider!r} {sentence}")


class ProviderNotConfigured(AIError):
    code = "provider_not_configured"

    def __init__(self, provider: str) -> None:
        self.provider = provider
        super().__init__(f"Provider {provider!r} has no key, and offline answers are turned off.")


class ProviderNotImplemented(AIError):
    """No class is registered for the protocol in this process."""

    code = "provider_not_implemented"

    def __init__(self, provider: str, protocol: str) -> None:
        self.protocol = protocol
        super().__init__(f"Nothing here speaks {protocol!r}, the protocol of {provider!r}.")


class ProviderCannot(AIError):
    """What the provider has no way of doing; nothing was sent."""

    code = "provider_cannot"

    def __init__(self, provider: str, what: str, model_id: str) -> None:
        super().__init__(f"Provider {provider!r} cannot {what}, so {model_id!r} cannot either.")


class UsageUnclear(AIError):
    """What a provider says of what an answer took: the answer is given, and not metered."""

    code = "usage_unclear"


class ProviderUnreachable(ProviderError):
    """Not `was_sent`: there was no connection, so nothing can have been paid for."""

    code = "provider_unreachable"

    def __init__(self, provider: str, *, was_sent: bool = True) -> None:
        self.was_sent = was_sent
        self.is_retryable = not was_sent
        super().__init__(provider, "cannot be reached.")


class ProviderTimeout(ProviderError):
    """It may have been answered and paid for all the same, so it is not asked again."""

    code = "provider_timeout"

    def __init__(self, provider: str, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        super().__init__(provider, f"did not answer within {timeout_s:g} s.")


class ProviderKeyRefused(ProviderError):
    """The key is none, or may not do this, or has nothing left to spend."""

    code = "provider_key_refused"

    def __init__(self, provider: str, http_status: int) -> None:
        self.http_status = http_status
        super().__init__(provider, f"refused the key (HTTP {http_status}).")


class _Busy(ProviderError):
    """`retry_after_s` is None where the provider did not say."""

    is_retryable = True

    def __init__(self, provider: str, sentence: str, retry_after_s: float | None) -> None:
        self.retry_after_s = retry_after_s
        wait = "" if retry_after_s is None else f" Try again in {retry_after_s:g} s."
        super().__init__(provider, sentence + wait)


class ProviderRateLimited(_Busy):
    code = "provider_rate_limited"

    def __init__(self, provider: str, retry_after_s: float | None) -> None:
        sentence = "refused the request: too many requests (HTTP 429)."
        super().__init__(provider, sentence, retry_after_s)


class ProviderOverloaded(_Busy):
    code = "provider_overloaded"

    def __init__(self, provider: str, http_status: int, retry_after_s: float | None) -> None:
        self.http_status = http_status
        super().__init__(provider, f"is overloaded (HTTP {http_status}).", retry_after_s)


class _Refused(ProviderError):
    """`detail` is the provider's own sentence, shortened."""

    what: ClassVar[str]

    def __init__(self, provider: str, http_status: int, detail: str) -> None:
        self.http_status = http_status
        self.detail = detail
        super().__init__(provider, f"{self.what} (HTTP {http_status}): {detail}")


class ProviderRequestRefused(_Refused):
    code = "provider_request_refused"
    may_fall_back = False
    what = "refused the request"


class ProviderModelUnknown(_Refused):
    code = "provider_model_unknown"
    what = "does not know the model"


class ProviderContextTooLong(_Refused):
    code = "provider_context_too_long"
    what = "finds the prompt too long"


class ProviderContentRefused(_Refused):
    code = "provider_content_refused"
    may_fall_back = False
    what = "refuses the content"


class ProviderCancelled(_Refused):
    """The request was given up on its way; what it took by then may have been paid for."""

    code = "provider_cancelled"
    may_fall_back = False
    what = "gave the request up"


class ProviderFailed(ProviderError):
    code = "provider_failed"
    is_retryable = True

    def __init__(self, provider: str, http_status: int) -> None:
        self.http_status = http_status
        super().__init__(provider, f"failed (HTTP {http_status}).")


class ProviderAnswerInvalid(ProviderError):
    """It may have been paid for, so it is not asked again."""

    code = "provider_answer_invalid"

    def __init__(self, provider: str, fault: str) -> None:
        self.fault = fault
        super().__init__(provider, f"sent an answer that makes no sense: {fault}.")


class ProviderUnforeseen(ProviderError):
    """What its SDK raised and nobody here knows; that is the cause."""

    code = "provider_unforeseen"

    def __init__(self, provider: str, error: Exception) -> None:
        super().__init__(provider, f"failed in a way that is not known: {type(error).__name__}.")

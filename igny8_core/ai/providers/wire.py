"""One call over HTTP through a provider's official SDK: its deadline, its size, and its errors."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from igny8_core.ai.providers.errors import (
    ProviderAnswerInvalid,
    ProviderContentRefused,
    ProviderContextTooLong,
    ProviderError,
    ProviderFailed,
    ProviderKeyRefused,
    ProviderModelUnknown,
    ProviderOverloaded,
    ProviderRateLimited,
    ProviderRequestRefused,
    ProviderTimeout,
    ProviderUnforeseen,
    ProviderUnreachable,
)

Body = TypeVar("Body", bound=BaseModel)
# Ten pictures in base64 are less; it is counted once decompressed.
MAX_BODY_BYTES: Final = 128 * 2**20
_LONGEST_NAME: Final = 100
_DETAIL_LENGTH: Final = 300
_LONGEST_WAIT_S: Final = 24 * 60 * 60


def body_of(  # noqa: PLR0913 - each by keyword
    body_type: type[Body],
    sent: Callable[[], AbstractContextManager[Any]],
    *,
    sdk: Any,
    provider: str,
    secret: str,
    timeout_s: float,
) -> Body:
    """The body of the answer, within `timeout_s` from headers to its end; raises a ProviderError.

    `sent` sends the request by the SDK's streaming client; `sdk` has its errors, named as openai's
    and anthropic's are; `secret` is in no error.
    """
    import httpx2  # noqa: PLC0415 - the SDKs take half a second that others need not pay

    began_s = time.monotonic()
    try:
        with sent() as response:
            body = _read(response.iter_bytes(), provider, began_s, timeout_s)
    except ProviderError:
        raise
    except (sdk.APITimeoutError, httpx2.TimeoutException) as error:
        raise ProviderTimeout(provider, timeout_s) from error
    except (sdk.APIConnectionError, httpx2.TransportError) as error:
        raise ProviderUnreachable(provider) from error
    except sdk.APIStatusError as error:
        raise _refusal(provider, error, secret) from None
    except httpx2.DecodingError as error:
        raise ProviderAnswerInvalid(provider, "body: it cannot be decompressed") from error
    except Exception as error:
        raise ProviderUnforeseen(provider, error) from error
    return parsed(body_type, body, provider)


def _read(chunks: Iterable[bytes], provider: str, began_s: float, timeout_s: float) -> bytearray:
    """Raises ProviderTimeout, ProviderAnswerInvalid."""
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if time.monotonic() > began_s + timeout_s:
            raise ProviderTimeout(provider, timeout_s)
        if len(body) > MAX_BODY_BYTES:
            fault = f"body: it has more than {MAX_BODY_BYTES:,} bytes"
            raise ProviderAnswerInvalid(provider, fault)
    return body


def parsed(body_type: type[Body], body: bytes | bytearray, provider: str) -> Body:
    """Raises ProviderAnswerInvalid."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError) as error:  # numbers of thousands of digits, too
        raise ProviderAnswerInvalid(provider, f"body: {one_line(str(error))}") from None
    try:
        return body_type.model_validate(said)
    except ValidationError as error:
        fault = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in fault["loc"]) or "body"
        raise ProviderAnswerInvalid(provider, f"{place}: {fault['msg']}") from None


def name_of(value: Any) -> str:
    """A name as it may be kept, such as the served model's; "" where none is said."""
    return one_line(value)[:_LONGEST_NAME] if isinstance(value, str) else ""


def _refusal(provider: str, error: Any, secret: str) -> ProviderError:
    """Of an answer that is none: each is exactly one of ours."""
    said: Any = error.body if isinstance(error.body, Mapping) else {}
    said = said["error"] if isinstance(said.get("error"), Mapping) else said
    text = said.get("message")
    text = text if isinstance(text, str) else str(error.message)
    detail = one_line(text.replace(secret, "…") if secret else text)
    return refusal(provider, error.status_code, error.response.headers, detail, _codes(said))


def refusal(
    provider: str, status: int, headers: Mapping[str, str], detail: str, codes: set[str]
) -> ProviderError:
    """`codes` are the words by which the provider names what is wrong."""
    wait_s = retry_after_s(headers)
    if codes & _OF_KEY or status in {401, 402, 403}:
        return ProviderKeyRefused(provider, status)
    if status == 429:  # noqa: PLR2004 - HTTP's own
        return ProviderRateLimited(provider, wait_s)
    if status in {503, 529}:
        return ProviderOverloaded(provider, status, wait_s)
    if status >= 500:  # noqa: PLR2004 - as above
        return ProviderFailed(provider, status)
    kinds: tuple[tuple[bool, type[Any]], ...] = (
        (status == 404 or bool(codes & _OF_MODEL), ProviderModelUnknown),  # noqa: PLR2004
        (bool(codes & _OF_LENGTH) or _is_about(detail, _LENGTH), ProviderContextTooLong),
        (bool(codes & _OF_CONTENT), ProviderContentRefused),
    )
    kind = next((kind for is_one, kind in kinds if is_one), ProviderRequestRefused)
    refused: ProviderError = kind(provider, status, detail)
    return refused


_OF_KEY: Final = {"insufficient_quota", "API_KEY_INVALID"}
_OF_MODEL: Final = {"model_not_found", "not_found_error", "NOT_FOUND"}
_OF_LENGTH: Final = {"context_length_exceeded", "string_above_max_length", "request_too_large"}
_OF_CONTENT: Final = {"content_policy_violation", "content_filter", "moderation_blocked"}
# What of a sentence says that a prompt is too long, where there is no code for it.
_LENGTH: Final = ("prompt is too long", "maximum context length", "exceeds the maximum number of")


def _is_about(detail: str, words: tuple[str, ...]) -> bool:
    return any(each in detail.lower() for each in words)


def _codes(said: Mapping[str, Any]) -> set[str]:
    words = (said.get(name) for name in ("code", "type", "status"))
    return {word for word in words if isinstance(word, str)}


def one_line(text: str) -> str:
    """Short, and nothing in it that a terminal or a log would obey."""
    shown = "".join(part if part.isprintable() else " " for part in text)
    return " ".join(shown.split())[:_DETAIL_LENGTH]


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """What `Retry-After` says, in seconds or as a date; None where it says neither."""
    header = headers.get("retry-after") or ""
    if header.isascii() and header.isdigit():
        return float(min(int(header), _LONGEST_WAIT_S))
    try:
        at = parsedate_to_datetime(header)
    except ValueError:
        return None
    left_s = (at.replace(tzinfo=at.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return min(max(round(left_s), 0), _LONGEST_WAIT_S)

"""What comes over the wire: bodies into values, refusals into errors of ours."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from difflib import SequenceMatcher
from email.utils import parsedate_to_datetime
from typing import Any, Final, NamedTuple, TypeVar

import orjson
from pydantic import BaseModel, ValidationError

from igny8_core.ai.providers.errors import (
    ProviderAnswerInvalid,
    ProviderCancelled,
    ProviderContentRefused,
    ProviderContextTooLong,
    ProviderError,
    ProviderFailed,
    ProviderKeyRefused,
    ProviderModelUnknown,
    ProviderOverloaded,
    ProviderRateLimited,
    ProviderRequestRefused,
)

Body = TypeVar("Body", bound=BaseModel)
_LONGEST_NAME: Final = 100
_MOST_DIGITS: Final = 30
_DETAIL_LENGTH: Final = 300
# A stretch of so many characters of a prompt is a quotation; it is looked for in so many.
_LEAST_QUOTED: Final = 12
_LONGEST_QUOTED: Final = 20_000
_LONGEST_WAIT_S: Final = 24 * 60 * 60


def loaded(body: bytes | bytearray, what: str, provider: str) -> Any:
    """Its JSON, also with numbers that are none. Raises ProviderAnswerInvalid."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:  # it takes no NaN, and json is slow on what is large
        pass
    try:
        return json.loads(body, parse_int=_whole)
    except (ValueError, RecursionError) as error:
        raise ProviderAnswerInvalid(provider, f"{what}: {one_line(str(error))}") from None


def _whole(digits: str) -> int | float:
    """A count of thousands of digits is none, and costs nobody the answer."""
    return int(digits) if len(digits) <= _MOST_DIGITS else float("inf")


def checked(body_type: type[Body], said: Any, provider: str) -> Body:
    """Raises ProviderAnswerInvalid."""
    try:
        return body_type.model_validate(said)
    except ValidationError as error:
        fault = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in fault["loc"]) or "body"
        raise ProviderAnswerInvalid(provider, f"{place}: {fault['msg']}") from None


def name_of(value: Any) -> str:
    """A name as it may be kept, such as the served model's; "" where none is said."""
    return one_line(value)[:_LONGEST_NAME] if isinstance(value, str) else ""


class Fault(NamedTuple):
    """What an answer says is wrong: a sentence, and the words by which the provider names it."""

    text: str
    codes: set[str]


def fault_of(said: Any) -> Fault:
    """Of the body as OpenAI, Anthropic and Google write it; nothing where it is another."""
    said = said[0] if isinstance(said, list) and said else said
    said = said.get("error", said) if isinstance(said, Mapping) else said
    if not isinstance(said, Mapping):
        return Fault(said if isinstance(said, str) else "", set())
    details = said.get("details")
    rows = [said, *(details if isinstance(details, list) else [])]
    words = (
        row.get(name)
        for row in rows
        if isinstance(row, Mapping)
        for name in ("code", "type", "status", "reason")
    )
    text = said.get("message")
    codes = {word for word in words if isinstance(word, str)}
    return Fault(text if isinstance(text, str) else "", codes)


def refusal(
    provider: str, status: int, headers: Mapping[str, str], detail: str, codes: set[str]
) -> ProviderError:
    """`codes` are the words by which the provider names what is wrong."""
    wait_s = retry_after_s(headers)
    if codes & _OF_KEY or status in {401, 402, 403}:
        return ProviderKeyRefused(provider, status)
    if status == 429 or codes & _OF_RATE:  # noqa: PLR2004 - HTTP's own
        return ProviderRateLimited(provider, wait_s)
    if status == 499 or "CANCELLED" in codes:  # noqa: PLR2004 - as above
        return ProviderCancelled(provider, status, detail)
    if status in {408, 409, 425, 503, 529} or codes & _OF_LOAD:
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
_OF_RATE: Final = {"rate_limit_error", "rate_limit_exceeded", "RESOURCE_EXHAUSTED"}
_OF_LOAD: Final = {"overloaded_error", "UNAVAILABLE"}
_OF_MODEL: Final = {"model_not_found", "not_found_error", "NOT_FOUND"}
_OF_LENGTH: Final = {"context_length_exceeded", "string_above_max_length", "request_too_large"}
_OF_CONTENT: Final = {"content_policy_violation", "content_filter", "moderation_blocked"}
# What of a sentence says that a prompt is too long, where there is no code for it.
_LENGTH: Final = ("prompt is too long", "maximum context length", "exceeds the maximum number of")


def _is_about(detail: str, words: tuple[str, ...]) -> bool:
    return any(each in detail.lower() for each in words)


def one_line(text: str, longest: int = _DETAIL_LENGTH) -> str:
    """Short, and nothing in it that a terminal or a log would obey."""
    shown = "".join(part if part.isprintable() else " " for part in text)
    return " ".join(shown.split())[:longest]


def without(text: str, prompts: Iterable[str]) -> str:
    """The text without what it quotes of the prompts."""
    for prompt in prompts:
        said = one_line(prompt, longest=_LONGEST_QUOTED)
        while True:
            found = SequenceMatcher(None, text, said, autojunk=False).find_longest_match()
            if found.size < _LEAST_QUOTED:
                break
            text = f"{text[: found.a]}…{text[found.a + found.size :]}"
    return text


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """What `Retry-After` says, in seconds or as a date; None where it says neither."""
    header = headers.get("retry-after") or ""
    if header.isascii() and header.isdigit() and len(header) <= _MOST_DIGITS:
        return float(min(int(header), _LONGEST_WAIT_S))
    try:
        at = parsedate_to_datetime(header)
    except ValueError:
        return None
    left_s = (at.replace(tzinfo=at.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return min(max(round(left_s), 0), _LONGEST_WAIT_S)

"""OpenAI, or any server that speaks its protocol, by the official SDK."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, Field, ValidationError

from igny8_core.ai.exceptions import (
    ProviderAnswerInvalid,
    ProviderError,
    ProviderFailed,
    ProviderKeyRefused,
    ProviderRateLimited,
    ProviderRequestRefused,
    ProviderTimeout,
    ProviderUnreachable,
)
from igny8_core.ai.pricing import MAX_QUANTITY
from igny8_core.ai.values import TextAnswer, TextRequest, Usage

if TYPE_CHECKING:
    import openai

    from igny8_core.ai.providers.base import Connection

NAME = "openai"
_DETAIL_LENGTH = 300


_Tokens = Annotated[int, Field(strict=True, ge=0, le=MAX_QUANTITY)]


class _Message(BaseModel):
    content: str | None = None
    refusal: str | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None


class _Usage(BaseModel):
    prompt_tokens: _Tokens
    completion_tokens: _Tokens


class _Completion(BaseModel):
    """The part of a chat completion that we use; the rest may be anything."""

    model: Annotated[str, Field(min_length=1)]
    choices: Annotated[list[_Choice], Field(min_length=1)]
    usage: _Usage | None = None


class OpenAIProvider:
    name = NAME

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def complete(self, request: TextRequest) -> TextAnswer:
        body = self._post(request)
        try:
            completion = _Completion.model_validate_json(body)
        except ValidationError as error:
            fault = error.errors(include_input=False, include_url=False)[0]
            place = ".".join(str(part) for part in fault["loc"]) or "body"
            raise ProviderAnswerInvalid(NAME, f"{place}: {fault['msg']}") from None
        choice = completion.choices[0]
        usage = completion.usage
        return TextAnswer(
            text=choice.message.content or choice.message.refusal or "",
            finish_reason=choice.finish_reason or "",
            model_served=completion.model,
            usage=Usage(usage.prompt_tokens, usage.completion_tokens) if usage else None,
        )

    def _post(self, request: TextRequest) -> str:
        """Send the request and return the body of the answer."""
        import openai  # noqa: PLC0415 - the SDK takes half a second that others need not pay

        options: dict[str, Any] = {}
        if request.json_mode:
            options["response_format"] = {"type": "json_object"}
        try:
            response = _client(self._connection).chat.completions.with_raw_response.create(
                model=request.model_id,
                messages=[
                    {"role": "system", "content": request.instruction},
                    {"role": "user", "content": request.prompt},
                ],
                timeout=request.timeout_s,
                **options,
            )
        except openai.APITimeoutError as error:
            raise ProviderTimeout(NAME, request.timeout_s) from error
        except openai.APIConnectionError as error:
            raise ProviderUnreachable(NAME) from error
        except openai.APIStatusError as error:
            raise self._error_of(error) from None
        return response.text

    def _error_of(self, error: openai.APIStatusError) -> ProviderError:
        status = error.status_code
        match status:
            case 401 | 403:
                return ProviderKeyRefused(NAME, status)
            case 429:
                return ProviderRateLimited(
                    NAME, _seconds(error.response.headers.get("retry-after"))
                )
            case _ if status >= 500:  # noqa: PLR2004 - HTTP's own boundary
                return ProviderFailed(NAME, status)
        detail = error.message.replace(self._connection.api_key, "…")[:_DETAIL_LENGTH]
        return ProviderRequestRefused(NAME, status, detail)


def _seconds(header: str | None) -> float | None:
    """`Retry-After` in seconds; None where it is missing or a date."""
    return float(header) if header and header.isdigit() else None


@lru_cache(maxsize=32)
def _client(connection: Connection) -> openai.OpenAI:
    """One client, and so one pool of open connections, for each key and address."""
    import openai  # noqa: PLC0415 - as above

    return openai.OpenAI(
        api_key=connection.api_key,
        base_url=connection.base_url or None,
        max_retries=0,
    )

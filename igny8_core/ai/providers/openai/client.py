"""OpenAI, or any server that speaks its protocol, by the official SDK."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from igny8_core.ai.providers.base import (
    Connection,
    EmbeddingRequest,
    Image,
    ImageRequest,
    ProviderAnswer,
    TextRequest,
    Vector,
)
from igny8_core.ai.providers.errors import (
    ProviderAnswerInvalid,
    ProviderError,
    ProviderFailed,
    ProviderKeyRefused,
    ProviderRateLimited,
    ProviderRequestRefused,
    ProviderTimeout,
    ProviderUnreachable,
)
from igny8_core.ai.providers.openai.answers import (
    Completion,
    Embeddings,
    Pictures,
    image_tokens,
    processing,
)
from igny8_core.ai.providers.openai.meters import openai_meters
from igny8_core.pricing.conditions import PriceContext
from igny8_core.pricing.meters import Meter

if TYPE_CHECKING:
    import openai

NAME = "openai"
ADDRESS = "https://api.openai.com/v1"
_DETAIL_LENGTH = 300
_Body = TypeVar("_Body", bound=BaseModel)


class OpenAIProvider:
    name = NAME

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._client = _client(connection)

    def complete(self, request: TextRequest) -> ProviderAnswer[str]:
        options = {
            "response_format": {"type": "json_object"} if request.json_mode else None,
            "temperature": request.temperature,
            "max_completion_tokens": request.max_tokens,
        }
        completion = self._post(
            Completion,
            request.timeout_s,
            lambda client: client.chat.completions.with_streaming_response.create,
            model=request.model_id,
            messages=[
                {"role": "system", "content": request.instruction},
                {"role": "user", "content": request.prompt},
            ],
            **{name: value for name, value in options.items() if value is not None},
        )
        choice = completion.choices[0]
        usage = completion.usage
        return ProviderAnswer(
            content=choice.message.content or choice.message.refusal or "",
            model_served=completion.model,
            meters=openai_meters(usage.model_dump()) if usage else None,
            finish_reason=choice.finish_reason or "",
            context=PriceContext(processing=processing(completion.service_tier)),
        )

    def draw(self, request: ImageRequest) -> ProviderAnswer[tuple[Image, ...]]:
        pictures = self._post(
            Pictures,
            request.timeout_s,
            lambda client: client.images.with_streaming_response.generate,
            model=request.model_id,
            prompt=request.prompt,
            n=request.number,
            **({"size": request.image_size} if request.image_size else {}),
        )
        return ProviderAnswer(
            content=tuple(Image(picture.url, picture.b64_json) for picture in pictures.data),
            model_served=request.model_id,
            meters={Meter.IMAGES: len(pictures.data), **image_tokens(pictures.usage)},
            context=PriceContext(size=request.image_size),
        )

    def embed(self, request: EmbeddingRequest) -> ProviderAnswer[tuple[Vector, ...]]:
        embeddings = self._post(
            Embeddings,
            request.timeout_s,
            lambda client: client.embeddings.with_streaming_response.create,
            model=request.model_id,
            input=list(request.texts),
            encoding_format="float",
        )
        rows = sorted(embeddings.data, key=lambda row: row.index)
        if [row.index for row in rows] != list(range(len(request.texts))):
            fault = f"{len(rows)} vectors for {len(request.texts)} texts"
            raise ProviderAnswerInvalid(NAME, fault)
        usage = embeddings.usage
        return ProviderAnswer(
            content=tuple(tuple(row.embedding) for row in rows),
            model_served=embeddings.model,
            meters={Meter.INPUT_TOKENS: usage.prompt_tokens} if usage else None,
        )

    def _post(
        self,
        body_type: type[_Body],
        timeout_s: float,
        endpoint: Callable[[openai.OpenAI], Callable[..., AbstractContextManager[Any]]],
        **options: Any,
    ) -> _Body:
        """Send a request and read the body of the answer."""
        import httpx2  # noqa: PLC0415 - the SDK takes half a second that others need not pay
        import openai  # noqa: PLC0415 - as above

        deadline_s = time.monotonic() + timeout_s
        try:
            with endpoint(self._client)(timeout=timeout_s, **options) as response:
                body = bytearray()
                for chunk in response.iter_bytes():
                    body += chunk
                    if time.monotonic() > deadline_s:
                        raise ProviderTimeout(NAME, timeout_s)
        except (openai.APITimeoutError, httpx2.TimeoutException) as error:
            raise ProviderTimeout(NAME, timeout_s) from error
        except (openai.APIConnectionError, httpx2.TransportError) as error:
            raise ProviderUnreachable(NAME) from error
        except openai.APIStatusError as error:
            raise self._error_of(error) from None
        except httpx2.DecodingError as error:
            raise ProviderAnswerInvalid(NAME, "body: it cannot be decompressed") from error
        try:
            return body_type.model_validate_json(bytes(body))
        except ValidationError as error:
            fault = error.errors(include_input=False, include_url=False)[0]
            place = ".".join(str(part) for part in fault["loc"]) or "body"
            raise ProviderAnswerInvalid(NAME, f"{place}: {fault['msg']}") from None

    def _error_of(self, error: openai.APIStatusError) -> ProviderError:
        status = error.status_code
        match status:
            case 401 | 403:
                return ProviderKeyRefused(NAME, status)
            case 429:
                wait = _seconds(error.response.headers.get("retry-after"))
                return ProviderRateLimited(NAME, wait)
            case _ if status >= 500:  # noqa: PLR2004 - HTTP's own boundary
                return ProviderFailed(NAME, status)
        detail = error.message.replace(self._connection.api_key, "…")[:_DETAIL_LENGTH]
        return ProviderRequestRefused(NAME, status, detail)


def _seconds(header: str | None) -> float | None:
    """`Retry-After` in seconds; None where it is missing or a date."""
    return float(header) if header and header.isascii() and header.isdigit() else None


@lru_cache(maxsize=32)
def _client(connection: Connection) -> openai.OpenAI:
    """One client, and so one pool of open connections, for each key and address."""
    import openai  # noqa: PLC0415 - as above

    client = openai.OpenAI(
        api_key=connection.api_key,
        base_url=connection.base_url or ADDRESS,
        max_retries=0,
        # A redirect would carry the prompt to wherever it says.
        http_client=openai.DefaultHttpxClient(follow_redirects=False),
    )
    # The SDK would take them from the environment, which an account's own key knows nothing of.
    client.organization = client.project = None
    return client

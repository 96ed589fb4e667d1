"""Google's Gemini, by the official SDK."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

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
    ProviderCannot,
    ProviderContentRefused,
    ProviderError,
    ProviderTimeout,
    ProviderUnforeseen,
    ProviderUnreachable,
)
from igny8_core.ai.providers.google.answers import Embedded, Generated
from igny8_core.ai.providers.google.meters import google_meters
from igny8_core.ai.providers.usage import read, with_pictures
from igny8_core.ai.providers.wire import Body, name_of, one_line, parsed, refusal
from igny8_core.pricing.conditions import PriceContext, Processing

if TYPE_CHECKING:
    from google import genai

ADDRESS = "https://generativelanguage.googleapis.com"


class GoogleProvider:
    def __init__(self, name: str, connection: Connection) -> None:
        self.name = name
        self._connection = connection
        self._client = _client(name, connection)

    def complete(self, request: TextRequest) -> ProviderAnswer[str]:
        options = {
            "system_instruction": request.instruction or None,
            "temperature": request.temperature,
            "max_output_tokens": request.max_tokens,
            "service_tier": request.service_tier,
            "response_mime_type": "application/json" if request.json_mode else None,
        }
        found = self._generate(request.model_id, _parts(request), request.timeout_s, options)
        return ProviderAnswer(
            content="".join(part.text for part in found.parts),
            model_served=name_of(found.modelVersion),
            usage=read(found.usageMetadata, google_meters),
            finish_reason=name_of(found.finish_reason),
            # The answer does not say what it was served as.
            context=PriceContext(processing=request.service_tier or Processing.STANDARD),
        )

    def draw(self, request: ImageRequest) -> ProviderAnswer[tuple[Image, ...]]:
        """One picture, in Google's own size and quality: the protocol has no words for ours."""
        if request.number != 1:
            raise ProviderCannot(self.name, "draw more than one picture a call", request.model_id)
        options = {"response_modalities": ["IMAGE"]}
        found = self._generate(request.model_id, request.prompt, request.timeout_s, options)
        drawn = [part.inlineData.data for part in found.parts if part.inlineData]
        if not drawn:
            why = name_of(found.finish_reason) or "no picture in the answer"
            raise ProviderContentRefused(self.name, 200, why)
        usage = read(found.usageMetadata, google_meters)
        return ProviderAnswer(
            content=tuple(Image(None, data) for data in drawn),
            model_served=name_of(found.modelVersion),
            usage=with_pictures(usage, len(drawn)),
            finish_reason=name_of(found.finish_reason),
        )

    def embed(self, request: EmbeddingRequest) -> ProviderAnswer[tuple[Vector, ...]]:
        found = self._ask(
            Embedded,
            request.timeout_s,
            lambda: self._client.models.embed_content(
                model=request.model_id,
                contents=list(request.texts),
            ),
        )
        if len(found.embeddings) != len(request.texts):
            fault = f"{len(found.embeddings)} vectors for {len(request.texts)} texts"
            raise ProviderAnswerInvalid(self.name, fault)
        return ProviderAnswer(
            content=tuple(tuple(each.values) for each in found.embeddings),
            model_served=request.model_id,
            usage=read(found.usageMetadata, google_meters),
        )

    def _generate(
        self, model_id: str, prompt: Any, timeout_s: float, options: dict[str, Any]
    ) -> Generated:
        said: Any = {name: value for name, value in options.items() if value is not None}
        return self._ask(
            Generated,
            timeout_s,
            lambda: self._client.models.generate_content(
                model=model_id, contents=prompt, config=said
            ),
        )

    def _ask(self, body_type: type[Body], timeout_s: float, send: Callable[[], Any]) -> Body:
        """The answer's body as it came: the SDK leaves parts of it out. Raises a ProviderError."""
        import httpx2  # noqa: PLC0415 - the SDK takes a while that others need not pay
        from google.genai import errors  # noqa: PLC0415 - as above

        from igny8_core.ai.providers.bounded import within  # noqa: PLC0415 - as above

        try:
            with within(timeout_s) as seen:
                send()
        except ProviderError:
            raise
        except httpx2.TimeoutException as error:
            raise ProviderTimeout(self.name, timeout_s) from error
        except httpx2.TransportError as error:
            raise ProviderUnreachable(self.name) from error
        except errors.APIError as error:
            raise self._refused(error) from None
        except Exception as error:
            if seen.status != HTTPStatus.OK or not seen.is_whole:
                raise ProviderUnforeseen(self.name, error) from error
            # The SDK cannot read what it says; what was paid for may be there all the same.
        return parsed(body_type, seen.body, self.name)

    def _refused(self, error: Any) -> ProviderError:
        text = error.message if isinstance(error.message, str) else ""
        key = self._connection.api_key
        detail = one_line(text.replace(key, "…") if key else text)
        codes = {error.status} if isinstance(error.status, str) else set()
        if "API_KEY_INVALID" in str(error.details):
            codes.add("API_KEY_INVALID")
        headers = getattr(error.response, "headers", {})
        return refusal(self.name, error.code, headers, detail, codes)


def _parts(request: TextRequest) -> Any:
    """What the prompt is shown, and the prompt."""
    from google.genai import types  # noqa: PLC0415 - the SDK takes a while that others need not pay

    shown = [
        types.Part(file_data=types.FileData(file_uri=image.url))
        if image.url
        else types.Part(
            inline_data=types.Blob(
                mime_type=image.media_type, data=base64.b64decode(image.b64 or "")
            )
        )
        for image in request.images
    ]
    return [*shown, types.Part(text=request.prompt)]


@lru_cache(maxsize=32)
def _client(provider: str, connection: Connection) -> genai.Client:
    """One client, and so one pool of open connections, for each key and address."""
    from google import genai  # noqa: PLC0415 - as above
    from google.genai import types  # noqa: PLC0415 - as above

    from igny8_core.ai.providers.bounded import client  # noqa: PLC0415 - as above

    return genai.Client(
        vertexai=False,
        api_key=connection.api_key,
        http_options=types.HttpOptions(
            base_url=connection.base_url or ADDRESS,
            api_version="v1beta",
            httpx_client=client(provider),
        ),
    )


os.register_at_fork(after_in_child=_client.cache_clear)

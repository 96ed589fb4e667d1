"""Runware, by its own HTTP protocol: a list of tasks, and what each gave. It draws pictures."""

from __future__ import annotations

import os
from collections.abc import Sequence
from decimal import Decimal
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

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
    ProviderError,
    ProviderTimeout,
    ProviderUnforeseen,
    ProviderUnreachable,
)
from igny8_core.ai.providers.runware.answers import Pictures
from igny8_core.ai.providers.usage import Reading, read, with_pictures
from igny8_core.ai.providers.wire import name_of, one_line, parsed, refusal
from igny8_core.pricing.conditions import PriceContext

if TYPE_CHECKING:
    import httpx2

ADDRESS: Final = "https://api.runware.ai/v1"
# It has to be said.
_SIZE: Final = "1024x1024"
# Its words for what others call otherwise.
_CODES: Final = {
    "invalidApiKey": "API_KEY_INVALID",
    "missingApiKey": "API_KEY_INVALID",
    "insufficientCredits": "insufficient_quota",
    "invalidModel": "model_not_found",
    "modelNotFound": "model_not_found",
    "invalidPositivePromptLength": "string_above_max_length",
    "contentModerated": "content_policy_violation",
}


class RunwareProvider:
    def __init__(self, name: str, connection: Connection) -> None:
        self.name = name
        self._connection = connection
        self._url = connection.base_url or ADDRESS
        self._client = _client(name, connection.api_key)

    def complete(self, request: TextRequest) -> ProviderAnswer[str]:
        raise ProviderCannot(self.name, "answer in text", request.model_id)

    def draw(self, request: ImageRequest) -> ProviderAnswer[tuple[Image, ...]]:
        size = request.image_size or _SIZE
        width, _, height = size.partition("x")
        task = {
            "taskType": "imageInference",
            "taskUUID": str(uuid4()),
            "model": request.model_id,
            "positivePrompt": request.prompt,
            "width": int(width),
            "height": int(height),
            "numberResults": request.number,
            "outputType": "URL",
            "includeCost": True,
        }
        found = self._post([task], request.timeout_s)
        drawn = [Image(each.imageURL, each.imageBase64Data) for each in found.data]
        costs = [each.cost for each in found.data]
        usage = with_pictures(read(None, _no_block, cost=_sum(costs)), len(drawn))
        return ProviderAnswer(
            content=tuple(drawn),
            # It says no name: what was asked for is what was drawn with.
            model_served=request.model_id,
            usage=usage._replace(block={"costs": costs}),
            context=PriceContext(size=size),
        )

    def embed(self, request: EmbeddingRequest) -> ProviderAnswer[tuple[Vector, ...]]:
        raise ProviderCannot(self.name, "embed texts", request.model_id)

    def _post(self, tasks: Sequence[dict[str, Any]], timeout_s: float) -> Pictures:
        """What was drawn, if only in part: it was paid for. Raises a ProviderError."""
        import httpx2  # noqa: PLC0415 - it takes a while that others need not pay

        from igny8_core.ai.providers.bounded import within  # noqa: PLC0415 - as above

        try:
            with within(timeout_s) as seen:
                answer = self._client.post(self._url, json=[*tasks])
        except ProviderError:
            raise
        except httpx2.TimeoutException as error:
            raise ProviderTimeout(self.name, timeout_s) from error
        except httpx2.TransportError as error:
            raise ProviderUnreachable(self.name) from error
        except Exception as error:
            raise ProviderUnforeseen(self.name, error) from error
        try:
            found = parsed(Pictures, seen.body, self.name)
        except ProviderAnswerInvalid:
            if answer.status_code == HTTPStatus.OK:
                raise
            found = Pictures()
        if not found.data:
            raise self._refused(found, answer)
        return found

    def _refused(self, found: Pictures, answer: httpx2.Response) -> ProviderError:
        fault = found.errors[0] if found.errors else None
        text = fault.message if fault and isinstance(fault.message, str) else "no picture"
        key = self._connection.api_key
        detail = one_line(text.replace(key, "…") if key else text)
        code = name_of(fault.code) if fault else ""
        is_ok = answer.status_code < HTTPStatus.BAD_REQUEST
        status = HTTPStatus.BAD_REQUEST if is_ok else answer.status_code
        codes = {_CODES.get(code, code)}
        return refusal(self.name, status, answer.headers, detail, codes)


def _sum(costs: Sequence[Any]) -> Any:
    """What all of it cost; the first that is no amount, where one is none."""
    if all(cost is None for cost in costs):
        return None
    for cost in costs:
        if type(cost) not in {int, float}:
            return cost if cost is not None else "nothing"
    return sum(Decimal(str(cost)) for cost in costs)


def _no_block(_usage: Any) -> Reading:
    """It counts pictures alone."""
    return Reading({})


@lru_cache(maxsize=32)
def _client(name: str, api_key: str) -> httpx2.Client:
    """One client, and so one pool of open connections, for each key."""
    from igny8_core.ai.providers.bounded import client  # noqa: PLC0415 - as above

    made = client(name)
    made.headers["Authorization"] = f"Bearer {api_key}"
    return made


# A child must not share its parent's sockets: each would get the other's answers.
os.register_at_fork(after_in_child=_client.cache_clear)

"""Runware, by its own HTTP protocol: a list of tasks, and what each gave. It draws pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from http import HTTPStatus
from typing import Any, Final
from uuid import uuid4

from igny8_core.ai.providers.base import (
    Connection,
    Image,
    ImageRequest,
    Provider,
    ProviderAnswer,
)
from igny8_core.ai.providers.exchange import Exchange
from igny8_core.ai.providers.network import network
from igny8_core.ai.providers.runware.answers import Pictures
from igny8_core.ai.providers.usage import Reading, read, with_pictures
from igny8_core.ai.providers.wire import Fault, name_of
from igny8_core.pricing.conditions import PriceContext

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


class RunwareProvider(Provider):
    def __init__(self, name: str, connection: Connection) -> None:
        super().__init__(name, connection)
        self._exchange = Exchange(name, connection.api_key, _fault_of)
        self._url = connection.base_url or ADDRESS

    async def draw(self, request: ImageRequest) -> ProviderAnswer[tuple[Image, ...]]:
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
        found = await self._exchange.whole(
            Pictures,
            request.timeout_s,
            lambda: network().http.post(
                self._url,
                json=[task],
                headers={"Authorization": f"Bearer {self.connection.api_key}"},
            ),
        )
        if not found.data:  # what was drawn in part was paid for
            said = found.model_dump()
            raise self._exchange.refusal(HTTPStatus.BAD_REQUEST, {}, said)
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


def _fault_of(said: Any) -> Fault:
    errors = said.get("errors") if isinstance(said, Mapping) else None
    first = errors[0] if isinstance(errors, list) and errors else None
    if not isinstance(first, Mapping):
        return Fault("no picture", set())
    text, code = first.get("message"), name_of(first.get("code"))
    return Fault(text if isinstance(text, str) else "no picture", {_CODES.get(code, code)})


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

"""What a caller wants, a text, pictures or vectors, and a provider's request for it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol

from igny8_core.ai.providers.base import (
    EmbeddingRequest,
    Image,
    ImageRequest,
    Provider,
    ProviderAnswer,
    TextRequest,
    Vector,
)
from igny8_core.ai.providers.images import check_images
from igny8_core.catalogue.models import CatalogueModel
from igny8_core.pricing.conditions import PriceContext
from igny8_core.pricing.errors import InvalidQuantity
from igny8_core.pricing.meters import Meter, Meters, ModelType
from igny8_core.tasks import prompts
from igny8_core.tasks.needs import Needs
from igny8_core.tasks.prompts import estimated_tokens

MAX_IMAGES: Final = 10
# Options that make it no other request.
_BESIDE: Final = {"max_cost", "request_id"}


class Put(NamedTuple):
    """How it is put to a model: the task's instruction, the merged parameters."""

    instruction: str
    json_mode: bool
    parameters: Mapping[str, Any]
    timeout_s: float


class Wanted(Protocol):
    """`texts` are all that the model reads beside the instruction."""

    task: str
    model_type: ModelType
    texts: tuple[str, ...]
    needs: Needs

    @property
    def digestible(self) -> list[Any]:
        """What makes it another than the next, as JSON."""
        ...

    def request(self, model: CatalogueModel, put: Put) -> Any:
        """For a provider."""
        ...

    def ask(self, provider: Provider, request: Any) -> Coroutine[Any, Any, ProviderAnswer[Any]]: ...

    def at_most(self, model: CatalogueModel, put: Put) -> tuple[Meters, PriceContext]:
        """What it may take: input is estimated, output is as long as it may be."""
        ...


class TextWanted:
    model_type = ModelType.TEXT

    def __init__(self, task: str, prompt: str, images: Sequence[Image]) -> None:
        self.task = task
        self.texts: tuple[str, ...] = (prompt,)
        self.images = check_images(images)
        self.needs = Needs(vision=bool(self.images))

    @property
    def digestible(self) -> list[Any]:
        return [self.task, *self.texts, *self.images]

    def request(self, model: CatalogueModel, put: Put) -> TextRequest:
        return TextRequest(
            model_id=model.model_id,
            instruction=put.instruction,
            prompt=self.texts[0],
            json_mode=put.json_mode,
            timeout_s=put.timeout_s,
            longest=model.max_tokens,
            images=self.images,
            **put.parameters,
        )

    def ask(
        self, provider: Provider, request: TextRequest
    ) -> Coroutine[Any, Any, ProviderAnswer[str]]:
        return provider.complete(request)

    def at_most(self, model: CatalogueModel, put: Put) -> tuple[Meters, PriceContext]:
        into = estimated_tokens(put.instruction) + estimated_tokens(self.texts[0])
        out: int = put.parameters.get("max_tokens") or model.max_tokens
        tier = put.parameters.get("service_tier")
        context = PriceContext(processing=tier) if tier else PriceContext()
        return {Meter.INPUT_TOKENS: into, Meter.OUTPUT_TOKENS: out}, context


class PicturesWanted:
    model_type = ModelType.IMAGE
    needs = Needs()

    def __init__(self, task: str, prompt: str, count: int) -> None:
        if type(count) is not int or not 1 <= count <= MAX_IMAGES:
            raise InvalidQuantity("count", count, least=1, most=MAX_IMAGES)
        self.task, self.count = task, count
        self.texts: tuple[str, ...] = (prompt,)

    @property
    def digestible(self) -> list[Any]:
        return [self.task, *self.texts, self.count]

    def request(self, model: CatalogueModel, put: Put) -> ImageRequest:
        return ImageRequest(
            model_id=model.model_id,
            prompt=f"{put.instruction}\n{self.texts[0]}".strip(),
            number=self.count,
            timeout_s=put.timeout_s,
            **put.parameters,
        )

    def ask(
        self, provider: Provider, request: ImageRequest
    ) -> Coroutine[Any, Any, ProviderAnswer[tuple[Image, ...]]]:
        return provider.draw(request)

    def at_most(self, model: CatalogueModel, put: Put) -> tuple[Meters, PriceContext]:  # noqa: ARG002 - as the others
        context = PriceContext(
            size=put.parameters.get("image_size"), quality=put.parameters.get("image_quality")
        )
        return {Meter.IMAGES: self.count}, context


class VectorsWanted:
    model_type = ModelType.EMBEDDING
    needs = Needs()

    def __init__(self, task: str, texts: str | Sequence[str]) -> None:
        texts = [texts] if isinstance(texts, str) else texts
        prompts.check_texts(texts)
        self.task, self.texts = task, tuple(texts)

    @property
    def digestible(self) -> list[Any]:
        return [self.task, *self.texts]

    def request(self, model: CatalogueModel, put: Put) -> EmbeddingRequest:
        return EmbeddingRequest(
            model_id=model.model_id, texts=self._put(put), timeout_s=put.timeout_s
        )

    def ask(
        self, provider: Provider, request: EmbeddingRequest
    ) -> Coroutine[Any, Any, ProviderAnswer[tuple[Vector, ...]]]:
        return provider.embed(request)

    def at_most(self, model: CatalogueModel, put: Put) -> tuple[Meters, PriceContext]:  # noqa: ARG002 - as the others
        return {Meter.INPUT_TOKENS: sum(map(estimated_tokens, self._put(put)))}, PriceContext()

    def _put(self, put: Put) -> tuple[str, ...]:
        return tuple(f"{put.instruction}\n{text}".strip() for text in self.texts)


def digest(wanted: Wanted, options: Mapping[str, Any]) -> str:
    """What was asked, to know it again by, in whatever order it was said; prompts are not kept."""
    said = {name: value for name, value in options.items() if value and name not in _BESIDE}
    text = json.dumps([wanted.digestible, said], default=str, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()

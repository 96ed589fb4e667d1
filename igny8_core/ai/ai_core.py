"""The main job: pick the model, run the AI request, price it, keep a receipt.

Over 200 lines: the three kinds of request stand side by side, and share what makes them ready.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, NamedTuple, TypedDict, TypeVar, Unpack

from asgiref.sync import sync_to_async
from django.core.cache import cache

from igny8_core import live_settings
from igny8_core.ai import ledger
from igny8_core.ai.account_settings import AccountSettings, prompt_of, settings_of
from igny8_core.ai.attempts import Answer, Attempt, Streamed, milliseconds_since
from igny8_core.ai.errors import AccountNotActive, WrongTaskType
from igny8_core.ai.providers import network, provider_for
from igny8_core.ai.providers.base import (
    Connection,
    EmbeddingRequest,
    Image,
    ImageRequest,
    Provider,
    ProviderAnswer,
    TextRequest,
    Vector,
)
from igny8_core.ai.providers.images import check_images
from igny8_core.ai.resolution import Resolution
from igny8_core.ai.resolver import resolve
from igny8_core.catalogue.models import CatalogueProvider
from igny8_core.modules.accounts.models import Account, AccountStatus
from igny8_core.pricing.errors import InvalidQuantity
from igny8_core.pricing.meters import ModelType
from igny8_core.tasks import prompts
from igny8_core.tasks.needs import Needs
from igny8_core.tasks.parameters import Value, merge
from igny8_core.tasks.prompts import ActivePrompt
from igny8_core.tasks.tasks import Task, get_task

logger = logging.getLogger(__name__)

MAX_IMAGES = 10
_RUN_S = 24 * 60 * 60

Content = TypeVar("Content")


class Options(TypedDict, total=False):
    """What every call takes by keyword, all of it optional."""

    model: str | None  # this model and no other
    needs: Needs | None  # beside the task's own
    variables: Mapping[str, str]  # fill in the placeholders of the task's instruction
    parameters: Mapping[str, Value]  # over the account's and the platform's


class _Call(NamedTuple):
    """One AI call, made ready: everything but the provider's answer."""

    resolution: Resolution
    provider: Provider
    prompt: ActivePrompt
    instruction: str
    json_mode: bool
    parameters: Mapping[str, Any]
    timeout_s: float


class AICore:
    """Runs AI requests for one account. Everything it refuses or fails at is an AIError.

    Where a provider was called and failed, it is a ProviderError, and the receipt has its code
    and no cost. `connections` says how each provider is reached, by its name; where it is not
    given, what account, platform and environment have set does. The calls of one `run_key` keep
    the model of each type that the first one got, for a day, while it is usable.
    """

    def __init__(
        self,
        account: Account,
        *,
        connections: Mapping[str, Connection] | None = None,
        run_key: str | None = None,
    ) -> None:
        self.account = account
        self._connections = connections
        self._run_key = run_key

    def run_ai_request(
        self, task: str, prompt: str, *, images: Sequence[Image] = (), **options: Unpack[Options]
    ) -> Answer[str]:
        """Answer the prompt with a text model; one that sees, where it is shown `images`."""
        call, request = self._text(task, prompt, images, options)
        return self._run(call, call.provider.complete(request))

    async def arun_ai_request(
        self, task: str, prompt: str, *, images: Sequence[Image] = (), **options: Unpack[Options]
    ) -> Answer[str]:
        """As `run_ai_request`, for a coroutine: cancelling it cuts the call off."""
        call, request = await sync_to_async(self._text)(task, prompt, images, options)
        return await self._arun(call, call.provider.complete(request))

    def stream_ai_request(
        self, task: str, prompt: str, *, images: Sequence[Image] = (), **options: Unpack[Options]
    ) -> Streamed[_Call]:
        """As `run_ai_request`, the text as it comes; nothing is sent before it is iterated."""

        def begin() -> tuple[_Call, Provider, TextRequest]:
            call, request = self._text(task, prompt, images, options)
            return call, call.provider, request

        return Streamed(begin, self._settle)

    def generate_image(
        self,
        prompt: str,
        *,
        task: str = "generate_images",
        count: int = 1,
        **options: Unpack[Options],
    ) -> Answer[tuple[Image, ...]]:
        """Draw `count` pictures of the prompt."""
        call, request = self._picture(prompt, task, count, options)
        return self._run(call, call.provider.draw(request))

    async def agenerate_image(
        self,
        prompt: str,
        *,
        task: str = "generate_images",
        count: int = 1,
        **options: Unpack[Options],
    ) -> Answer[tuple[Image, ...]]:
        """As `generate_image`, for a coroutine."""
        call, request = await sync_to_async(self._picture)(prompt, task, count, options)
        return await self._arun(call, call.provider.draw(request))

    def embed(
        self,
        texts: str | Sequence[str],
        *,
        task: str = "embed_text",
        **options: Unpack[Options],
    ) -> Answer[tuple[Vector, ...]]:
        """One vector for each text, in their order; a single text is a list of one."""
        call, request = self._vectors(texts, task, options)
        return self._run(call, call.provider.embed(request))

    async def aembed(
        self,
        texts: str | Sequence[str],
        *,
        task: str = "embed_text",
        **options: Unpack[Options],
    ) -> Answer[tuple[Vector, ...]]:
        """As `embed`, for a coroutine."""
        call, request = await sync_to_async(self._vectors)(texts, task, options)
        return await self._arun(call, call.provider.embed(request))

    def _text(
        self, task: str, prompt: str, images: Sequence[Image], options: Options
    ) -> tuple[_Call, TextRequest]:
        shown = check_images(images)
        if shown:
            needs = (options.get("needs") or Needs()).union(Needs(vision=True))
            options = {**options, "needs": needs}
        call = self._prepare(task, ModelType.TEXT, [prompt], **options)
        request = TextRequest(
            model_id=call.resolution.model.model_id,
            instruction=call.instruction,
            prompt=prompt,
            json_mode=call.json_mode,
            timeout_s=call.timeout_s,
            longest=call.resolution.model.max_tokens,
            images=shown,
            **call.parameters,
        )
        return call, request

    def _picture(
        self, prompt: str, task: str, count: int, options: Options
    ) -> tuple[_Call, ImageRequest]:
        if type(count) is not int or not 1 <= count <= MAX_IMAGES:
            raise InvalidQuantity("count", count, least=1, most=MAX_IMAGES)
        call = self._prepare(task, ModelType.IMAGE, [prompt], **options)
        request = ImageRequest(
            model_id=call.resolution.model.model_id,
            prompt=f"{call.instruction}\n{prompt}".strip(),
            number=count,
            timeout_s=call.timeout_s,
            **call.parameters,
        )
        return call, request

    def _vectors(
        self, texts: str | Sequence[str], task: str, options: Options
    ) -> tuple[_Call, EmbeddingRequest]:
        texts = [texts] if isinstance(texts, str) else texts
        call = self._prepare(task, ModelType.EMBEDDING, texts, **options)
        request = EmbeddingRequest(
            model_id=call.resolution.model.model_id,
            texts=tuple(f"{call.instruction}\n{text}".strip() for text in texts),
            timeout_s=call.timeout_s,
        )
        return call, request

    def _prepare(  # noqa: PLR0913 - the options, one by one
        self,
        task: str,
        model_type: ModelType,
        texts: Sequence[str],
        *,
        model: str | None = None,
        needs: Needs | None = None,
        variables: Mapping[str, str] | None = None,
        parameters: Mapping[str, Value] | None = None,
    ) -> _Call:
        """Check what was asked and settle model, provider, instruction and parameters."""
        the_task = get_task(task)
        if the_task.model_type != model_type:
            raise WrongTaskType(task, the_task.model_type, model_type)
        prompts.check_texts(texts)
        if self.account.status != AccountStatus.ACTIVE:
            raise AccountNotActive(self.account.key, self.account.status)
        ledger.refuse_open_transaction()
        resolution = self._resolve(the_task, needs, model)
        settings = settings_of(self.account)
        prompt = prompt_of(self.account, the_task)
        json_mode = the_task.needs.union(needs or Needs()).json_mode
        instruction = prompts.instruction_of(prompt.template, variables or {}, json_mode=json_mode)
        for text in texts:
            prompts.check_length(instruction + text, resolution.model)
        merged = merge(settings.layers(the_task, parameters or {}), resolution.model)
        live = live_settings.load()
        return _Call(
            resolution=resolution,
            provider=provider_for(
                resolution.provider,
                self._connection(resolution.provider, settings),
                offline_answers=live.offline_answers,
            ),
            prompt=prompt,
            instruction=instruction,
            json_mode=json_mode,
            parameters={name: setting.value for name, setting in merged.items()},
            timeout_s=live.request_timeout_s,
        )

    def _resolve(self, task: Task, needs: Needs | None, model: str | None) -> Resolution:
        given = self._connections
        keys_for = None if given is None else [name for name in given if given[name].api_key]
        if self._run_key is None:
            return resolve(self.account, task.key, needs=needs, model=model, keys_for=keys_for)
        run = json.dumps([self.account.key, self._run_key, task.model_type])
        key = f"ai-run:{hashlib.sha256(run.encode()).hexdigest()}"
        kept = cache.get(key)
        if not isinstance(kept, str):  # nothing, or somebody else's
            kept = None
        resolution = resolve(
            self.account, task.key, needs=needs, model=model, keep=kept, keys_for=keys_for
        )
        if model is None and kept != resolution.model.model_id:
            cache.set(key, resolution.model.model_id, _RUN_S)
        return resolution

    def _connection(self, provider: CatalogueProvider, settings: AccountSettings) -> Connection:
        if self._connections is None:
            return settings.connection(provider)
        given = self._connections.get(provider.name, Connection(api_key=""))
        return given._replace(base_url=given.base_url or provider.base_url)

    def _run(
        self, call: _Call, asked: Coroutine[Any, Any, ProviderAnswer[Content]]
    ) -> Answer[Content]:
        """Ask the provider once, price what it took, and record the receipt either way."""
        started_s = time.perf_counter()
        try:
            answer = network.wait(asked)
        except BaseException as error:
            self._failed(call, started_s, error)
            raise
        return self._settle(call, _attempt(call, started_s, answer))

    async def _arun(
        self, call: _Call, asked: Coroutine[Any, Any, ProviderAnswer[Content]]
    ) -> Answer[Content]:
        started_s = time.perf_counter()
        try:
            answer = await network.awaited(asked)
        except BaseException as error:
            await sync_to_async(self._failed)(call, started_s, error)
            raise
        return await sync_to_async(self._settle)(call, _attempt(call, started_s, answer))

    def _failed(self, call: _Call, started_s: float, error: BaseException) -> None:
        attempt = Attempt[str](call.provider.name, milliseconds_since(started_s), None, error)
        ledger.settle(self.account, call.resolution, call.prompt, attempt)

    def _settle(self, call: _Call, attempt: Attempt[Content]) -> Answer[Content]:
        """Of an attempt with an answer."""
        receipt = ledger.settle(self.account, call.resolution, call.prompt, attempt)
        answer = attempt.answer
        assert answer is not None  # noqa: S101 - see above
        return Answer.of(answer, call.resolution, receipt)


def _attempt(call: _Call, started_s: float, answer: ProviderAnswer[Content]) -> Attempt[Content]:
    return Attempt(call.provider.name, milliseconds_since(started_s), answer)

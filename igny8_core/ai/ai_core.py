"""The main job: pick the model, run the AI request, price it, keep a receipt.

Over 200 lines: each kind of request is here for threads and for coroutines.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Unpack
from uuid import UUID, uuid4

from igny8_core.ai.account_settings import settings_of
from igny8_core.ai.errors import AccountNotActive, DatabaseAway, InvalidRequestId, WrongTaskType
from igny8_core.ai.providers import network
from igny8_core.ai.providers.base import Connection, Image, Vector
from igny8_core.ai.replay.asked import Asked
from igny8_core.ai.request import ledger, runs
from igny8_core.ai.request.answers import Answer
from igny8_core.ai.request.attempts import Attempts
from igny8_core.ai.request.preparing import Options, Preparation
from igny8_core.ai.request.streamed import Streamed, begun
from igny8_core.ai.request.wanted import PicturesWanted, TextWanted, VectorsWanted, Wanted, digest
from igny8_core.ai.resolution import Resolution
from igny8_core.ai.resolver import resolve
from igny8_core.modules.accounts.models import Account, AccountStatus
from igny8_core.modules.system.declared_tasks import known_task
from igny8_core.modules.usage.connecting import AWAY, reconnected
from igny8_core.modules.usage.models import Receipt
from igny8_core.tasks import prompts
from igny8_core.tasks.needs import Needs
from igny8_core.tasks.tasks import Task


class AICore:
    """Runs AI requests for one account. Everything it refuses or fails at is an AIError.

    Where a provider was called and failed, it is a ProviderError, and the receipt has its code
    and no cost. `connections` says how each provider is reached, by its name; where it is not
    given, what account, platform and environment have set does. The calls of one `run_key` keep
    the model of each type that they have, for a day, while it is usable: in any process, for one
    read more where a process first meets the run. Raises InvalidRunKey.

    Each call takes the keywords of `Options`. With a `request_id` it raises, where the account
    has used that id before: RequestConflict, RequestInProgress, or RequestDone with the receipt.
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
        self._run_key = runs.checked_run(run_key)

    def run_ai_request(
        self, task: str, prompt: str, *, images: Sequence[Image] = (), **options: Unpack[Options]
    ) -> Answer[str]:
        """Answer the prompt with a text model; one that sees, where it is shown `images`."""
        return self._run(TextWanted(task, prompt, images), options)

    async def arun_ai_request(
        self, task: str, prompt: str, *, images: Sequence[Image] = (), **options: Unpack[Options]
    ) -> Answer[str]:
        """As `run_ai_request`, for a coroutine: cancelling it cuts the call off."""
        return await self._arun(TextWanted(task, prompt, images), options)

    def stream_ai_request(
        self, task: str, prompt: str, *, images: Sequence[Image] = (), **options: Unpack[Options]
    ) -> Streamed:
        """As `run_ai_request`, the text as it comes; nothing is sent before it is iterated."""
        return Streamed(lambda: self._begin(TextWanted(task, prompt, images), options))

    def generate_image(
        self,
        prompt: str,
        *,
        task: str = "generate_images",
        count: int = 1,
        **options: Unpack[Options],
    ) -> Answer[tuple[Image, ...]]:
        """Draw `count` pictures of the prompt."""
        return self._run(PicturesWanted(task, prompt, count), options)

    async def agenerate_image(
        self,
        prompt: str,
        *,
        task: str = "generate_images",
        count: int = 1,
        **options: Unpack[Options],
    ) -> Answer[tuple[Image, ...]]:
        """As `generate_image`, for a coroutine."""
        return await self._arun(PicturesWanted(task, prompt, count), options)

    def embed(
        self,
        texts: str | Sequence[str],
        *,
        task: str = "embed_text",
        **options: Unpack[Options],
    ) -> Answer[tuple[Vector, ...]]:
        """One vector for each text, in their order; a single text is a list of one."""
        return self._run(VectorsWanted(task, texts), options)

    async def aembed(
        self,
        texts: str | Sequence[str],
        *,
        task: str = "embed_text",
        **options: Unpack[Options],
    ) -> Answer[tuple[Vector, ...]]:
        """As `embed`, for a coroutine."""
        return await self._arun(VectorsWanted(task, texts), options)

    def _run(self, wanted: Wanted, options: Options) -> Answer[Any]:
        receipt, attempts = self._begin(wanted, options)
        try:
            network.wait(attempts.answer(wanted.ask))
        except BaseException as error:
            attempts.interrupted(error)
            raise
        finally:
            ledger.settled(receipt, attempts.tried)
        return Answer.of(attempts.tried[-1], receipt)

    async def _arun(self, wanted: Wanted, options: Options) -> Answer[Any]:
        async with begun(lambda: self._begin(wanted, options)) as (receipt, attempts):
            await network.awaited(attempts.answer(wanted.ask))
        return Answer.of(attempts.tried[-1], receipt)

    def _begin(self, wanted: Wanted, options: Options) -> tuple[Receipt, Attempts[Any]]:
        """Check what was asked, choose the model, make it ready, and reserve the request."""
        task = known_task(wanted.task)
        if task.model_type != wanted.model_type:
            raise WrongTaskType(task.key, task.model_type, wanted.model_type)
        prompts.check_texts(wanted.texts)
        if self.account.status != AccountStatus.ACTIVE:
            raise AccountNotActive(self.account.key, self.account.status)
        request_id = _request_id(options.get("request_id"))
        ledger.refuse_open_transaction()
        # The last moment at which a connection that died meanwhile costs nobody anything.
        try:
            resolution, prepared = reconnected(lambda: self._prepare(wanted, task, options))
        except AWAY as error:
            raise DatabaseAway(self.account.key) from error
        first = prepared.ready(resolution)
        receipt = ledger.opened(
            request_id,
            self.account,
            first,
            prepared.prompt,
            arguments=digest(wanted, options),
            asked=prepared.asked.to_json(),
            run=self._run_key or "",
        )
        following = prepared.following(resolution)
        has_circuits = self._connections is None
        return receipt, Attempts(
            request_id,
            wanted.texts,
            first,
            following,
            prepared.live,
            has_circuits=has_circuits,
        )

    def _prepare(
        self, wanted: Wanted, task: Task, options: Options
    ) -> tuple[Resolution, Preparation]:
        needs = wanted.needs.union(options.get("needs") or Needs())
        model = options.get("model")
        kept = runs.model_of_run(self.account, self._run_key, task) if self._run_key else None
        resolution = self._resolve(task, needs, model, kept)
        task = resolution.origin.task  # as its revision declares it, with the call's needs
        settings = settings_of(self.account)
        prompt = settings.prompt(task)
        json_mode = task.needs.json_mode
        variables = options.get("variables") or {}
        parameters = options.get("parameters") or {}
        prepared = Preparation(
            wanted=wanted,
            task=task,
            asked=Asked.of_call(resolution, settings, parameters, (model, needs, kept)),
            settings=settings,
            prompt=prompt,
            instruction=prompts.instruction_of(prompt.template, variables, json_mode=json_mode),
            json_mode=json_mode,
            parameters=parameters,
            max_cost=options.get("max_cost"),
            connections=self._connections,
            live=settings.live,
        )
        return resolution, prepared

    def _resolve(self, task: Task, needs: Needs, model: str | None, kept: str | None) -> Resolution:
        given = self._connections
        keys_for = None if given is None else [name for name in given if given[name].api_key]
        asked = None if needs == Needs() else needs
        resolution = resolve(
            self.account, task.key, needs=asked, model=model, keep=kept, keys_for=keys_for
        )
        if self._run_key:
            runs.remember(self.account, self._run_key, resolution)
        return resolution


def _request_id(asked: UUID | str | None) -> UUID:
    """Raises InvalidRequestId."""
    if asked is None:
        return uuid4()
    try:
        return asked if isinstance(asked, UUID) else UUID(asked)
    except (ValueError, TypeError, AttributeError):
        raise InvalidRequestId(asked) from None

"""Makes a request ready: what was asked is checked, and each candidate gets what it is sent."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import NamedTuple, TypedDict
from uuid import UUID

from igny8_core.ai.account_settings import AccountSettings
from igny8_core.ai.errors import CostTooHigh, InvalidMaxCost
from igny8_core.ai.providers import provider_for
from igny8_core.ai.providers.base import Connection
from igny8_core.ai.replay.asked import Asked
from igny8_core.ai.request.answers import Ready
from igny8_core.ai.request.wanted import Put, Wanted
from igny8_core.ai.resolution import Resolution
from igny8_core.errors import AIError
from igny8_core.live_settings import LiveSettings
from igny8_core.pricing import quotes
from igny8_core.pricing.prices import billable
from igny8_core.tasks import prompts
from igny8_core.tasks.needs import Needs
from igny8_core.tasks.parameters import Value, merge
from igny8_core.tasks.prompts import ActivePrompt
from igny8_core.tasks.tasks import Task

logger = logging.getLogger(__name__)


class Options(TypedDict, total=False):
    """What every call takes by keyword, all of it optional."""

    model: str | None  # this model and no other
    needs: Needs | None  # beside the task's own
    variables: Mapping[str, str]  # fill in the placeholders of the task's instruction
    parameters: Mapping[str, Value]  # over the account's and the platform's
    request_id: UUID | str  # the same again is the same request
    max_cost: Decimal | None  # USD: what may cost more, as far as is known, is not sent


class Preparation(NamedTuple):
    """What holds for every candidate of a request."""

    wanted: Wanted
    task: Task
    asked: Asked
    settings: AccountSettings
    prompt: ActivePrompt
    instruction: str
    json_mode: bool
    parameters: Mapping[str, Value]
    max_cost: Decimal | None
    connections: Mapping[str, Connection] | None
    live: LiveSettings

    def ready(self, resolution: Resolution) -> Ready:
        """What is sent to the resolution's model.

        Raises PromptTooLong, InvalidParameter, CostTooHigh, ProviderNotConfigured, and what keys
        raise.
        """
        model = resolution.model
        for text in self.wanted.texts:
            prompts.check_length(self.instruction + text, model)
        merged = merge(self.settings.layers(self.task, self.parameters), model)
        parameters = {name: setting.value for name, setting in merged.items()}
        put = Put(self.instruction, self.json_mode, parameters, self.live.request_timeout_s)
        self._check_cost(resolution, put)
        provider = provider_for(
            resolution.provider,
            self._connection(resolution),
            offline_answers=self.live.offline_answers,
        )
        return Ready(resolution, provider, self.wanted.request(model, put), parameters)

    def following(self, resolution: Resolution) -> Iterator[Ready]:
        """The next candidates in order, without those that cannot be sent this request."""
        for candidate in resolution.origin.fallbacks(resolution):
            try:
                yield self.ready(candidate)
            except AIError as error:
                logger.info("%s is no fallback: %s", candidate.model.model_id, error)

    def _connection(self, resolution: Resolution) -> Connection:
        provider = resolution.provider
        if self.connections is None:
            return self.settings.connection(provider)
        given = self.connections.get(provider.name, Connection(api_key=""))
        return given._replace(base_url=given.base_url or provider.base_url)

    def _check_cost(self, resolution: Resolution, put: Put) -> None:
        if self.max_cost is None:
            return
        is_amount = isinstance(self.max_cost, Decimal) and self.max_cost.is_finite()
        if not is_amount or self.max_cost < 0:
            raise InvalidMaxCost(self.max_cost)
        meters, context = self.wanted.at_most(resolution.model, put)
        quote = quotes.quote(
            resolution.price,
            billable(resolution.price, meters),
            at=resolution.at,
            context=context.as_billed(resolution.provider.standard_tiers),
        )
        if quote.cost > self.max_cost:
            raise CostTooHigh(resolution.model.model_id, quote.cost, self.max_cost)

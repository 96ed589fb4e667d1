"""What a call asked, and what platform and account had set for it: as its receipt keeps it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple, Self

from igny8_core.ai.account_settings import AccountSettings
from igny8_core.ai.resolution import Resolution
from igny8_core.tasks.needs import Needs
from igny8_core.tasks.parameters import Layer, Value
from igny8_core.tasks.prompts import PromptOrigin


class Asked(NamedTuple):
    """`model` is the one that the call named, `keep` the one that its run kept.

    `at_us` is the moment that it was resolved at, microseconds since 1970; `astray` are providers
    whose keys were set for another address; `layers` are the parameters that each layer but the
    task's set, `prompts` the versions in use, by whose they were. Receipts of before this was kept
    have None in the place of the last four.
    """

    model: str | None = None
    needs: Needs = Needs()
    keep: str | None = None
    at_us: int | None = None
    astray: Collection[str] | None = None
    layers: Mapping[str, Mapping[str, Value]] | None = None
    prompts: Mapping[str, int | None] | None = None

    @classmethod
    def of_call(
        cls,
        resolution: Resolution,
        settings: AccountSettings,
        parameters: Mapping[str, Value],
        question: tuple[str | None, Needs, str | None],
    ) -> Self:
        """`question` has the model, the needs and the model to keep that were asked."""
        task = resolution.origin.task
        layers = settings.layers(task, parameters)
        layers.pop(Layer.TASK)
        in_use = {
            PromptOrigin.ACCOUNT: settings.own_prompts.get(task.key),
            PromptOrigin.PLATFORM: settings.platform_prompts.get(task.key),
        }
        return cls(
            *question,
            at_us=resolution.at_us,
            astray=resolution.origin.astray(resolution.facts),
            layers={layer.value: dict(values) for layer, values in layers.items() if values},
            prompts={whose.value: prompt.version for whose, prompt in in_use.items() if prompt},
        )

    def to_json(self) -> dict[str, Any]:
        """Without a need, `needs` is None."""
        is_plain = self.needs == Needs()
        return {**self._asdict(), "needs": None if is_plain else self.needs._asdict()}

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Self:
        """What `to_json` told, and less where an older version has written it."""
        known = {name: value for name, value in told.items() if name in cls._fields}
        return cls(**{**known, "needs": Needs(**(known.get("needs") or {}))})

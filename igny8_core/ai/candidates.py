"""One snapshot as a task sees it: which models are usable, at what price, and in which order.

Over 200 lines: choosing is one hot path, and calls between modules would cost it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from flags.accounts import Facts
from flags.engine import Lazy, Override, Ruleset, Usable
from flags.engine import Reason as Decided
from flags.engine.times import datetime_of_us, microseconds
from flags.live import Snapshot
from igny8_core.ai.providers import IMPLEMENTED
from igny8_core.ai.resolution import (
    NOTHING_REFUSED,
    Choice,
    Chosen,
    Markup,
    Reason,
    Refusal,
    Resolution,
)
from igny8_core.catalogue.fallback import CONSTANTS
from igny8_core.catalogue.models import Catalogue, CatalogueModel, price_of
from igny8_core.catalogue.names import MARKUP_FLAG, PREFERENCES, PROVIDER_SWITCH, REACH, SECTION
from igny8_core.modules.system.addresses import url_of
from igny8_core.modules.system.reach import origin_at
from igny8_core.pricing.prices import Price
from igny8_core.tasks.needs import Needs
from igny8_core.tasks.section import compiled_in
from igny8_core.tasks.tasks import Task, get_task

_FOREVER_US: Final = 2**63
# What a model of unknown context may be asked to hold.
_MOST: Final = 2**63
_STEADY_US: Final = 60_000_000
# For how many different questions the candidates are kept.
_KEPT: Final = 1_000
_NONE: Final[dict[str, str]] = {}
REASONS: Final = {each: Reason(each.value) for each in Decided if each.value in {*Reason}}


class SnapshotCandidates:
    """The candidates of every task on one snapshot."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.catalogue: Catalogue = snapshot.sections.get(SECTION, CONSTANTS)
        self._declared = compiled_in(snapshot.sections)
        # Those of now, by task, or by task and needs.
        self.by_question: dict[object, TaskCandidates] = {}
        self._steady = _Steady(snapshot.ruleset)
        # Where a key for each provider has to be sent to.
        self.origins = {
            name: origin_at(url_of(name, provider.base_url))
            for name, provider in self.catalogue.providers.items()
        }
        models = self.catalogue.models.values()
        moments = [price.effective_from for model in models for price in model.prices]
        moments += [model.retires_at for model in models if model.retires_at is not None]
        self._boundaries_us = sorted({microseconds(each) for each in moments})

    def keep(self, question: object, candidates: TaskCandidates) -> None:
        if len(self.by_question) >= _KEPT:
            self.by_question = {}
        self.by_question[question] = candidates

    def of_task(
        self,
        task: str,
        needs: Needs | None,
        now_us: int,
        origins: Mapping[str, str] | None = None,
    ) -> TaskCandidates:
        """The task's candidates around this moment, until something changes; raises UnknownTask.

        `origins` are where keys had to be sent to when the question was asked first.
        """
        index = bisect_right(self._boundaries_us, now_us)
        begins_us = self._boundaries_us[index - 1] if index else -_FOREVER_US
        is_last = index == len(self._boundaries_us)
        ends_us = _FOREVER_US if is_last else self._boundaries_us[index]
        the_task = get_task(task, self._declared)
        if needs is not None:
            the_task = the_task._replace(needs=the_task.needs.union(needs))
        choices = _Choices(self.snapshot, self.catalogue, the_task, datetime_of_us(now_us))
        origins = self.origins if origins is None else origins
        return TaskCandidates(choices, self._steady, origins, begins_us, ends_us)


class _Steady:
    """Until when time alone changes no flag's answer."""

    def __init__(self, ruleset: Ruleset) -> None:
        self._ruleset = ruleset
        # From when until when it is known, and the answer.
        self._known_us = (0, 0, 0)

    def until_us(self, now_us: int) -> int:
        """0: too soon to hold any answer."""
        begins_us, ends_us, until_us = self._known_us
        if not begins_us <= now_us < ends_us:
            boundary_ms = self._ruleset.next_boundary(now_us // 1000)
            until_us = _FOREVER_US if boundary_ms is None else boundary_ms * 1000
            # A ramp changes the answers all the time, and looking for the boundary is slow.
            if until_us - now_us < _STEADY_US:
                ends_us, until_us = now_us + _STEADY_US, 0
            else:
                ends_us = until_us
            self._known_us = (now_us, ends_us, until_us)
        return until_us


class _Choices(dict[str, Choice]):
    """The catalogue's models, each judged for one task when it is first asked for."""

    def __init__(self, snapshot: Snapshot, catalogue: Catalogue, task: Task, at: datetime) -> None:
        self.snapshot, self.catalogue, self.task = snapshot, catalogue, task
        self._switches = snapshot.ruleset.document["switches"]
        self._at = at

    def __missing__(self, model_id: str) -> Choice:
        choice = self.judge(model_id)
        if model_id in self.catalogue.models:  # a caller may ask for anything
            self[model_id] = choice
        return choice

    def judge(self, model_id: str) -> Choice:
        model = self.catalogue.models.get(model_id)
        if model is None:
            unknown = CatalogueModel(model_id, model_id, "", self.task.model_type.value)
            return Choice(model_id, unknown, Price(model_id, ()), Refusal.UNKNOWN_MODEL)
        while self._is_retired(model) and model.replaced_by in self.catalogue.models:
            model = self.catalogue.models[model.replaced_by]
        price = price_of(model, self._at)
        return Choice(model_id, model, price, self._refusal(model, price))

    def _is_retired(self, model: CatalogueModel) -> bool:
        return model.retires_at is not None and model.retires_at <= self._at

    def _protocol(self, model: CatalogueModel) -> str:
        return self.catalogue.providers[model.provider].protocol

    def _refusal(self, model: CatalogueModel, price: Price) -> Refusal | None:
        """Why no account can use the model for the task."""
        needs = self.task.needs
        checks = (
            (model.is_active, Refusal.INACTIVE),
            (not self._is_retired(model), Refusal.RETIRED),
            (model.model_type == self.task.model_type, Refusal.WRONG_TYPE),
            (price.is_complete(model.model_type), Refusal.UNPRICED),
            (self._switches.get(PROVIDER_SWITCH + model.provider, True), Refusal.PROVIDER_OFF),
            (self._protocol(model) in IMPLEMENTED, Refusal.NOT_IMPLEMENTED),
            (model.supports_json_mode or not needs.json_mode, Refusal.NO_JSON_MODE),
            (model.supports_vision or not needs.vision, Refusal.NO_VISION),
            (needs.context_tokens <= (model.context_window or _MOST), Refusal.CONTEXT_TOO_SMALL),
        )
        return next((refusal for is_met, refusal in checks if not is_met), None)


class TaskCandidates:
    """One task on one snapshot, from `begins_us` until `ends_us`, microseconds since 1970."""

    def __init__(
        self,
        choices: _Choices,
        steady: _Steady,
        origins: Mapping[str, str],
        begins_us: int,
        ends_us: int,
    ) -> None:
        self.task, self.begins_us, self.ends_us = choices.task, begins_us, ends_us
        # Stands for these candidates where they must not be kept alive.
        self.token = object()
        self.catalogue = choices.catalogue
        self.number = choices.snapshot.number
        self.ruleset = choices.snapshot.ruleset
        self._steady = steady
        self._model_type = self.task.model_type.value
        self._choices = choices
        # Why nobody can use a model for the task; None: somebody can.
        refusals: Lazy[Any, object] = Lazy(lambda model_id: choices[model_id].refusal)
        self._usable: Usable = refusals.__getitem__
        models = self.catalogue.active(self.task.model_type)
        self._is_restricted = any(model.available_to for model in models)
        self._origins = origins
        self._needed = {model.provider: origins[model.provider] for model in models}.items()
        flags = self.ruleset.document["flags"]
        # The task's and the type's: those that can name a model, and why one of them cannot.
        self.named = {
            key: _why_not_asked(flags.get(key)) for key in (self.task.key, self._model_type)
        }
        asked = [key for key, refusal in self.named.items() if refusal is None]
        self._deciders = [(key, self.ruleset.decider(key, self._usable)) for key in asked]
        # Those that say something without an override too.
        self._speaking = [decide for key, decide in self._deciders if self._speaks(key)]
        default = self.catalogue.default(self.task.model_type)
        is_marked = default is not None and not self.catalogue.is_constants
        self.default = self.choice(default.model_id) if is_marked and default else None
        self._by_default: Chosen | None = self.default and (Reason.TYPE_DEFAULT, self.default, None)

    def _speaks(self, key: str) -> bool:
        flag = self.ruleset.document["flags"][key]
        return bool(flag["rules"] or flag["default"] or flag["off"] or flag["force"])

    def choice(self, model_id: str) -> Choice:
        return self._choices[model_id]

    def usable_by(
        self,
        facts: Facts,
        now_ms: int,
        override: Override | None,
        refused: Mapping[str, Refusal] = NOTHING_REFUSED,
    ) -> Usable:
        """Answers why the account cannot use a model, None where it can.

        `refused` are models that cannot be used just now, and why.
        """
        reach = facts.host.get(REACH)
        # Without them every provider can be reached.
        keys = None if reach is None or reach["offline"] else reach["keys"]

        def usable(model_id: Any) -> Refusal | None:
            choice = self.choice(model_id)
            flag, provider = choice.model.available_to, choice.model.provider
            if choice.model.model_id in refused:
                return refused[choice.model.model_id]
            if choice.refusal is None and keys is not None:
                key_goes_to = keys.get(provider)
                if key_goes_to is None or key_goes_to != self._origins[provider]:
                    return Refusal.NO_KEY
            if choice.refusal is not None or not flag:
                return choice.refusal
            if not facts.is_known:
                return Refusal.AVAILABILITY_UNREADABLE
            said = self.ruleset.evaluate(flag, facts.subject, now=now_ms, override=override)
            return None if said.value is True else Refusal.NOT_AVAILABLE

        return usable

    def choose(  # noqa: C901, PLR0911, PLR0912 - the order is one piece, and calls cost
        self,
        facts: Facts,
        now_ms: int,
        pinned: str | None = None,
        kept: str | None = None,
        refused: Mapping[str, Refusal] = NOTHING_REFUSED,
    ) -> Chosen | None:
        """The first usable candidate at this moment; `trail.py` says why.

        `refused` are models that cannot be used just now, and why.
        """
        override = facts.override_at(now_ms) if facts.overrides else None
        usable: Usable | None = None
        refusal = self._usable
        reach = facts.host.get(REACH)
        is_short = reach and not reach["offline"] and not self._needed <= reach["keys"].items()
        if self._is_restricted or is_short or refused:
            usable = refusal = self.usable_by(facts, now_ms, override, refused)
        if pinned is not None:
            choice = self.choice(pinned)
            is_refused = choice.refusal or choice.successor or (usable and usable(pinned))
            return None if is_refused else (Reason.PINNED, choice, None)
        if kept is not None:
            choice = self.choice(kept)
            if not choice.refusal and not (usable and usable(kept)):
                return Reason.KEPT, choice, None
        key, traits = facts.key, facts.traits
        if override is not None:
            for flag, decide in self._deciders:
                if override(flag) is not None:
                    decision = decide(key, traits, now_ms, override, usable, None)
                    if decision.variant is not None and decision.reason is Decided.OVERRIDE:
                        return Reason.OVERRIDE, self._choices[decision.value], decision  # type: ignore[index]
        if facts.host:
            preferred = facts.host.get(PREFERENCES, _NONE).get(self._model_type)
            if preferred is not None and refusal(preferred) is None:
                return Reason.PREFERENCE, self._choices[preferred], None
        for decide in self._speaking:
            decision = decide(key, traits, now_ms, override, usable, None)
            if decision.variant is not None:
                return REASONS[decision.reason], self._choices[decision.value], decision  # type: ignore[index]
        if self.default is None:
            return self._of_constants(refusal)
        return None if refusal(self.default.asked) else self._by_default

    def hold(self, facts: Facts, now_us: int, chosen: Chosen) -> None:
        """Keep the answer with the facts, as long as facts, candidates and time allow no other."""
        until_us = self._steady.until_us(now_us)
        own_ms = self.ruleset.own_boundary(facts.subject, now_us // 1000)
        for ends_ms in (*facts.expiries.values(), *([] if own_ms is None else [own_ms])):
            if now_us < ends_ms * 1000 < until_us:
                until_us = ends_ms * 1000
        if now_us < until_us:
            facts.held = (self.token, now_us, until_us, chosen)

    def constants(self) -> list[str]:
        """The plan's figures where they stand in, their default first."""
        active = self.catalogue.active(self._model_type) if self.catalogue.is_constants else []
        return [each.model_id for each in sorted(active, key=lambda model: not model.is_default)]

    def _of_constants(self, usable: Usable) -> Chosen | None:
        found = (each for each in self.constants() if usable(each) is None)
        model_id = next(found, None)
        return None if model_id is None else (Reason.CONSTANTS, self.choice(model_id), None)

    def usable_ids(
        self, facts: Facts, now_ms: int, refused: Mapping[str, Refusal] = NOTHING_REFUSED
    ) -> list[str]:
        """Every model that the account could use for the task, in the catalogue's order."""
        usable = self.usable_by(facts, now_ms, facts.override_at(now_ms), refused)
        active = [model.model_id for model in self.catalogue.active(self._model_type)]
        return [
            model_id
            for model_id in active
            if usable(model_id) is None and self.choice(model_id).successor is None
        ]

    def fallbacks(self, resolution: Resolution) -> Iterator[Resolution]:
        """What would be chosen without this one, then without that one too, and so on."""
        refused = {**resolution.refused, resolution.model.model_id: Refusal.TRIED}
        now_ms = resolution.at_us // 1000
        while chosen := self.choose(resolution.facts, now_ms, refused=refused):
            refused[chosen[1].model.model_id] = Refusal.TRIED
            yield resolution._replace(chosen=chosen, trail=None)

    def astray(self, facts: Facts) -> list[str]:
        """The providers whose keys were set for another address than they are reached at."""
        keys: Mapping[str, str] = facts.host.get(REACH, {}).get("keys", {})
        return [name for name, key in keys.items() if key != self._origins.get(name, key)]

    def markup(self, facts: Facts, now_ms: int, *, trail: bool) -> Markup:
        return markup_of(self.ruleset, facts, now_ms, trail=trail)


def _why_not_asked(flag: Mapping[str, Any] | None) -> Refusal | None:
    if flag is None:
        return Refusal.NO_FLAG
    return None if flag["kind"] == "str" else Refusal.NOT_A_TEXT_FLAG


def markup_of(ruleset: Ruleset, facts: Facts, now_ms: int, *, trail: bool = False) -> Markup:
    """The account's markup at this moment; without one the charge is the cost."""
    decision = ruleset.evaluate(
        MARKUP_FLAG, facts.subject, now=now_ms, override=facts.override_at(now_ms), trail=trail
    )
    is_said = decision.variant is not None
    return Markup(Decimal(str(decision.value)) if is_said else Decimal(0), decision)

"""One snapshot as a task sees it: which models are usable, at what price, and in which order."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

from flags.account_facts import Facts
from flags.engine import Decision, Ruleset
from flags.engine.decision import Override, Usable, Verdict
from flags.engine.decision import Reason as Decided
from flags.live import Snapshot
from igny8_core.ai import explain, pricing
from igny8_core.ai.catalogue import CONSTANTS, MARKUP_FLAG, Catalogue
from igny8_core.ai.pricing import Price
from igny8_core.ai.tasks import Task, get_task
from igny8_core.ai.values import (
    CatalogueModel,
    Markup,
    Needs,
    Reason,
    Refusal,
    Resolution,
    Step,
    moment_of,
)
from igny8_core.modules.system.apps import PREFERENCES, SECTION

PROVIDER_SWITCH: Final = "provider."

_ALWAYS: Final = 2**63
_STEADY_US: Final = 60_000_000
# Of how many accounts a route has the answer at hand.
_HELD: Final = 100_000
_REASONS: Final = {each: Reason(each.value) for each in Decided if each.value in {*Reason}}


class Choice(NamedTuple):
    """A model that was asked for, and the one that serves in its place once it is retired.

    `refusal` is what holds for every account; None: usable, unless `available_to` says no.
    """

    asked: str
    model: CatalogueModel
    price: Price
    refusal: Refusal | None

    @property
    def successor(self) -> str | None:
        return None if self.model.model_id == self.asked else self.model.model_id


# The candidate that gave the model, the model, and what the flag said where one did.
Chosen = tuple[Reason, Choice, Decision | None]


class _Choices(dict[str, Choice]):
    """By id, worked out when first asked for."""

    def __init__(self, work_out: Callable[[str], Choice]) -> None:
        self._work_out = work_out

    def __missing__(self, model_id: str) -> Choice:
        choice = self[model_id] = self._work_out(model_id)
        return choice


class _Refusals(dict[str, Refusal | None]):
    """Those of the choices: looking one up is all that the engine does."""

    def __init__(self, choices: _Choices) -> None:
        self._choices = choices

    def __missing__(self, model_id: str) -> Refusal | None:
        refusal = self[model_id] = self._choices[model_id].refusal
        return refusal


class Router:
    """The routes of one snapshot."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.catalogue: Catalogue = snapshot.sections.get(SECTION, CONSTANTS)
        # By task, or task and needs: those of now.
        self.routes: dict[object, Route] = {}
        models = self.catalogue.models.values()
        moments = [price.effective_from for model in models for price in model.prices]
        moments += [model.retires_at for model in models if model.retires_at is not None]
        self._boundaries = sorted({microseconds(each) for each in moments})
        self.is_restricted = any(model.available_to for model in models)

    def route(self, task: str, needs: Needs | None, now: int) -> Route:
        """The task's from before this moment until something changes; raises UnknownTask."""
        index = bisect_right(self._boundaries, now)
        begins = self._boundaries[index - 1] if index else -_ALWAYS
        ends = self._boundaries[index] if index < len(self._boundaries) else _ALWAYS
        the_task = get_task(task)
        if needs is not None:
            the_task = the_task._replace(needs=the_task.needs.union(needs))
        return Route(self, the_task, begins, ends, moment_of(now))


class Route:
    """One task on one snapshot, from `begins` until `ends`, microseconds since 1970."""

    def __init__(self, router: Router, task: Task, begins: int, ends: int, at: datetime) -> None:
        self.task, self.begins, self.ends = task, begins, ends
        self.model_type = task.model_type
        self.catalogue = router.catalogue
        self.number = router.snapshot.number
        self.ruleset = router.snapshot.ruleset
        self.is_restricted = router.is_restricted
        self._switches = self.ruleset.document["switches"]
        self._at = at
        self.choices = _Choices(self._choice)
        self.usable: Usable = _Refusals(self.choices).__getitem__  # type: ignore[assignment]
        kinds = {key: flag["kind"] for key, flag in self.ruleset.document["flags"].items()}
        named = [key for key in (task.key, str(task.model_type)) if key in kinds]
        deciders = {key: self.ruleset.decider(key) for key in named if kinds[key] == "str"}
        # The task's flag and the type's.
        self.flags = [(key, decide) for key, decide in deciders.items() if decide is not None]
        self._not_text = [key for key in named if kinds[key] != "str"]
        # Those that say something without an override too.
        self._speaking = [(key, decide) for key, decide in self.flags if self._speaks(key)]
        # What was chosen for an account: while its facts are the same object, and time changes
        # nothing. (Its facts, until when, and what was chosen.)
        self.held: dict[str, tuple[Facts, int, Reason, Choice, Decision | None]] = {}
        self._holds_until = 0
        self._looked_until = 0
        default = self.catalogue.default(task.model_type)
        is_marked = default is not None and not self.catalogue.is_constants
        self._default = self.choices[default.model_id] if is_marked and default else None

    def _speaks(self, key: str) -> bool:
        flag = self.ruleset.document["flags"][key]
        return bool(flag["rules"] or flag["default"] or flag["off"] or flag["force"])

    def _choice(self, model_id: str) -> Choice:
        model = self.catalogue.models.get(model_id)
        if model is None:
            unknown = CatalogueModel(model_id, model_id, "", self.model_type)
            return Choice(model_id, unknown, Price(model_id, ()), Refusal.UNKNOWN_MODEL)
        while self._is_retired(model) and model.replaced_by in self.catalogue.models:
            model = self.catalogue.models[model.replaced_by]
        price = pricing.price_of(model, self._at)
        return Choice(model_id, model, price, self._refusal(model, price))

    def _is_retired(self, model: CatalogueModel) -> bool:
        return model.retires_at is not None and model.retires_at <= self._at

    def _refusal(self, model: CatalogueModel, price: Price) -> Refusal | None:
        """Why no account can use the model for the task."""
        needs = self.task.needs
        checks = (
            (model.is_active, Refusal.INACTIVE),
            (not self._is_retired(model), Refusal.RETIRED),
            (model.model_type == self.model_type, Refusal.WRONG_TYPE),
            (price.is_complete(model.model_type), Refusal.UNPRICED),
            (self._switches.get(PROVIDER_SWITCH + model.provider, True), Refusal.PROVIDER_OFF),
            (model.supports_json_mode or not needs.json_mode, Refusal.NO_JSON_MODE),
            (model.supports_vision or not needs.vision, Refusal.NO_VISION),
            (model.max_tokens >= needs.context_tokens, Refusal.CONTEXT_TOO_SMALL),
        )
        return next((refusal for is_met, refusal in checks if not is_met), None)

    def usable_by(self, facts: Facts, now: int, override: Override | None) -> Usable:
        """The same of one account: some models are for some accounts."""
        answers: dict[str, Refusal | None] = {}

        def refusal(flag: str) -> Refusal | None:
            if not facts.is_known:
                return Refusal.AVAILABILITY_UNREADABLE
            said = self.ruleset.evaluate(flag, facts.subject, now=now, override=override)
            return None if said.value is True else Refusal.NOT_AVAILABLE

        def usable(model_id: Any) -> Refusal | None:
            choice = self.choices[model_id]
            flag = choice.model.available_to
            if choice.refusal is not None or not flag:
                return choice.refusal
            if flag not in answers:
                answers[flag] = refusal(flag)
            return answers[flag]

        return usable if self.is_restricted else self.usable

    def choose(  # noqa: C901, PLR0911, PLR0912, PLR0913 - the order is one piece, and calls cost
        self,
        facts: Facts,
        now: int,
        pinned: str | None = None,
        kept: str | None = None,
        trail: list[Step] | None = None,
        without: frozenset[str] | None = None,
    ) -> Chosen | None:
        """The first usable candidate at this moment, epoch milliseconds; every look into `trail`.

        `without` are models that were tried already.
        """
        override = facts.override_at(now) if facts.overrides else None
        usable = self.usable_by(facts, now, override) if self.is_restricted else self.usable
        if without is not None:
            usable = _excluding(usable, self.choices, without)
        if pinned is not None:
            return self._pinned(pinned, usable, trail)
        if kept is not None:
            if usable(kept) is None:
                return self._taken(Reason.KEPT, self.choices[kept], trail)
            if trail is not None:
                trail.append(self._passed(Reason.KEPT, kept, usable))
        key, traits = facts.subject
        if override is not None or trail is not None:
            for flag, decide in self.flags:
                if override is not None and override(flag) is not None:
                    decision = decide(key, traits, now, override, usable, None)
                    if decision.reason is Decided.OVERRIDE and decision.variant is not None:
                        choice = self.choices[decision.value]  # type: ignore[index]
                        return self._taken(Reason.OVERRIDE, choice, trail, decision)
                if trail is not None and flag in facts.overrides:
                    trail.append(self._overridden(flag, facts, now, override, usable))
        preferred = facts.host.get(PREFERENCES)
        model_id = preferred.get(self.model_type) if preferred else None
        if model_id is not None:
            if usable(model_id) is None:
                return self._taken(Reason.PREFERENCE, self.choices[model_id], trail)
            if trail is not None:
                trail.append(self._passed(Reason.PREFERENCE, model_id, usable))
        elif trail is not None:
            is_read = facts.is_known
            why_none = Refusal.NO_PREFERENCE if is_read else Refusal.PREFERENCE_UNREADABLE
            trail.append(self._over(Reason.PREFERENCE, why_none))
        if trail is not None:
            trail += [
                self._over(Reason.DEFAULT, Refusal.NOT_A_TEXT_FLAG, flag=flag)
                for flag in self._not_text
            ]
        for flag, decide in self._speaking if trail is None else self.flags:
            if trail is not None:
                decision = self._explained(flag, facts, now, override, usable)
            else:
                decision = decide(key, traits, now, override, usable, None)
            if decision.variant is not None and decision.reason is not Decided.OVERRIDE:
                choice = self.choices[decision.value]  # type: ignore[index]
                reason = _REASONS[decision.reason]
                if trail is None:
                    return reason, choice, decision
                return self._taken(reason, choice, trail, decision)
            if trail is not None:
                trail.append(self._abstained(decision))
        default = self._default
        if default is not None:
            if usable(default.asked) is None:
                return self._taken(Reason.TYPE_DEFAULT, default, trail)
            if trail is not None:
                trail.append(self._passed(Reason.TYPE_DEFAULT, default.asked, usable))
        elif self.catalogue.is_constants:
            return self._of_constants(usable, trail)
        elif trail is not None:
            trail.append(self._over(Reason.TYPE_DEFAULT, Refusal.NO_DEFAULT))
        return None

    def hold(self, key: str, facts: Facts, now: int, chosen: Chosen) -> None:
        """Have the same answer at hand for the account, if nothing is about to change it."""
        if now >= self._looked_until:
            # A ramp changes answers all the time: then nothing is held, and this seldom asked.
            boundary = self.ruleset.next_boundary(now // 1000)
            until = _ALWAYS if boundary is None else boundary * 1000
            is_steady = until - now >= _STEADY_US
            self._holds_until = until if is_steady else 0
            self._looked_until = until if is_steady else now + _STEADY_US
        if now < self._holds_until and facts.is_stored:
            if len(self.held) >= _HELD:
                self.held = {}
            until = min(self._holds_until, facts.next_expiry * 1000)
            self.held[key] = (facts, until, *chosen)

    def _taken(
        self,
        reason: Reason,
        choice: Choice,
        trail: list[Step] | None,
        decision: Decision | None = None,
    ) -> Chosen:
        if trail is not None:
            flag = decision.flag if decision else None
            trail.append(Step(reason, choice.asked, None, None, flag, choice.successor, decision))
        return reason, choice, decision

    def _passed(
        self, reason: Reason, model_id: str, usable: Usable, flag: str | None = None
    ) -> Step:
        refusal: Any = usable(model_id)
        return self._over(reason, refusal, model_id, flag)

    def _over(
        self,
        reason: Reason,
        refusal: Refusal,
        model_id: str | None = None,
        flag: str | None = None,
        decision: Decision | None = None,
    ) -> Step:
        """A candidate that is passed over, and what was seen of the model that would serve."""
        choice = None if model_id is None else self.choices[model_id]
        model = choice and choice.model
        if refusal is Refusal.RETIRED and model_id is not None:
            model = self.catalogue.models[model_id]
        why = explain.why_not(refusal, model, self.task)
        return Step(reason, model_id, refusal, why, flag, choice and choice.successor, decision)

    def _pinned(self, model_id: str, usable: Usable, trail: list[Step] | None) -> Chosen | None:
        """Never another in its place, so a retired one is not usable."""
        choice = self.choices[model_id]
        refusal: Any = Refusal.RETIRED if choice.successor else usable(model_id)
        if refusal is None:
            return self._taken(Reason.PINNED, choice, trail)
        if trail is not None:
            trail.append(self._over(Reason.PINNED, refusal, model_id))
        return None

    def _overridden(
        self, flag: str, facts: Facts, now: int, override: Override | None, usable: Usable
    ) -> Step:
        """Of an override that did not decide: expired, unusable, or not asked by its flag."""
        variant, expires = facts.overrides[flag], facts.expiries.get(flag, _ALWAYS)
        model_id: Any = self.ruleset.document["flags"][flag]["variants"].get(variant)
        if now >= expires:
            return self._over(Reason.OVERRIDE, Refusal.OVERRIDE_EXPIRED, model_id, flag)
        if model_id is None:
            return self._over(Reason.OVERRIDE, Refusal.UNKNOWN_VARIANT, flag=flag)
        if self._explained(flag, facts, now, override, usable).reason is Decided.OVERRIDE:
            return self._passed(Reason.OVERRIDE, model_id, usable, flag)
        return self._over(Reason.OVERRIDE, Refusal.FLAG_NOT_ASKED, model_id, flag)

    def _explained(
        self, flag: str, facts: Facts, now: int, override: Override | None, usable: Usable
    ) -> Decision:
        def said(model_id: Any) -> str | None:
            if usable(model_id) is None:
                return None
            step = self._passed(Reason.RULE, model_id, usable)
            replaced = f", {step.successor} in its place" if step.successor else ""
            return f"{model_id}{replaced}: {step.why} ({step.refusal})"

        return self.ruleset.evaluate(
            flag, facts.subject, now=now, override=override, usable=said, trail=True
        )

    def _abstained(self, decision: Decision) -> Step:
        """A flag that gave no model: it says nothing, or what it says is not usable."""
        if decision.reason is Decided.OVERRIDE:
            return self._over(Reason.DEFAULT, Refusal.OVERRIDDEN, flag=decision.flag)
        reason = _REASONS.get(decision.reason, Reason.DEFAULT)
        refusal = _WHY_NOTHING.get(decision.reason, Refusal.NOTHING_USABLE)
        is_refused = any(step.verdict is Verdict.UNUSABLE for step in decision.trail)
        if is_refused and decision.reason is Decided.ABSTAINED:
            reason, refusal = Reason.RULE, Refusal.NOTHING_USABLE
        return self._over(reason, refusal, flag=decision.flag, decision=decision)

    def _of_constants(self, usable: Usable, trail: list[Step] | None) -> Chosen | None:
        """The plan's figures, its default first."""
        if trail is not None:
            trail.append(self._over(Reason.TYPE_DEFAULT, Refusal.CATALOGUE_EMPTY))
        active = self.catalogue.active(self.model_type)
        for model in sorted(active, key=lambda model: not model.is_default):
            if usable(model.model_id) is None:
                return self._taken(Reason.CONSTANTS, self.choices[model.model_id], trail)
            if trail is not None:
                trail.append(self._passed(Reason.CONSTANTS, model.model_id, usable))
        return None

    def usable_ids(self, facts: Facts, now: int) -> list[str]:
        """Every model that the account could use for the task, in the catalogue's order."""
        usable = self.usable_by(facts, now, facts.override_at(now))
        active = [model.model_id for model in self.catalogue.active(self.model_type)]
        return [
            model_id
            for model_id in active
            if usable(model_id) is None and self.choices[model_id].successor is None
        ]

    def fallbacks(self, resolution: Resolution) -> Iterator[Resolution]:
        """What would be chosen without this one, then without that one too, and so on."""
        tried = {resolution.model.model_id}
        now = resolution.us // 1000
        while chosen := self.choose(resolution.facts, now, without=frozenset(tried)):
            reason, choice, decision = chosen
            tried.add(choice.model.model_id)
            yield resolution._replace(reason=reason, choice=choice, decision=decision, trail=None)

    def markup(self, facts: Facts, now: int, *, trail: bool) -> Markup:
        return markup_of(self.ruleset, facts, now, trail=trail)


def markup_of(ruleset: Ruleset, facts: Facts, now: int, *, trail: bool = False) -> Markup:
    """The account's at this moment, epoch milliseconds; without one the charge is the cost."""
    decision = ruleset.evaluate(
        MARKUP_FLAG, facts.subject, now=now, override=facts.override_at(now), trail=trail
    )
    is_said = decision.variant is not None
    return Markup(Decimal(str(decision.value)) if is_said else Decimal(0), decision)


def _excluding(usable: Usable, choices: _Choices, without: frozenset[str]) -> Usable:
    def usable_else(model_id: Any) -> object:
        if choices[model_id].model.model_id in without:
            return Refusal.TRIED
        return usable(model_id)

    return usable_else


_WHY_NOTHING: Final = {
    Decided.OFF: Refusal.FLAG_OFF,
    Decided.PREREQUISITE: Refusal.PREREQUISITE_NOT_MET,
    Decided.ABSTAINED: Refusal.ABSTAINED,
}


def microseconds(at: datetime) -> int:
    """Since 1970, exactly."""
    since = at - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


_EPOCH: Final = moment_of(0)

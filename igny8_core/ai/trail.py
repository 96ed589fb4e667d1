"""Every candidate that was looked at for an account, and why it is passed over or taken."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from flags.accounts import Facts
from flags.engine import Decision, Override, Usable, Verdict
from flags.engine import Reason as Decided
from flags.engine.times import datetime_of_ms
from igny8_core.ai import words
from igny8_core.ai.candidates import REASONS, TaskCandidates
from igny8_core.ai.resolution import NOTHING_REFUSED, Choice, Reason, Refusal, TrailEntry
from igny8_core.catalogue.names import PREFERENCES

_WHY_NOTHING: Final = {
    Decided.OFF: Refusal.FLAG_OFF,
    Decided.PREREQUISITE: Refusal.PREREQUISITE_NOT_MET,
    Decided.ABSTAINED: Refusal.ABSTAINED,
}


def trail(  # noqa: PLR0913 - what was asked
    among: TaskCandidates,
    facts: Facts,
    now_ms: int,
    *,
    pinned: str | None = None,
    kept: str | None = None,
    refused: Mapping[str, Refusal] = NOTHING_REFUSED,
) -> tuple[TrailEntry, ...]:
    """What `TaskCandidates.choose` looks at, up to what it takes."""
    override = facts.override_at(now_ms)
    usable = among.usable_by(facts, now_ms, override, refused)
    question = _Question(among, facts, now_ms, override, usable)
    entries: list[TrailEntry] = []
    for entry in question.pinned(pinned) if pinned is not None else question.candidates(kept):
        entries.append(entry)
        if entry.refusal is None:
            break
    return tuple(entries)


class _Question(NamedTuple):
    among: TaskCandidates
    facts: Facts
    now_ms: int
    override: Override | None
    usable: Usable

    def pinned(self, model_id: str) -> Iterator[TrailEntry]:
        """Never another in its place, so a retired one is not usable."""
        is_swapped = self.among.choice(model_id).successor is not None
        yield (
            self._over(Reason.PINNED, model_id, Refusal.RETIRED)
            if is_swapped
            else self._look(Reason.PINNED, model_id)
        )

    def candidates(self, kept: str | None) -> Iterator[TrailEntry]:
        if kept is not None:
            yield self._look(Reason.KEPT, kept)
        for flag, refusal in self.among.named.items():
            if refusal is None and flag in self.facts.overrides:
                yield self._overridden(flag)
        yield self._preference()
        for flag, refusal in self.among.named.items():
            if refusal is None:
                yield self._flag(flag)
            else:
                yield self._over(Reason.DEFAULT, None, refusal, flag)
        if self.among.default is not None:
            yield self._look(Reason.TYPE_DEFAULT, self.among.default.asked)
        elif self.among.catalogue.is_constants:
            yield self._over(Reason.TYPE_DEFAULT, None, Refusal.CATALOGUE_EMPTY)
            for model_id in self.among.constants():
                yield self._look(Reason.CONSTANTS, model_id)
        else:
            yield self._over(Reason.TYPE_DEFAULT, None, Refusal.NO_DEFAULT)

    def _preference(self) -> TrailEntry:
        preferred = self.facts.host.get(PREFERENCES, {}).get(self.among.task.model_type.value)
        if preferred is not None:
            return self._look(Reason.PREFERENCE, preferred)
        is_read = self.facts.is_known
        why_none = Refusal.NO_PREFERENCE if is_read else Refusal.PREFERENCE_UNREADABLE
        return self._over(Reason.PREFERENCE, None, why_none)

    def _overridden(self, flag: str) -> TrailEntry:
        """An override is expired, not asked by its flag, not usable, or taken."""
        variant, expires = self.facts.overrides[flag], self.facts.expiries.get(flag)
        model_id: Any = self.among.ruleset.document["flags"][flag]["variants"].get(variant)
        if expires is not None and self.now_ms >= expires:
            step = self._over(Reason.OVERRIDE, model_id, Refusal.OVERRIDE_EXPIRED, flag)
            return step._replace(why=f"the override to {variant} expired at {_text(expires)}")
        if model_id is None:
            return self._over(Reason.OVERRIDE, None, Refusal.UNKNOWN_VARIANT, flag)
        decision = self._decided(flag)
        if decision.reason is Decided.PREREQUISITE:
            return self._over(Reason.OVERRIDE, model_id, Refusal.PREREQUISITE_NOT_MET, flag)
        if decision.reason is not Decided.OVERRIDE:
            return self._over(Reason.OVERRIDE, model_id, Refusal.FLAG_NOT_ASKED, flag)
        if decision.variant is None:
            return self._look(Reason.OVERRIDE, model_id, flag)
        until = f", until {_text(expires)}" if expires is not None else ""
        return self._taken(Reason.OVERRIDE, model_id, decision)._replace(why=f"{variant}{until}")

    def _flag(self, flag: str) -> TrailEntry:
        decision = self._decided(flag)
        if decision.reason is Decided.OVERRIDE:
            return self._over(Reason.DEFAULT, None, Refusal.OVERRIDDEN, flag)
        reason = REASONS.get(decision.reason, Reason.DEFAULT)
        if decision.variant is not None:
            return self._taken(reason, decision.value, decision)
        refusal = _WHY_NOTHING.get(decision.reason, Refusal.NOTHING_USABLE)
        is_refused = any(step.verdict is Verdict.UNUSABLE for step in decision.trail)
        if is_refused and decision.reason is Decided.ABSTAINED:
            reason, refusal = Reason.RULE, Refusal.NOTHING_USABLE
        return self._over(reason, None, refusal, flag, decision)

    def _decided(self, flag: str) -> Decision:
        """The flag's, with its own trail, in which a model that cannot serve is told in words."""
        return self.among.ruleset.evaluate(
            flag,
            self.facts.subject,
            now=self.now_ms,
            override=self.override,
            usable=self._why_unusable,
            trail=True,
        )

    def _available(self, flag: str) -> Decision:
        """Of the flag that lets accounts in."""
        return self.among.ruleset.evaluate(
            flag, self.facts.subject, now=self.now_ms, override=self.override, trail=True
        )

    def _why_unusable(self, model_id: Any) -> str | None:
        step = self._look(Reason.RULE, model_id)
        if step.refusal is None:
            return None
        replaced = f", {step.successor} in its place" if step.successor else ""
        return f"{model_id}{replaced}: {step.why} ({step.refusal})"

    def _look(self, candidate: Reason, model_id: str, flag: str | None = None) -> TrailEntry:
        refusal: Any = self.usable(model_id)
        if refusal is not None:
            return self._over(candidate, model_id, refusal, flag)
        return TrailEntry(
            candidate, model_id, None, None, flag, self.among.choice(model_id).successor
        )

    def _taken(self, candidate: Reason, model_id: Any, decision: Decision) -> TrailEntry:
        successor = self.among.choice(model_id).successor
        return TrailEntry(candidate, model_id, None, None, decision.flag, successor, decision)

    def _over(
        self,
        candidate: Reason,
        model_id: str | None,
        refusal: Refusal,
        flag: str | None = None,
        decision: Decision | None = None,
    ) -> TrailEntry:
        """Passed over, with what was seen of the model that would serve."""
        choice: Choice | None = None if model_id is None else self.among.choice(model_id)
        model = choice and choice.model
        if refusal is Refusal.RETIRED and model_id is not None:
            model = self.among.catalogue.models[model_id]
        if refusal is Refusal.NOT_AVAILABLE and model is not None:
            decision = self._available(model.available_to)
        why = words.why_not(refusal, model, self.among.task)
        successor = choice and choice.successor
        return TrailEntry(candidate, model_id, refusal, why, flag, successor, decision)


def _text(at_ms: int) -> str:
    return f"{datetime_of_ms(at_ms):%Y-%m-%d %H:%M:%S} UTC"

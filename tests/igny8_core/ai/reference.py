"""The order of candidates, said slowly and plainly: what the resolver must equal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from flags.engine import Decision, Ruleset, Subject
from flags.engine import Reason as Decided
from igny8_core.tasks.tasks import get_task

Json = Mapping[str, Any]
# A candidate, the model that it names, and why it is passed over; None: it is taken.
Look = tuple[str, str | None, str | None]


class Account(NamedTuple):
    """`overrides` have variant and expiry, epoch milliseconds, by flag; it prefers a text model."""

    key: str
    traits: Json
    overrides: Mapping[str, tuple[str, int]]
    preference: str | None


class Asked(NamedTuple):
    """`needs` has json_mode, vision and context_tokens, where they are asked."""

    task: str
    needs: Json
    model: str | None
    keep: str | None
    at: datetime


def resolve(
    document: Json, ruleset: Ruleset, account: Account, asked: Asked
) -> tuple[str | None, list[Look]]:
    """The model that serves, or None; and every look."""
    world = _World(document, ruleset, account, asked)
    looks: list[Look] = []
    for candidate, model_id, refusal, served in world.candidates():
        looks.append((candidate, model_id, refusal))
        if refusal is None:
            return served, looks
    return None, looks


class _World:
    def __init__(self, document: Json, ruleset: Ruleset, account: Account, asked: Asked) -> None:
        self.models: Json = document["sections"]["catalogue"]["models"]
        self.document, self.ruleset = document, ruleset
        self.account, self.asked = account, asked
        self.task = get_task(asked.task)
        now = int(asked.at.timestamp() * 1000)
        self.now = now
        live = {flag: said for flag, (said, expires) in account.overrides.items() if now < expires}
        self.override = live.get

    def candidates(self) -> Iterator[tuple[str, str | None, str | None, str | None]]:
        asked, account = self.asked, self.account
        if asked.model is not None:
            swapped = self.served(asked.model) != asked.model
            refusal = "RETIRED" if swapped else self.refusal(asked.model)
            yield "PINNED", asked.model, refusal, asked.model
            return
        if asked.keep is not None:
            yield self.look("KEPT", asked.keep)
        flags = [self.task.key, self.task.model_type.value]
        kinds = {name: entry["kind"] for name, entry in self.document["flags"].items()}
        for flag in flags:
            if kinds.get(flag) == "str" and flag in account.overrides:
                yield self.by_override(flag, *account.overrides[flag])
        if account.preference is not None and self.task.model_type == "text":
            yield self.look("PREFERENCE", account.preference)
        else:
            yield "PREFERENCE", None, "NO_PREFERENCE", None
        for flag in flags:
            if flag not in kinds:
                yield "DEFAULT", None, "NO_FLAG", None
            elif kinds[flag] != "str":
                yield "DEFAULT", None, "NOT_A_TEXT_FLAG", None
            else:
                yield self.by_flag(flag)
        marked = [
            key
            for key, entry in self.models.items()
            if entry["is_default"] and entry["model_type"] == self.task.model_type
        ]
        if marked:
            yield self.look("TYPE_DEFAULT", marked[0])
        else:
            yield "TYPE_DEFAULT", None, "NO_DEFAULT", None

    def look(self, candidate: str, model_id: str) -> tuple[str, str, str | None, str]:
        return candidate, model_id, self.refusal(model_id), self.served(model_id)

    def by_override(
        self, flag: str, variant: str, expires: int
    ) -> tuple[str, str | None, str | None, str | None]:
        model_id = self.document["flags"][flag]["variants"].get(variant)
        if self.now >= expires:
            return "OVERRIDE", model_id, "OVERRIDE_EXPIRED", None
        if model_id is None:
            return "OVERRIDE", None, "UNKNOWN_VARIANT", None
        reason = self.decided(flag).reason
        if reason is Decided.PREREQUISITE:
            return "OVERRIDE", model_id, "PREREQUISITE_NOT_MET", None
        if reason is not Decided.OVERRIDE:
            return "OVERRIDE", model_id, "FLAG_NOT_ASKED", None
        return self.look("OVERRIDE", model_id)

    def by_flag(self, flag: str) -> tuple[str, str | None, str | None, str | None]:
        decision = self.decided(flag)
        name = decision.reason.value
        if decision.reason is Decided.OVERRIDE:
            return "DEFAULT", None, "OVERRIDDEN", None
        if decision.reason is Decided.ABSTAINED:
            if self.decided(flag, is_all_usable=True).variant is None:
                return "DEFAULT", None, "ABSTAINED", None
            return "RULE", None, "NOTHING_USABLE", None
        if decision.variant is None:
            why = {"OFF": "FLAG_OFF", "PREREQUISITE": "PREREQUISITE_NOT_MET"}
            return name, None, why.get(name, "NOTHING_USABLE"), None
        value: Any = decision.value
        return name, value, None, self.served(value)

    def decided(self, flag: str, *, is_all_usable: bool = False) -> Decision:
        usable: Callable[[Any], str | None] | None = None if is_all_usable else self.refusal
        return self.ruleset.evaluate(
            flag,
            Subject(self.account.key, self.account.traits),
            now=self.now,
            override=self.override,
            usable=usable,
        )

    def is_retired(self, model_id: str) -> bool:
        text = self.models[model_id]["retires_at"]
        return text is not None and datetime.fromisoformat(text) <= self.asked.at

    def served(self, model_id: str) -> str:
        while model_id in self.models and self.is_retired(model_id):
            if self.models[model_id]["replaced_by"] not in self.models:
                break
            model_id = self.models[model_id]["replaced_by"]
        return model_id

    def refusal(self, model_id: str) -> str | None:  # noqa: PLR0911 - one thing each
        """*usable*, one thing after the other."""
        served = self.served(model_id)
        if served not in self.models:
            return "UNKNOWN_MODEL"
        entry = self.models[served]
        if not entry["is_active"]:
            return "INACTIVE"
        if self.is_retired(served):
            return "RETIRED"
        if entry["model_type"] != self.task.model_type:
            return "WRONG_TYPE"
        if not self.is_priced(entry):
            return "UNPRICED"
        if not self.document["switches"].get(f"provider.{entry['provider']}", True):
            return "PROVIDER_OFF"
        return self.unmet(entry) or self.unavailable(entry)

    def unmet(self, entry: Json) -> str | None:
        needs, own = self.asked.needs, self.task.needs
        if (needs.get("json_mode") or own.json_mode) and not entry["supports_json_mode"]:
            return "NO_JSON_MODE"
        if (needs.get("vision") or own.vision) and not entry["supports_vision"]:
            return "NO_VISION"
        least = max(needs.get("context_tokens", 0), own.context_tokens)
        return "CONTEXT_TOO_SMALL" if entry.get("context_window", least) < least else None

    def unavailable(self, entry: Json) -> str | None:
        flag = entry["available_to"]
        if not flag:
            return None
        said = self.ruleset.evaluate(
            flag,
            Subject(self.account.key, self.account.traits),
            now=self.now,
            override=self.override,
        )
        return None if said.value is True else "NOT_AVAILABLE"

    def is_priced(self, entry: Json) -> bool:
        begun = [m for m in entry["prices"] if datetime.fromisoformat(m) <= self.asked.at]
        if not begun:
            return False
        price = entry["prices"][max(begun)]
        wanted = {
            "text": {"input_tokens", "output_tokens"},
            "image": {"images"},
            "embedding": {"input_tokens"},
        }[entry["model_type"]]
        plain = {line["meter"] for line in price["lines"] if not line.get("condition")}
        rated = {line["meter"] for line in price["lines"] if Decimal(line["amount"])}
        return price["is_free"] or wanted <= plain & rated

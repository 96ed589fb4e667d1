"""Answers in plain words and as JSON, for commands, API and pages alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from igny8_core.ai import pricing
from igny8_core.ai.parameters import Setting
from igny8_core.ai.pricing import PER_MILLION, RateLine, money_text
from igny8_core.ai.values import Reason, Refusal, Resolution, Step

WHY = {
    Reason.PINNED: "the caller asked for it",
    Reason.PREFERENCE: "the account prefers it",
    Reason.TYPE_DEFAULT: "it is the default for {model.model_type}",
    Reason.CONSTANTS: "the catalogue is empty or out of reach, so the plan's figures serve",
}
WHY_NOT = {
    Refusal.NO_PREFERENCE: "the account prefers none",
    Refusal.PREFERENCE_UNREADABLE: "the account's preference cannot be read",
    Refusal.NO_DEFAULT: "no model is marked as the default",
    Refusal.CATALOGUE_EMPTY: "the catalogue is empty or out of reach",
    Refusal.UNKNOWN_MODEL: "the catalogue has no such model",
    Refusal.INACTIVE: "it is not active",
    Refusal.WRONG_TYPE: "it is of another type than the task takes",
    Refusal.UNPRICED: "it has no complete price",
    Refusal.NO_JSON_MODE: "it has no JSON mode",
    Refusal.NO_VISION: "it takes no images as input",
    Refusal.CONTEXT_TOO_SMALL: "it holds too little context",
}


def why(resolution: Resolution) -> str:
    return f"{resolution.reason}: {WHY[resolution.reason].format(model=resolution.model)}"


def steps(trail: Sequence[Step]) -> Iterator[str]:
    """The trail in plain words, a line a step."""
    for step in trail:
        verdict = f"passed over: {WHY_NOT[step.refusal]}" if step.refusal else "taken"
        yield f"{step.candidate} {step.model_id or '(none)'}: {verdict}"


def resolution_facts(resolution: Resolution) -> dict[str, Any]:
    """The resolution for `--json`."""
    price = pricing.price_of(resolution.model, resolution.at)
    facts: dict[str, Any] = {
        "account": resolution.account_key,
        "task": resolution.task,
        "model": resolution.model.model_id,
        "provider": resolution.model.provider,
        "model_type": resolution.model.model_type,
        "reason": resolution.reason,
        "at": resolution.at.isoformat(),
        "currency": price.currency,
        "rates": [
            {
                "meter": line.meter,
                "amount": money_text(line.amount),
                "per": line.per,
                **({"condition": line.facts} if line.facts else {}),
            }
            for line in price.lines
        ],
    }
    if resolution.trail is not None:
        facts["trail"] = [step._asdict() for step in resolution.trail]
    return facts


def rate_text(line: RateLine) -> str:
    """`14.00 per 1M output tokens`, and where it holds."""
    unit = line.meter.replace("_", " ")
    per = {1: unit.removesuffix("s"), PER_MILLION: f"1M {unit}"}.get(line.per, f"{line.per} {unit}")
    where = condition_text(line.facts)
    return f"{money_text(line.amount)} per {per}" + (f" ({where})" if where else "")


def condition_text(facts: Mapping[str, Any] | None) -> str:
    """Where a rate holds; empty: always."""
    return ", ".join(f"{name} {_fact(fact)}" for name, fact in (facts or {}).items())


def _fact(fact: Any) -> str:
    return " ".join(fact) if isinstance(fact, list) else str(fact)


def setting_text(name: str, setting: Setting) -> str:
    """A parameter and which layer gave it."""
    limited = ", limited to what the model can do" if setting.is_limited else ""
    return f"{name} {setting.value} ({setting.layer}{limited})"


def setting_facts(settings: Mapping[str, Setting]) -> dict[str, Any]:
    """The parameters for `--json`."""
    return {name: setting._asdict() for name, setting in settings.items()}

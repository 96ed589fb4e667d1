"""Resolutions in plain words and as JSON, for commands, API and pages alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from igny8_core.ai.resolution import Markup, Reason, Refusal, Resolution, TrailEntry
from igny8_core.catalogue.models import CatalogueModel
from igny8_core.pricing.money import money_text, number_text
from igny8_core.tasks.parameters import Setting
from igny8_core.tasks.tasks import Task

WHY = {
    Reason.PINNED: "the caller asked for it",
    Reason.KEPT: "the caller keeps it while it is usable",
    Reason.OVERRIDE: "an operator's override of the flag {flag}",
    Reason.PREFERENCE: "the account prefers it",
    Reason.FORCED: "the flag {flag} is forced to it",
    Reason.RULE: "rule {rule} of the flag {flag} serves it",
    Reason.SPLIT: "the split of {rule} of the flag {flag} dealt it",
    Reason.DEFAULT: "the default of the flag {flag} serves it",
    Reason.OFF: "the flag {flag} serves it while it is off",
    Reason.PREREQUISITE: "the flag {flag} serves it while it lacks what it requires",
    Reason.TYPE_DEFAULT: "it is the default for {model_type}",
    Reason.CONSTANTS: "the catalogue is empty or out of reach, so the plan's figures serve",
}
WHY_NOT = {
    Refusal.NO_PREFERENCE: "the account prefers none",
    Refusal.PREFERENCE_UNREADABLE: "the account's preference cannot be read",
    Refusal.NO_DEFAULT: "no model is marked as the default",
    Refusal.CATALOGUE_EMPTY: "the catalogue is empty or out of reach",
    Refusal.OVERRIDE_EXPIRED: "the override has expired",
    Refusal.FLAG_NOT_ASKED: "the flag is forced or off, so its overrides are not asked",
    Refusal.NO_FLAG: "there is no such flag",
    Refusal.FLAG_OFF: "the flag is off",
    Refusal.PREREQUISITE_NOT_MET: "a flag that it requires was not decided so",
    Refusal.ABSTAINED: "no rule matches, and it has no default",
    Refusal.NOTHING_USABLE: "nothing that it serves is usable",
    Refusal.OVERRIDDEN: "its override, which is not usable, ends its questions: no rule is asked",
    Refusal.NOT_A_TEXT_FLAG: "the flag is of another kind than text, so it names no model",
    Refusal.UNKNOWN_VARIANT: "the flag has no such variant",
    Refusal.TRIED: "it was tried already",
    Refusal.CIRCUIT_OPEN: "it failed too often just now, and is tried again in a moment",
    Refusal.UNKNOWN_MODEL: "the catalogue has no such model",
    Refusal.INACTIVE: "it is not active",
    Refusal.RETIRED: "it is retired since {model.retires_at:%Y-%m-%d %H:%M} UTC",
    Refusal.PROVIDER_OFF: "its provider {model.provider} is switched off",
    Refusal.NOT_IMPLEMENTED: "nothing here speaks the protocol of its provider {model.provider}",
    Refusal.NO_KEY: (
        "there is no key for its provider {model.provider} at its address, "
        "and offline answers are turned off"
    ),
    Refusal.NOT_AVAILABLE: "the flag {model.available_to} does not let the account in",
    Refusal.AVAILABILITY_UNREADABLE: (
        "whether the flag {model.available_to} lets the account in cannot be read"
    ),
    Refusal.WRONG_TYPE: "its type is {model.model_type}, and the task takes {task.model_type}",
    Refusal.UNPRICED: "it has no complete price",
    Refusal.NO_JSON_MODE: "it has no JSON mode",
    Refusal.NO_VISION: "it takes no images as input",
    Refusal.CONTEXT_TOO_SMALL: (
        "it holds {model.context_window:,} tokens, and {task.needs.context_tokens:,} are needed"
    ),
}


def why(resolution: Resolution) -> str:
    """The reason of a resolution as one sentence."""
    facts = resolution.flag, resolution.rule, resolution.replaces
    return why_by(resolution.reason, resolution.model.model_type, *facts)


def why_by(
    reason: Reason, model_type: str, flag: str | None, rule: str | None, replaces: str | None
) -> str:
    """The same of the reason and its facts, as a receipt has them."""
    if reason is Reason.SPLIT:
        rule = f"rule {rule}" if rule else "the default"
    words = WHY[reason].format(model_type=model_type, flag=flag, rule=rule)
    return f"{reason}: {words}" + (
        f", in place of {replaces}, which is retired" if replaces else ""
    )


def why_not(refusal: Refusal, model: CatalogueModel | None, task: Task) -> str:
    """A refusal in words, with what was seen of the model."""
    return WHY_NOT[refusal].format(model=model, task=task)


def trail_lines(
    trail: Sequence[TrailEntry], of_flag: Callable[[Any], Iterable[str]] = lambda _decision: ()
) -> Iterator[str]:
    """The trail in plain words, a line a step; below it what `of_flag` says of its decision."""
    for entry in trail:
        verdict = "passed over" if entry.refusal else "taken"
        verdict += f": {entry.why}" if entry.why else ""
        flag = f" of the flag {entry.flag}" if entry.flag else ""
        replaced = f", {entry.successor} in its place" if entry.successor else ""
        yield f"{entry.candidate}{flag} {entry.model_id or '(none)'}{replaced}: {verdict}"
        if entry.decision is not None:
            yield from (f"  {line}" for line in of_flag(entry.decision))


def trail_json(
    trail: Sequence[TrailEntry], of_flag: Callable[[Any], Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """The trail for `--json`; a decision is what `of_flag` says of it."""
    return [
        {**entry._asdict(), "decision": entry.decision and of_flag(entry.decision)}
        for entry in trail
    ]


def resolution_json(resolution: Resolution) -> dict[str, Any]:
    """The resolution for `--json`, without its trail."""
    price, markup = resolution.price, resolution.markup
    return {
        "account": resolution.account_key,
        "task": resolution.task,
        "model": resolution.model.model_id,
        "provider": resolution.model.provider,
        "model_type": resolution.model.model_type,
        "reason": resolution.reason,
        "flag": resolution.flag,
        "rule": resolution.rule,
        "replaces": resolution.replaces,
        "revision": resolution.revision,
        "fallbacks": [each.model.model_id for each in resolution.fallbacks],
        "markup": markup_json(markup),
        "at": resolution.at.isoformat(),
        "currency": price.currency,
        "rates": [
            {
                "meter": line.meter,
                "amount": money_text(line.amount),
                "per": line.per,
                **({"condition": line.written} if line.written else {}),
            }
            for line in price.lines
        ],
    }


def markup_json(markup: Markup) -> dict[str, Any]:
    """The markup for `--json`."""
    return {
        "percent": number_text(markup.percent),
        "flag": markup.decision.flag,
        "reason": markup.reason,
        "rule": markup.rule,
    }


def markup_text(markup: Markup) -> str:
    """`12.5 %, by OVERRIDE of the flag pricing.markup_percent`."""
    flag = f"the flag {markup.decision.flag}"
    if markup.reason == "ERROR":
        return f"none, there is no flag {markup.decision.flag}"
    if markup.decision.variant is None:
        return f"none, {flag} says nothing: {markup.reason}"
    by = f"{markup.reason} {markup.rule}" if markup.rule else markup.reason
    return f"{number_text(markup.percent)} %, by {by} of {flag}"


def setting_text(name: str, setting: Setting) -> str:
    """A parameter and which layer gave it."""
    limited = ", limited to what the model can do" if setting.is_limited else ""
    return f"{name} {setting.value} ({setting.layer}{limited})"


def settings_json(settings: Mapping[str, Setting]) -> dict[str, Any]:
    """The parameters for `--json`."""
    return {name: setting._asdict() for name, setting in settings.items()}

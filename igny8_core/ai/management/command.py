"""What the pipeline's commands share: how they read arguments, print and fail."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand
from django.core.serializers.json import DjangoJSONEncoder
from django.db import Error as DatabaseFault

from igny8_core.ai import pricing
from igny8_core.ai.exceptions import AIError, UnknownNeed
from igny8_core.ai.pricing import PER_MILLION, RateLine, money_text
from igny8_core.ai.values import Meter, Needs, Reason, Refusal, Resolution, Step

WHY = {
    Reason.PINNED: "the caller asked for it",
    Reason.TYPE_DEFAULT: "it is the default for {model.model_type}",
    Reason.CONSTANTS: "the catalogue is empty or out of reach, so the plan's figures serve",
}
WHY_NOT = {
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


class PipelineCommand(BaseCommand):
    """A command whose errors are one sentence on stderr: exit status 1, bad usage 2."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def run_from_argv(self, argv: list[str]) -> None:
        try:
            super().run_from_argv(argv)
        except AIError as error:
            self._fail(str(error))
        except DatabaseFault as fault:
            first_line = str(fault).strip().partition("\n")[0]
            self._fail(f"The database cannot be used: {first_line}")

    def _fail(self, sentence: str) -> None:
        self.stderr.write(sentence)
        sys.exit(1)

    def print_json(self, value: dict[str, Any]) -> None:
        self.stdout.write(json.dumps(value, indent=2, cls=DjangoJSONEncoder, ensure_ascii=False))

    def print_rows(self, rows: list[tuple[str, str]]) -> None:
        width = max(len(name) for name, _ in rows)
        for name, value in rows:
            self.stdout.write(f"{name:<{width}}  {value}")


def moment(text: str) -> datetime:
    """An ISO 8601 date and time; UTC where it names no zone."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        message = f"{text!r} is not a date and time such as 2026-12-01T00:00:00Z"
        raise ArgumentTypeError(message) from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def quantity(text: str) -> tuple[str, int]:
    """`meter=quantity`, the quantity a whole number."""
    name, _, number = text.partition("=")
    if not (name and number.isascii() and number.isdigit()):
        message = f"{text!r} is not METER=QUANTITY, such as input_tokens=1000"
        raise ArgumentTypeError(message)
    return name, int(number)


def needs(text: str) -> Needs:
    """`json_mode,vision,context_tokens=4000`; raises UnknownNeed."""
    asked: dict[str, int] = {}
    for part in text.split(","):
        name, equals, number = part.strip().partition("=")
        if name not in Needs._fields:
            raise UnknownNeed(name, Needs._fields)
        is_number = name == "context_tokens"
        if is_number != bool(equals) or (is_number and not number.isdigit()):
            message = f"{part!r} is not json_mode, vision or context_tokens=NUMBER"
            raise ArgumentTypeError(message)
        asked[name] = int(number) if is_number else True
    return Needs(**asked)  # type: ignore[arg-type]


def why(resolution: Resolution) -> str:
    return f"{resolution.reason}: {WHY[resolution.reason].format(model=resolution.model)}"


def steps(trail: Sequence[Step]) -> Iterator[str]:
    """The trail in plain words, a line a step."""
    for step in trail:
        verdict = f"passed over: {WHY_NOT[step.refusal]}" if step.refusal else "taken"
        yield f"{step.candidate} {step.model_id or '(none)'}: {verdict}"


def resolution_facts(resolution: Resolution) -> dict[str, Any]:
    """The resolution for `--json`."""
    price = pricing.price_of(resolution.model)
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
            {"meter": line.meter, "amount": money_text(line.amount), "per": line.per}
            for line in price.lines
        ],
    }
    if resolution.trail is not None:
        facts["trail"] = [step._asdict() for step in resolution.trail]
    return facts


def rate_text(line: RateLine) -> str:
    unit = "image" if line.meter == Meter.IMAGES else line.meter.replace("_", " ")
    return f"{money_text(line.amount)} per {'1M ' if line.per == PER_MILLION else ''}{unit}"

"""What the pipeline's commands share: how they read arguments, print and fail."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, ArgumentTypeError
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand
from django.core.serializers.json import DjangoJSONEncoder
from django.db import Error as DatabaseFault

from igny8_core.ai.arguments import parse_moment, parse_needs
from igny8_core.ai.exceptions import AIError, InvalidMoment, InvalidNeed
from igny8_core.ai.parameters import Value
from igny8_core.ai.values import Needs


class BadUsage(Exception):
    """Arguments that do not go together."""


class PipelineCommand(BaseCommand):
    """A command whose errors are one sentence on stderr: exit status 1, bad usage 2."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def run_from_argv(self, argv: list[str]) -> None:
        try:
            super().run_from_argv(argv)
        except AIError as error:
            self._fail(str(error))
        except BadUsage as error:
            self._fail(str(error), status=2)
        except DatabaseFault as fault:
            first_line = str(fault).strip().partition("\n")[0]
            self._fail(f"The database cannot be used: {first_line}")

    def _fail(self, sentence: str, status: int = 1) -> None:
        self.stderr.write(sentence)
        sys.exit(status)

    def print_json(self, value: dict[str, Any]) -> None:
        self.stdout.write(json.dumps(value, indent=2, cls=DjangoJSONEncoder, ensure_ascii=False))

    def print_rows(self, rows: list[tuple[str, str]]) -> None:
        width = max(len(name) for name, _ in rows)
        for name, value in rows:
            self.stdout.write(f"{name:<{width}}  {value}")


def moment(text: str) -> datetime:
    try:
        return parse_moment(text)
    except InvalidMoment as error:
        raise ArgumentTypeError(str(error)) from None


def quantity(text: str) -> tuple[str, int]:
    """`meter=quantity`, the quantity a whole number."""
    name, _, number = text.partition("=")
    if not (name and number.isascii() and number.isdigit()):
        message = f"{text!r} is not METER=QUANTITY, such as input_tokens=1000"
        raise ArgumentTypeError(message)
    return name, int(number)


def pair(text: str) -> tuple[str, str]:
    """`name=text`."""
    name, equals, value = text.partition("=")
    if not (name and equals):
        message = f"{text!r} is not NAME=TEXT"
        raise ArgumentTypeError(message)
    return name, value


def parameter(text: str) -> tuple[str, Value]:
    """`name=value`, the value a number where it reads as one."""
    name, value = pair(text)
    for number in (int, float):
        try:
            return name, number(value)
        except ValueError:
            continue
    return name, value


def add_parameters(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--param",
        action="append",
        default=[],
        type=parameter,
        metavar="NAME=VALUE",
        help="e.g. temperature=0.2, over the account's and the platform's",
    )


def needs(text: str) -> Needs:
    """Raises UnknownNeed."""
    try:
        return parse_needs(text)
    except InvalidNeed as error:
        raise ArgumentTypeError(str(error)) from None

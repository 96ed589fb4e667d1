"""What the pipeline's commands share: how they read arguments and fail."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from typing import ClassVar

from flags.management import base
from igny8_core.errors import AIError
from igny8_core.tasks.errors import InvalidNeed, UnknownNeed
from igny8_core.tasks.needs import Needs, parse_needs
from igny8_core.tasks.parameters import Value


class PipelineCommand(base.Command):
    """A command of the pipeline: what the pipeline refuses is a sentence too."""

    refusals: ClassVar = (*base.Command.refusals, AIError)


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
    try:
        return parse_needs(text)
    except (InvalidNeed, UnknownNeed) as error:
        raise ArgumentTypeError(str(error)) from None

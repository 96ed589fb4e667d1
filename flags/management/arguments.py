"""Types of arguments: what a word of a command line may be."""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Sequence
from datetime import datetime

from flags.engine.times import UnreadableMoment, parse_moment


class BadArguments(Exception):
    """Arguments that do not go together, or are no text."""


def check_text(argv: Sequence[str]) -> None:
    """Raises BadArguments for bytes that are no text."""
    for word in argv:
        if not word.isascii() and word.encode(errors="replace").decode() != word:
            raise BadArguments(f"{word!a} is no text in UTF-8.")


def count(text: str) -> int:
    """How many: a number from 1 to a million."""
    if not text.isdecimal() or not 1 <= int(text) <= 10**6:
        message = f"{text!r} is not a number from 1 to 1,000,000"
        raise ArgumentTypeError(message)
    return int(text)


def moment(text: str) -> datetime:
    """An argument's type: ISO 8601, with a time or without; UTC without a zone."""
    try:
        return parse_moment(text)
    except UnreadableMoment as error:
        raise ArgumentTypeError(str(error)) from None

"""What commands share: how they read arguments, print and fail."""

from __future__ import annotations

import getpass
import json
import os
import re
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Final, TypeVar

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.core.management.base import BaseCommand, CommandParser
from django.core.serializers.json import DjangoJSONEncoder
from django.db import Error as DatabaseError
from django.db import IntegrityError

from flags import guarding
from flags.accounts.reading import UnknownAccount
from flags.actors import Actor, acting
from flags.document.stored import UnknownRevision, UnusableRevision
from flags.engine import DocumentError
from flags.management.arguments import BadArguments, check_text
from flags.models import Revision, UnknownFlag

Result = TypeVar("Result")
_TOLD_EACH: Final = 10_000


class CommandRefused(Exception):
    """What was asked for cannot be done; the sentence says why."""


class Command(BaseCommand):
    """A command whose errors are one sentence on stderr: exit status 1, bad usage 2."""

    # Raised with a sentence for people.
    refusals: ClassVar[tuple[type[Exception], ...]] = (
        CommandRefused,
        UnknownAccount,
        UnknownFlag,
        UnknownRevision,
        UnusableRevision,
        DocumentError,
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_json(parser)

    def run_from_argv(self, argv: list[str]) -> None:
        shown: tuple[type[Exception], ...] = (BadArguments, ValidationError, DatabaseError)
        try:
            check_text(argv)
            with acting(lambda: Actor(user(), via=f"manage.py {argv[1]}")):
                super().run_from_argv(argv)
            self.stdout.flush()
        except self.refusals + shown as error:
            told = self.error_json(error)
            if "--json" in argv:
                self.print_json(told)
            self._fail(told["message"], status=2 if isinstance(error, BadArguments) else 1)

    def error_json(self, error: Exception) -> dict[str, Any]:
        """A refusal for `--json`."""
        name = re.sub(r"(?<!^)(?=[A-Z])", "_", type(error).__name__).lower()
        code = getattr(error, "code", None)
        return {"error": code if isinstance(code, str) else name, "message": _sentence(error)}

    def operate(self, do: Callable[[], Result], **options: Any) -> Result:
        """One change; raises CommandRefused where it takes something away without `--yes`."""
        comment = options.get("comment", "")
        try:
            return guarding.operate(
                do,
                author=user(),
                comment=comment,
                is_confirmed=options["yes"],
                is_published=options.get("is_published", True),
                progress=self._progress,
                report=self.stderr.write,
            )
        except guarding.Unconfirmed as asked:
            sentence = "Nothing is changed. To do it all the same, say --yes."
            raise CommandRefused("\n".join([*asked.taken, sentence])) from None

    def _progress(self, looked: int, of: int) -> None:
        if 0 < looked < of and looked % _TOLD_EACH == 0:
            self.stderr.write(f"looked at {looked:,} of {of:,} accounts")

    def _fail(self, sentence: str, status: int = 1) -> None:
        self.stderr.write(sentence)
        sys.exit(status)

    def print_json(self, value: Any) -> None:
        self.stdout.write(json.dumps(value, indent=2, cls=DjangoJSONEncoder, ensure_ascii=False))

    def print_rows(self, rows: Sequence[tuple[str, str]]) -> None:
        width = max(len(name) for name, _ in rows)
        for name, value in rows:
            self.stdout.write(f"{name:<{width}}  {value}".rstrip())

    def print_table(self, heading: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Columns as wide as their longest cell, the heading underlined."""
        widths = [max(map(len, column)) for column in zip(heading, *rows, strict=True)]
        for row in [heading, ["-" * width for width in widths], *rows]:
            cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            self.stdout.write("  ".join(cells).rstrip())


class ActionCommand(Command):
    """A command with actions: `add_<action>` adds an action's arguments, `<action>` does it."""

    actions: ClassVar[dict[str, str]]

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        for action, words in self.actions.items():
            own = actions.add_parser(action, help=words, description=words)
            add_json(own)
            getattr(self, f"add_{action}")(own)

    def handle(self, **options: Any) -> None:
        getattr(self, f"do_{options['action']}")(**options)


def _sentence(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return "\n".join(_sentences(error))
    if isinstance(error, IntegrityError):
        return "It was changed at the same time; try again."
    if isinstance(error, DatabaseError):
        first_line = str(error).strip().partition("\n")[0]
        return f"The database cannot be used: {first_line}"
    return str(error)


def _sentences(error: ValidationError) -> list[str]:
    """Each with the field that it is about."""
    if not hasattr(error, "error_dict"):
        return error.messages
    return [
        message if field == NON_FIELD_ERRORS else f"{field}: {message}"
        for field, messages in error.message_dict.items()
        for message in messages
    ]


def add_json(parser: ArgumentParser | CommandParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON")


def user() -> str:
    """Who runs the command: the system's name for them, or their number."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def add_yes(parser: ArgumentParser) -> None:
    words = "do it also where it takes models away from accounts"
    parser.add_argument("--yes", action="store_true", help=words)


def add_comment(parser: ArgumentParser) -> None:
    parser.add_argument("--comment", type=_comment, default="", help="why")


def _comment(text: str) -> str:
    most = Revision._meta.get_field("comment").max_length or 0
    if len(text) > most:
        message = f"it has {len(text)} characters; at most {most} are kept"
        raise ArgumentTypeError(message)
    return text


def revision_json(row: Revision) -> dict[str, Any]:
    """A revision for `--json`, without its document."""
    names = ("number", "checksum", "author", "comment", "summary", "created_at", "parent_id")
    return {name: getattr(row, name) for name in names}

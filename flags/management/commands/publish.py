"""`manage.py publish`: publish what the tables say, or only check it."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from flags import publishing
from flags.document import diff, export
from flags.document.check import faults as faults_of
from flags.document.held import HeldBack, held_back
from flags.document.stored import content
from flags.engine import DocumentError
from flags.engine.problems import MAX_PROBLEMS
from flags.management import base
from flags.models import Revision


class Command(base.Command):
    help = "Publish what the tables say, for example after raw SQL; or only check it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--check", action="store_true", help="publish nothing")
        base.add_comment(parser)

    def handle(self, **options: Any) -> None:
        if options["check"]:
            self._check(**options)
            return
        revision = publishing.publish_waiting(author=base.user(), comment=options["comment"])
        held = held_back()
        if options["json"]:
            self.print_json({**base.revision_json(revision), "held_back": _json(held)})
        elif held:
            self.stdout.write(f"Revision {revision.number} is what the tables say, but for:")
            self._print(held)
        else:
            self.stdout.write(f"Revision {revision.number} is what the tables say.")

    def _check(self, **options: Any) -> None:
        """What would be held back is an error; so is what is."""
        exported = export.document()
        faults, held = faults_of(exported), held_back()
        last = Revision.objects.first()
        is_pending = last is None or bool(diff.diff(content(last), exported))
        if options["json"]:
            told = {"checks": not faults, "pending": is_pending, "held_back": _json(held)}
            self.print_json(told)
        if faults:
            raise DocumentError(faults[:MAX_PROBLEMS])
        state = "are unpublished changes" if is_pending else "is nothing unpublished"
        if not options["json"]:
            self.stdout.write(f"The tables check; there {state}.")

    def _print(self, held: list[HeldBack]) -> None:
        for each in held:
            self.stdout.write(f"  {each}")


def _json(held: list[HeldBack]) -> list[dict[str, Any]]:
    return [each._asdict() for each in held]

"""`manage.py publish`: publish what the tables say, or only check it."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.db import transaction

from flags import publishing
from flags.document.check import check
from flags.management import base
from flags.models.pending import mark_changed


class Command(base.Command):
    help = "Publish what the tables say, for example after raw SQL; or only check it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--check", action="store_true", help="publish nothing")
        base.add_comment(parser)

    def handle(self, **options: Any) -> None:
        if options["check"]:
            told = {"checks": True, "pending": not publishing.is_published(check())}
            state = "are unpublished changes" if told["pending"] else "is nothing unpublished"
            if options["json"]:
                self.print_json(told)
            else:
                self.stdout.write(f"The tables check; there {state}.")
            return
        with transaction.atomic():
            mark_changed()  # raw SQL has told nobody
            revision = publishing.publish(author=base.user(), comment=options["comment"])
        if options["json"]:
            self.print_json(base.revision_json(revision))
        else:
            self.stdout.write(f"Revision {revision.number} is what the tables say.")

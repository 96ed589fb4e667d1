"""`manage.py roll_up`: adds the ledger up by day, so that reports read few rows."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import date
from typing import Any

from flags.management import base
from flags.management.arguments import BadArguments
from igny8_core.modules.usage.management.arguments import day
from igny8_core.modules.usage.reports import rolling


class Command(base.Command):
    help = (
        "Add up the receipts of every day in UTC that is over: those that are not rolled up yet, "
        "and those that have changed since. It may run as often as you like, and twice at once."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        words = "make the roll-ups of all days anew, and say which were wrong"
        parser.add_argument("--rebuild", action="store_true", help=words)
        words = "with --rebuild: the first day"
        parser.add_argument("--from", dest="first", type=day, metavar="DATE", help=words)
        words = "with --rebuild: the last day, included"
        parser.add_argument("--to", dest="last", type=day, metavar="DATE", help=words)

    def handle(self, **options: Any) -> None:
        first, last = options["first"], options["last"]
        if not options["rebuild"] and (first or last):
            message = "--from and --to go with --rebuild."
            raise BadArguments(message)
        days = (
            rolling.rebuild(first or date.min, last or date.max)
            if options["rebuild"]
            else rolling.roll_due()
        )
        told = [*days]
        wrong = [each.day.isoformat() for each in told if each.is_same is False]
        if options["json"]:
            self.print_json({"days": len(told), "differed": wrong})
            return
        differed = f"; these were not as they are now: {', '.join(wrong)}" if wrong else ""
        self.stdout.write(f"{len(told):,} days rolled up{differed}.")

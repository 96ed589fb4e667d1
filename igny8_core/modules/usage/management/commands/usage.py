"""`manage.py usage`: what a month's calls add up to, by account and model."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from datetime import UTC, date, datetime
from typing import Any

from flags.management import base
from igny8_core.modules.usage import reports
from igny8_core.pricing.money import money_text


class Command(base.Command):
    help = "Show what a month's calls add up to, by account and model; months are in UTC."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("month", type=_month, metavar="YEAR-MONTH", help="e.g. 2026-11")

    def handle(self, **options: Any) -> None:
        month: date = options["month"]
        totals = reports.month(month.year, month.month)
        told = [
            each._replace(cost=money_text(each.cost), charge=money_text(each.charge))._asdict()  # type: ignore[arg-type]
            for each in totals
        ]
        if options["json"]:
            self.print_json(told)
            return
        if not told:
            self.stdout.write(f"There are no receipts of {month:%Y-%m}.")
            return
        heading = ["account", "model", "calls", "without cost", "cost, USD", "charge, USD"]
        rows = [
            [f"{cell:,}" if isinstance(cell, int) else cell for cell in each.values()]
            for each in told
        ]
        self.print_table(heading, rows)


def _month(text: str) -> date:
    try:
        return datetime.strptime(text, "%Y-%m").replace(tzinfo=UTC).date()
    except ValueError:
        message = f"{text!r} is not a month such as 2026-11"
        raise ArgumentTypeError(message) from None

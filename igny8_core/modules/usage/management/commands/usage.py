"""`manage.py usage`: what calls add up to."""

from __future__ import annotations

import csv
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from django.utils import timezone

from flags.management import base
from flags.management.arguments import BadArguments
from igny8_core.modules.usage.management.arguments import day, month
from igny8_core.modules.usage.reports import By, Days, Total, days_of_month, totals
from igny8_core.pricing.money import money_text

Row = dict[str, Any]
# For programs; the heading of a table is in words.
_NAMES: Final = {By.ACCOUNT: "account_key", By.MODEL: "model_id"}
_HEADINGS: Final = {
    "account_key": "account",
    "model_id": "model",
    "p50_ms": "p50, ms",
    "p95_ms": "p95, ms",
    "input_tokens": "tokens in",
    "output_tokens": "tokens out",
    "cost": "cost, USD",
    "charge": "charge, USD",
    "margin": "margin, USD",
    "cost_reported": "reported, USD",
    "cost_computed": "computed, USD",
    "difference": "difference, USD",
    "difference_percent": "%",
}


class Command(base.Command):
    help = (
        "Show what calls add up to: how many, how fast, tokens, cost, charge and margin, or with "
        "--reported how what providers report differs from our prices. Days are in UTC."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "month", type=month, metavar="YEAR-MONTH", nargs="?", help="e.g. 2026-11"
        )
        parser.add_argument("--from", dest="first", type=day, metavar="DATE", help="the first day")
        words = "the last day, included; today where it is left out"
        parser.add_argument("--to", dest="last", type=day, metavar="DATE", help=words)
        words = f"any of {', '.join(By)}, with commas (account,model; with --reported: model)"
        parser.add_argument("--by", type=_by, metavar="WHAT", help=words)
        parser.add_argument("--csv", action="store_true", help="print CSV")
        words = "compare the costs that providers report with ours, over the calls that have both"
        parser.add_argument("--reported", action="store_true", help=words)
        words = "as --reported, and fail where a row differs by more than so many percent"
        parser.add_argument("--alarm-percent", type=_percent, metavar="PERCENT", help=words)

    def handle(self, **options: Any) -> None:
        days, span = _days(**options)
        is_compared = options["reported"] or options["alarm_percent"] is not None
        by = options["by"] or ([By.MODEL] if is_compared else [By.ACCOUNT, By.MODEL])
        found = totals(days, by)
        if is_compared:
            found = [total for total in found if total.compared]
        row = _compared if is_compared else _told
        self._show([{**_of(total, by), **row(total)} for total in found], span, **options)
        if options["alarm_percent"] is not None:
            self._alarm(found, options["alarm_percent"])

    def _show(self, told: Sequence[Row], span: str, **options: Any) -> None:
        if options["json"]:
            self.print_json(told)
        elif options["csv"]:
            table = csv.writer(self.stdout, lineterminator="\n")
            table.writerows([[*told[0]], *([*row.values()] for row in told)] if told else [])
        elif told:
            heading = [_HEADINGS.get(name, name.replace("_", " ")) for name in told[0]]
            self.print_table(heading, [[*map(_cell, row.values())] for row in told])
        elif options["reported"] or options["alarm_percent"] is not None:
            self.stdout.write(f"No receipt of {span} has a reported cost and a computed one.")
        else:
            self.stdout.write(f"There are no receipts of {span}.")

    def _alarm(self, found: Sequence[Total], most: Decimal) -> None:
        over = [
            f"{', '.join(total.by)} by {_cell(_percent_text(total)) or 'any measure'} %"
            for total in found
            if total.difference_percent is None or abs(total.difference_percent) > most
        ]
        if over:
            self.stderr.write(f"Reported costs differ by more than {most} %: {'; '.join(over)}.")
            sys.exit(1)


def _days(**options: Any) -> tuple[Days, str]:
    """And in words. Raises BadArguments."""
    first, last = options["first"], options["last"]
    if options["month"]:
        if first or last:
            message = "A month takes no --from and --to."
            raise BadArguments(message)
        return days_of_month(options["month"].year, options["month"].month), (
            f"{options['month']:%Y-%m}"
        )
    if first is None:
        message = "Say a month, such as 2026-11, or --from DATE."
        raise BadArguments(message)
    last = last or timezone.now().date()
    if last < first:
        message = f"--to is before --from: {last} and {first}."
        raise BadArguments(message)
    return Days(first, last), f"{first} to {last}"


def _of(total: Total, by: Sequence[By]) -> Row:
    return {_NAMES.get(each, each.value): of for each, of in zip(by, total.by, strict=True)}


def _told(total: Total) -> Row:
    counts = ("calls", "errors", "without_cost")
    return {
        **{name: getattr(total, name) for name in counts},
        "p50_ms": total.percentile_ms(0.5),
        "p95_ms": total.percentile_ms(0.95),
        "input_tokens": total.input_tokens,
        "output_tokens": total.output_tokens,
        "images": total.images,
        "cost": money_text(total.cost),
        "charge": money_text(total.charge),
        "margin": money_text(total.margin),
    }


def _compared(total: Total) -> Row:
    return {
        "compared": total.compared,
        "cost_reported": money_text(total.cost_reported),
        "cost_computed": money_text(total.cost_computed),
        "difference": money_text(total.cost_reported - total.cost_computed),
        "difference_percent": _percent_text(total),
    }


def _percent_text(total: Total) -> str | None:
    percent = total.difference_percent
    return None if percent is None else f"{percent:.2f}"


def _cell(value: str | int | None) -> str:
    return f"{value:,}" if isinstance(value, int) else value or ""


def _by(text: str) -> list[By]:
    try:
        return [*dict.fromkeys(By(each.strip()) for each in text.split(","))]
    except ValueError:
        message = f"{text!r} is not one or more of {', '.join(By)}, with commas"
        raise ArgumentTypeError(message) from None


def _percent(text: str) -> Decimal:
    try:
        percent = Decimal(text)
    except InvalidOperation:
        percent = Decimal("NaN")
    if not (percent.is_finite() and percent >= 0):
        message = f"{text!r} is not a percentage from 0 on"
        raise ArgumentTypeError(message)
    return percent

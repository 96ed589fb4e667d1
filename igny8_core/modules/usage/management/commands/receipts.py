"""`manage.py receipts`: lists receipts, the newest first."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any, Final
from uuid import UUID

from django.db.models.functions import Coalesce

from flags.management import base
from flags.management.arguments import count, moment
from igny8_core.modules.accounts.models import Account
from igny8_core.modules.usage.models import Receipt
from igny8_core.modules.usage.states import State
from igny8_core.pricing.money import money_text

# Each is an argument, and the column that must have its value.
_FILTERS: Final = {
    "request": ("request_id", UUID, "the request's id"),
    "task": ("task", str, "e.g. generate_content"),
    "model": ("model_asked", str, "the model that was resolved"),
    "run": ("run", str, "the run whose models it keeps"),
    "status": ("status", str, "e.g. ok, unpriced, interrupted or a failure's code"),
}


class Command(base.Command):
    help = "List receipts, the newest first."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--account", metavar="KEY", help="the account's key")
        for name, (_, of, words) in _FILTERS.items():
            parser.add_argument(f"--{name}", type=of, help=words)
        parser.add_argument("--state", choices=[*State.values])
        parser.add_argument("--from", dest="begins", type=moment, help="of calls from then on")
        parser.add_argument("--to", dest="ends", type=moment, help="of calls before then")
        parser.add_argument("--limit", type=count, default=50, help="at most so many (50)")

    def handle(self, **options: Any) -> None:
        told = [_told(receipt) for receipt in _found(**options)]
        if options["json"]:
            self.print_json(told)
        elif told:
            heading = [name.replace("_", " ") for name in told[0]]
            rows = [["" if each is None else str(each) for each in row.values()] for row in told]
            self.print_table(heading, rows)
        else:
            self.stdout.write("There are no such receipts.")


def _found(**options: Any) -> Any:
    """One query, and one for the account. Raises UnknownAccount."""
    asked = {column: options[name] for name, (column, _, _) in _FILTERS.items()}
    asked |= {
        "state": options["state"],
        "created_at__gte": options["begins"],
        "created_at__lt": options["ends"],
    }
    if options["account"] is not None:
        asked["account"] = Account.objects.by_key(options["account"])
    receipts = Receipt.objects.filter(
        **{name: value for name, value in asked.items() if value is not None}
    )
    found_out = {
        "known_cost": Coalesce("cost", "adjustment__cost"),
        "known_charge": Coalesce("charge", "adjustment__charge"),
    }
    return receipts.annotate(**found_out).select_related("account")[: options["limit"]]


def _told(receipt: Any) -> dict[str, Any]:
    cost, charge = receipt.known_cost, receipt.known_charge
    return {
        "at": f"{receipt.created_at:%Y-%m-%d %H:%M:%S}",
        "request": str(receipt.request_id),
        "account": receipt.account.key,
        "task": receipt.task,
        "model": receipt.model_asked,
        "provider": receipt.provider,
        "run": receipt.run,
        "state": receipt.state,
        "status": receipt.status,
        "latency_ms": receipt.latency_ms,
        "input_tokens": receipt.input_tokens,
        "output_tokens": receipt.output_tokens,
        "cost": None if cost is None else money_text(cost),
        "charge": None if charge is None else money_text(charge),
    }

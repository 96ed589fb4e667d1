"""`manage.py receipt`: one receipt in full, and whether it would be decided and priced so again."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.forms import model_to_dict

from igny8_core.ai.management import base
from igny8_core.ai.replay import page
from igny8_core.ai.replay.comparing import Replay, replay
from igny8_core.modules.usage.errors import AmbiguousReceipt, UnknownReceipt
from igny8_core.modules.usage.models import Receipt


class Command(base.PipelineCommand):
    help = "Show a receipt in full; with --replay, resolve and price it again and compare."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("receipt", help="a receipt's number, or a request's id")
        words = "resolve and price it again; exit status 1 where anything differs"
        parser.add_argument("--replay", action="store_true", help=words)

    def handle(self, **options: Any) -> None:
        receipt = found(options["receipt"])
        replayed = replay(receipt) if options["replay"] else None
        if options["json"]:
            self.print_json(_json(receipt, replayed))
        else:
            self._print(receipt, replayed)
        if replayed is not None and not replayed.agrees:
            self.stdout.flush()
            sys.exit(1)

    def _print(self, receipt: Receipt, replayed: Replay | None) -> None:
        self.print_rows(page.rows(receipt))
        adjustment = page.adjustment_of(receipt)
        tables = [
            (page.ATTEMPTS, page.attempt_cells(receipt.attempts)),
            (page.LINES, page.line_cells(receipt.lines)),
            (page.LINES, page.line_cells(adjustment.lines if adjustment else [])),
            (page.ITEMS, page.item_cells(replayed.items if replayed else [])),
        ]
        for heading, cells in tables:
            if cells:
                self.stdout.write("")
                self.print_table(heading, cells)
        if replayed is not None:
            self.stdout.write("")
            for sentence in replayed.missing:
                self.stdout.write(sentence)
            self.stdout.write(_verdict(replayed))


def _verdict(replayed: Replay) -> str:
    differing = sum(not item.agrees for item in replayed.items)
    if differing:
        return f"{differing} of {len(replayed.items)} differ."
    return "What was replayed agrees." if replayed.missing else "The replay agrees."


def found(name: str) -> Receipt:
    """By its number or its request's id. Raises UnknownReceipt, AmbiguousReceipt."""
    rows = Receipt.objects.select_related("account", "price__model").order_by("pk")
    if name.isascii() and name.isdigit() and len(name) < len(str(2**63)):
        receipts = list(rows.filter(pk=int(name)))
    else:
        try:
            receipts = list(rows.filter(request_id=UUID(name)))
        except ValueError:
            raise UnknownReceipt(name) from None
    if not receipts:
        raise UnknownReceipt(name)
    if len(receipts) > 1:
        raise AmbiguousReceipt(name, [receipt.pk for receipt in receipts])
    return receipts[0]


def _json(receipt: Receipt, replayed: Replay | None) -> dict[str, Any]:
    """Every column, the adjusting entry, and the replay."""
    adjustment = page.adjustment_of(receipt)
    told = {
        **{field.name: field.value_from_object(receipt) for field in Receipt._meta.concrete_fields},
        "account": receipt.account.key,
        "adjustment": adjustment and model_to_dict(adjustment),
    }
    if replayed is not None:
        items = [{**item._asdict(), "agrees": item.agrees} for item in replayed.items]
        told["replay"] = {
            "agrees": replayed.agrees,
            "items": items,
            "missing": replayed.missing,
        }
    return told

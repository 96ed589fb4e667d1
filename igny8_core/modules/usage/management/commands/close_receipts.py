"""`manage.py close_receipts`: for cron; enters what is on disk, closes what was killed midway."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from flags.management import base
from igny8_core.modules.usage import draining
from igny8_core.modules.usage.management.arguments import minutes


class Command(base.Command):
    help = (
        "Enter into the database what the ledger keeps on disk, then close as unknown the receipts "
        "that have been open too long: their processes were killed in the middle of a call."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        words = "how long is too long; 120 unless said"
        parser.add_argument("--minutes", type=minutes, default=minutes("120"), help=words)

    def handle(self, **options: Any) -> None:
        done = draining.close(options["minutes"])
        if options["json"]:
            self.print_json(done._asdict())
            return
        entries = "entry" if done.drained == 1 else "entries"
        self.stdout.write(f"{done.drained:,} {entries} from the disk, {done.closed:,} closed.")

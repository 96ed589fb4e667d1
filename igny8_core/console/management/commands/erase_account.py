"""`manage.py erase_account`: what says who an account was goes; money and counts stay."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from flags.management.base import user
from igny8_core.ai.management import base
from igny8_core.console.erasing import Found, erase, found_of
from igny8_core.modules.accounts.models import Account


class Command(base.PipelineCommand):
    help = (
        "Anonymise an account: its key, name, traits, members, overrides, prompts, settings and "
        "keys go, and what its receipts say of it; money and counts stay. There is no way back."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("account", help="the account's key")
        words = "do it; without it, only say what would go"
        parser.add_argument("--yes", action="store_true", help=words)

    def handle(self, **options: Any) -> None:
        account = Account.objects.by_key(options["account"])
        found = found_of(account)
        key = erase(account, author=user()) if options["yes"] else None
        if options["json"]:
            told = {"account": account.key, "became": key, "rows": found.rows, "stays": found.stays}
            self.print_json(told)
        else:
            self._print(account.key, found, key)

    def _print(self, old: str, found: Found, key: str | None) -> None:
        self.print_rows([(name, f"{count:,}") for name, count in found.rows.items()])
        for sentence in found.stays:
            self.stdout.write(sentence)
        if key is None:
            self.stdout.write(f"Nothing is changed. To erase {old}, say --yes.")
        else:
            self.stdout.write(f"{old} is erased. Its receipts are those of {key}.")

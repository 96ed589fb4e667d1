"""`manage.py set_key`: keep a provider's key, read from standard input, or remove it."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from getpass import getpass
from typing import Any

from igny8_core.ai.management import base
from igny8_core.modules.accounts.models import Account
from igny8_core.modules.system.models import GlobalIntegrationSettings, IntegrationSettings


class Command(base.PipelineCommand):
    help = "Keep a provider's key, read from standard input, for the platform or for one account."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("provider", help="e.g. openai")
        parser.add_argument("--account", help="the account's key; without it, the platform")
        parser.add_argument("--remove", action="store_true", help="remove the key")

    def handle(self, **options: Any) -> None:
        key = options["account"]
        row = (
            IntegrationSettings.of(Account.objects.by_key(key))
            if key
            else GlobalIntegrationSettings.load()
        )
        row.key_of(options["provider"])  # an unknown provider is refused before a key is asked for
        row.set_key(options["provider"], "" if options["remove"] else _read())
        row.save()
        kept = row.key_of(options["provider"])
        if options["json"]:
            shown = str(kept) if kept else None
            self.print_json({"provider": options["provider"], "account": key, "key": shown})
        else:
            self.stdout.write(f"{options['provider']} of {key or 'the platform'}: {kept or 'none'}")


def _read() -> str:
    return getpass("Key: ") if sys.stdin.isatty() else sys.stdin.readline().strip()

"""`manage.py set_key`: keep a provider's key, read from standard input, or remove it."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from getpass import getpass
from typing import Any

from django.db import transaction

from flags.management.arguments import BadArguments
from flags.management.base import user
from igny8_core.ai.management import base
from igny8_core.modules.accounts.models import Account
from igny8_core.modules.system.models import GlobalIntegrationSettings, IntegrationSettings
from igny8_core.modules.system.shown_keys import key_field


class Command(base.PipelineCommand):
    help = "Keep a provider's key, read from standard input, for the platform or for one account."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("provider", help="e.g. openai")
        parser.add_argument("--account", help="the account's key; without it, the platform")
        parser.add_argument("--remove", action="store_true", help="remove the key")

    def handle(self, **options: Any) -> None:
        provider, owner = options["provider"], options["account"]
        field = key_field(provider)
        account = None if owner is None else Account.objects.by_key(owner)
        key = "" if options["remove"] else _read()
        if not key and not options["remove"]:
            raise BadArguments("No key was given on standard input. (--remove removes one.)")
        with transaction.atomic():
            row = (
                IntegrationSettings.locked(account=account)
                if account
                else GlobalIntegrationSettings.locked(pk=GlobalIntegrationSettings.PK)
            )
            row.set_by = user()
            row.set_key(provider, key)
            row.save(update_fields=[field, "updated_at"])
        kept = None if options["remove"] else row.key_of(provider)
        if options["json"]:
            shown = str(kept) if kept else None
            self.print_json({"provider": provider, "account": owner, "key": shown})
        else:
            self.stdout.write(f"{provider} of {owner or 'the platform'}: {kept or 'none'}")


def _read() -> str:
    return getpass("Key: ") if sys.stdin.isatty() else sys.stdin.readline().strip()

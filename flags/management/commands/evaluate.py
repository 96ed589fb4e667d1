"""`manage.py evaluate`: what a flag answers for an account, and why."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from flags import explain, live
from flags.accounts.reading import account_by_key
from flags.decisions import decide
from flags.engine import Reason
from flags.management import arguments, base
from flags.models import UnknownFlag


class Command(base.Command):
    help = "Show what a flag answers for an account, and why."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("flag", help="the flag's name")
        parser.add_argument("account", help="the account's key")
        parser.add_argument("--at", type=arguments.moment, help="at this moment, ISO 8601")
        parser.add_argument("--explain", action="store_true", help="every rule looked at")

    def handle(self, **options: Any) -> None:
        account = account_by_key(options["account"])
        ruleset = live.current().ruleset
        decision = decide(
            options["flag"],
            account,
            at=options["at"],
            trail=options["explain"],
            ruleset=ruleset,
        )
        if decision.reason is Reason.ERROR:
            raise UnknownFlag(options["flag"])
        if options["json"]:
            self.print_json({"account": account.key, **explain.to_json(decision)})
            return
        self.print_rows(
            [
                ("flag", decision.flag),
                ("account", account.key),
                ("answer", explain.answer(decision)),
                ("why", explain.why(decision)),
                *(("looked at", line) for line in explain.steps(decision, ruleset.document)),
            ]
        )

"""`manage.py resolve`: which model an account gets for a task, and why."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from igny8_core.ai import pricing, resolver
from igny8_core.ai.exceptions import ModelNotAvailable, NoUsableModel
from igny8_core.ai.management import command
from igny8_core.modules.accounts.models import Account


class Command(command.PipelineCommand):
    help = "Show which model an account gets for a task, and why."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("account", help="the account's key")
        parser.add_argument("task", help="e.g. generate_content")
        parser.add_argument("--model", help="this model and no other")
        parser.add_argument(
            "--needs", type=command.needs, help="e.g. json_mode,vision,context_tokens=4000"
        )
        parser.add_argument("--at", type=command.moment, help="as of this moment, ISO 8601")
        parser.add_argument("--explain", action="store_true", help="every candidate looked at")

    def handle(self, **options: Any) -> None:
        try:
            resolution = resolver.resolve(
                Account.objects.by_key(options["account"]),
                options["task"],
                needs=options["needs"],
                model=options["model"],
                at=options["at"],
                explain=options["explain"],
            )
        except (ModelNotAvailable, NoUsableModel) as error:
            if options["explain"]:
                for line in command.steps(error.trail):
                    self.stderr.write(line)
            raise
        if options["json"]:
            self.print_json(command.resolution_facts(resolution))
            return
        price = pricing.price_of(resolution.model)
        self.print_rows(
            [
                ("account", resolution.account_key),
                ("task", resolution.task),
                ("model", f"{resolution.model.display_name} ({resolution.model.model_id})"),
                ("provider", resolution.model.provider),
                ("why", command.why(resolution)),
                *((price.currency, command.rate_text(line)) for line in price.lines),
                *(("looked at", line) for line in command.steps(resolution.trail or ())),
            ]
        )

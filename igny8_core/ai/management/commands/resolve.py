"""`manage.py resolve`: which model an account gets for a task, and why."""

from __future__ import annotations

from argparse import ArgumentParser
from functools import partial
from typing import Any

from flags import explain, live
from flags.management.arguments import moment
from igny8_core.ai import resolver, words
from igny8_core.ai.account_settings import settings_of
from igny8_core.ai.errors import ModelNotAvailable, NoUsableModel
from igny8_core.ai.management import base
from igny8_core.modules.accounts.models import Account
from igny8_core.pricing.words import rate_text
from igny8_core.tasks.parameters import merge


class Command(base.PipelineCommand):
    help = "Show which model an account gets for a task, and why."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("account", help="the account's key")
        parser.add_argument("task", help="e.g. generate_content")
        parser.add_argument("--model", help="this model and no other")
        parser.add_argument(
            "--needs", type=base.needs, help="e.g. json_mode,vision,context_tokens=4000"
        )
        base.add_parameters(parser)
        parser.add_argument("--keep", help="this model, while it is usable")
        parser.add_argument(
            "--at",
            type=moment,
            help="as rules, prices and expiries are at this moment, ISO 8601; see --revision",
        )
        parser.add_argument("--revision", type=int, help="by what this revision says")
        parser.add_argument("--explain", action="store_true", help="every candidate looked at")

    def error_json(self, error: Exception) -> dict[str, Any]:
        told = super().error_json(error)
        if isinstance(error, ModelNotAvailable | NoUsableModel):
            trail = words.trail_json(error.trail, explain.to_json)
            told |= {"available": error.available, "trail": trail}
        return told

    def handle(self, **options: Any) -> None:
        account = Account.objects.by_key(options["account"])
        number = options["revision"]
        snapshot = live.current() if number is None else live.at_revision(number)
        of_flag = partial(explain.steps, document=snapshot.ruleset.document)
        try:
            resolution = resolver.resolve(
                account,
                options["task"],
                needs=options["needs"],
                model=options["model"],
                keep=options["keep"],
                at=options["at"],
                revision=options["revision"],
                explain=options["explain"],
            )
        except (ModelNotAvailable, NoUsableModel) as error:
            if options["explain"] and not options["json"]:
                for line in words.trail_lines(error.trail, of_flag):
                    self.stderr.write(line)
            raise
        layers = settings_of(account).layers(resolution.origin.task, dict(options["param"]))
        merged = merge(layers, resolution.model)
        if fault := live.snapshot_status().error:
            self.stderr.write(f"Newer changes may not be in force. {fault}")
        markup = resolution.markup
        if options["json"]:
            parameters = words.settings_json(merged)
            told = words.resolution_json(resolution) | {"parameters": parameters}
            if resolution.trail is not None:
                told["trail"] = words.trail_json(resolution.trail, explain.to_json)
                told["markup"]["trail"] = explain.to_json(markup.decision)["trail"]
            self.print_json(told)
            return
        price = resolution.price
        self.print_rows(
            [
                ("account", resolution.account_key),
                ("task", resolution.task),
                ("model", f"{resolution.model.display_name} ({resolution.model.model_id})"),
                ("provider", resolution.model.provider),
                ("why", words.why(resolution)),
                ("revision", str(resolution.revision or "none: the plan's figures")),
                *((price.currency, rate_text(line)) for line in price.lines),
                ("markup", words.markup_text(markup)),
                *(("parameter", words.setting_text(*item)) for item in merged.items()),
                *(
                    ("looked at", line)
                    for line in words.trail_lines(resolution.trail or (), of_flag)
                ),
                *(("markup by", line) for line in of_flag(markup.decision)),
            ]
        )

"""`manage.py run_ai`: run one AI request for an account and show its answer and cost."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from igny8_core.ai.ai_core import AICore
from igny8_core.ai.management import command
from igny8_core.ai.pricing import money_text
from igny8_core.modules.accounts.models import Account


class Command(command.PipelineCommand):
    help = "Run one AI request for an account: pick the model, ask it, price it, keep a receipt."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("account", help="the account's key")
        parser.add_argument("task", help="e.g. generate_content")
        parser.add_argument("--prompt", required=True, help="what to ask")
        parser.add_argument("--model", help="this model and no other")

    def handle(self, **options: Any) -> None:
        account = Account.objects.by_key(options["account"])
        answer = AICore(account).run_ai_request(
            options["task"], options["prompt"], model=options["model"]
        )
        cost = None if answer.cost is None else money_text(answer.cost)
        tokens = answer.usage._asdict() if answer.usage else None
        if options["json"]:
            self.print_json(
                {
                    "request_id": answer.request_id,
                    **command.resolution_facts(answer.resolution),
                    "answered_by": answer.provider,
                    "model_served": answer.model_served,
                    "usage": tokens,
                    "cost": cost,
                    "finish_reason": answer.finish_reason,
                    "text": answer.text,
                }
            )
            return
        used = ", ".join(f"{count} {name}" for name, count in (tokens or {}).items())
        self.print_rows(
            [
                ("model", f"{answer.model_served}, answered by {answer.provider}"),
                ("why", command.why(answer.resolution)),
                ("used", used.replace("_", " ") or "the provider did not say"),
                ("cost", f"{cost} USD" if cost else "not known"),
                ("receipt", str(answer.request_id)),
            ]
        )
        self.stdout.write(f"\n{answer.text}")

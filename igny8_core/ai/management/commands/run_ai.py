"""`manage.py run_ai`: run one AI request for an account and show its answer and cost."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from igny8_core.ai import words
from igny8_core.ai.ai_core import AICore
from igny8_core.ai.management import base
from igny8_core.ai.providers.base import Image, Vector
from igny8_core.ai.request.answers import Answer
from igny8_core.modules.accounts.models import Account
from igny8_core.modules.system.declared_tasks import known_task
from igny8_core.pricing.meters import ModelType
from igny8_core.pricing.money import money_text


class Command(base.PipelineCommand):
    help = "Run one AI request for an account: pick the model, ask it, price it, keep a receipt."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("account", help="the account's key")
        parser.add_argument("task", help="e.g. generate_content")
        parser.add_argument("--prompt", required=True, help="what to ask")
        parser.add_argument("--model", help="this model and no other")
        base.add_parameters(parser)
        parser.add_argument(
            "--var",
            action="append",
            default=[],
            type=base.pair,
            metavar="NAME=TEXT",
            help="fills in a placeholder of the task's prompt",
        )

    def handle(self, **options: Any) -> None:
        account = Account.objects.by_key(options["account"])
        answer = _ask(AICore(account), options)
        cost = None if answer.cost is None else money_text(answer.cost)
        charge = None if answer.charge is None else money_text(answer.charge)
        meters = dict(answer.meters) if answer.meters else None
        if options["json"]:
            self.print_json(
                {
                    "request_id": answer.request_id,
                    **words.resolution_json(answer.resolution),
                    "answered_by": answer.provider,
                    "model_served": answer.model_served,
                    "meters": meters,
                    "cost": cost,
                    "charge": charge,
                    "finish_reason": answer.finish_reason,
                    "content": answer.content,
                }
            )
            return
        used = ", ".join(f"{quantity} {name}" for name, quantity in (meters or {}).items())
        self.print_rows(
            [
                ("model", f"{answer.model_served}, answered by {answer.provider}"),
                ("why", words.why(answer.resolution)),
                ("used", used.replace("_", " ") or "the provider did not say"),
                ("cost", f"{cost} USD" if cost else "not known"),
                ("charge", f"{charge} USD" if charge else "not known"),
                *([("ended", answer.finish_reason)] if answer.finish_reason else []),
                ("receipt", str(answer.request_id)),
            ]
        )
        self.stdout.write(f"\n{_text(answer.content)}")


def _ask(core: AICore, options: dict[str, Any]) -> Answer[Any]:
    asked = {
        "model": options["model"],
        "variables": dict(options["var"]),
        "parameters": dict(options["param"]),
    }
    task, prompt = options["task"], options["prompt"]
    match known_task(task).model_type:
        case ModelType.TEXT:
            return core.run_ai_request(task, prompt, **asked)
        case ModelType.IMAGE:
            return core.generate_image(prompt, task=task, **asked)
        case ModelType.EMBEDDING:
            return core.embed([prompt], task=task, **asked)


def _text(content: str | tuple[Image, ...] | tuple[Vector, ...]) -> str:
    """The content for a terminal: a picture by address or size, a vector by its first values."""
    if isinstance(content, str):
        return content
    return "\n".join(
        (part.url or f"a picture, {len(part.b64 or '')} characters of base64")
        if isinstance(part, Image)
        else f"a vector of {len(part)} values: {', '.join(f'{value:.4f}' for value in part[:4])} …"
        for part in content
    )

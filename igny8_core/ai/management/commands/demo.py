"""`manage.py demo`: load the demo data once, run the main job for it, and say what to do next."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any, NamedTuple

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import transaction

from flags.management.arguments import BadArguments
from flags.models import Flag, Rule, Segment
from igny8_core.ai.ai_core import AICore
from igny8_core.ai.management.base import PipelineCommand
from igny8_core.catalogue.models import price_of
from igny8_core.modules.accounts.models import Account, Membership, Role
from igny8_core.modules.system.models import AIModel
from igny8_core.pricing.money import money_text

LOGIN = "demo"
ACCOUNTS = (
    {"key": "acme", "name": "Acme GmbH", "plan": "pro", "country": "DE"},
    {"key": "bolt", "name": "Bolt Inc.", "plan": "free", "country": "US"},
    {"key": "cobalt", "name": "Cobalt Media", "plan": "enterprise", "country": "AT"},
    {"key": "dune", "name": "Dune Travel", "plan": "starter", "country": "AE"},
    {"key": "house", "name": "Our own", "plan": "pro", "country": "DE", "is_internal": True},
)
IMAGE_DEFAULT = "dall-e-3"
EMBEDDING_DEFAULT = {
    "model_id": "text-embedding-3-small",
    "display_name": "Text Embedding 3 Small",
    "provider": "openai",
    "model_type": "embedding",
    "input_rate": "0.02",
    "supports_json_mode": False,
    "is_default": True,
    "sort_order": 12,
}
EU_PRO = [
    {"trait": "plan", "op": "in", "values": ["pro"]},
    {"trait": "country", "op": "in", "values": ["DE", "AT"]},
]


class Job(NamedTuple):
    account: str
    task: str
    prompt: str
    model: str | None = None


JOBS = (
    Job("acme", "generate_content", "A guide to choosing road-bike tyres for wet autumn roads."),
    Job("bolt", "auto_cluster", "running shoes, trail shoes, marathon plan, 10k plan, shoe size"),
    Job("cobalt", "generate_ideas", "Espresso machines for small offices.", "gpt-5.2"),
    Job("dune", "generate_image_prompts", "An article about crossing the Liwa desert by camel."),
    Job("house", "generate_content", "Release notes for the week.", "claude-3-haiku"),
)
HEADING = ("account", "plan", "task", "model", "why", "price in/out", "tokens in/out", "cost")
NEXT_STEPS = """
Prices are USD per 1M tokens, costs USD. The answers are offline: no provider was called.

Next:
  make serve                                             the admin, login demo / demo
  .venv/bin/python manage.py resolve acme generate_content --explain
  .venv/bin/python manage.py evaluate long_articles acme --explain
  .venv/bin/python manage.py run_ai bolt generate_ideas --prompt "Cargo bikes"
  .venv/bin/python manage.py quote gpt-5.2 --meter input_tokens=1000 --meter output_tokens=500"""


class Command(PipelineCommand):
    help = "Load the demo data once and run the main job for a handful of demo accounts."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--load-only", action="store_true", help="load the data, run nothing")

    def handle(self, **options: Any) -> None:
        if not settings.DEBUG:
            raise BadArguments(
                "The demo adds a login that everybody knows; it runs with DEBUG=true only."
            )
        if not _is_loaded():
            load()
        if not options["load_only"]:
            self.print_table(HEADING, [_run(job) for job in JOBS])
            self.stdout.write(NEXT_STEPS)


def _is_loaded() -> bool:
    return Account.objects.filter(key__in=[row["key"] for row in ACCOUNTS]).count() == len(ACCOUNTS)


@transaction.atomic
def load() -> None:
    """Add the demo accounts, their login, an image default, an embedding model and a flag.

    What is there already is left as it is.
    """
    users = get_user_model().objects
    user = users.filter(username=LOGIN).first() or users.create_superuser(LOGIN, password=LOGIN)
    for row in ACCOUNTS:
        account, _ = Account.objects.get_or_create(key=row["key"], defaults=row)
        Membership.objects.get_or_create(account=account, user=user, defaults={"role": Role.OWNER})
    if not AIModel.objects.filter(model_type="image", is_default=True).exists():
        AIModel.objects.filter(model_id=IMAGE_DEFAULT).update(is_default=True)
    AIModel.objects.get_or_create(
        model_id=EMBEDDING_DEFAULT["model_id"],
        defaults=EMBEDDING_DEFAULT,
    )
    segment, _ = Segment.objects.get_or_create(key="eu-pro", defaults={"rules": [EU_PRO]})
    flag, is_new = Flag.objects.get_or_create(name="long_articles", defaults={"percent": 20})
    if is_new:
        in_segment = {"op": "segment", "values": [segment.key]}
        Rule.objects.create(flag=flag, name="EU pro", when=[in_segment], serve={"variant": "on"})


def _run(job: Job) -> tuple[str, ...]:
    """Run one job and put it in a row; always offline: the demo spends nobody's money."""
    account = Account.objects.by_key(job.account)
    core = AICore(account, connections={})
    answer = core.run_ai_request(job.task, job.prompt, model=job.model)
    resolved = answer.resolution
    rates = price_of(resolved.model, resolved.at).headline(resolved.model.model_type)
    return (
        account.key,
        account.plan,
        job.task,
        answer.model_served,
        answer.resolution.reason,
        " / ".join(money_text(rate) for rate in rates),
        " / ".join(str(count) for count in (answer.meters or {}).values()),
        "?" if answer.cost is None else money_text(answer.cost),
    )

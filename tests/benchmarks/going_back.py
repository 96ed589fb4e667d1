"""Going back past 300 models and 200 flags, beside 100,000 receipts: `python -m` this.

On SQLite, or on the PostgreSQL that BENCH_DATABASE_URL names.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from decimal import Decimal
from tempfile import TemporaryDirectory
from typing import Final
from uuid import uuid4

import django
from django.core.management import call_command

MODELS: Final = 300
FLAGS: Final = 200
RULES: Final = 5
RECEIPTS: Final = 100_000


def main() -> None:
    with TemporaryDirectory() as folder:
        url = os.environ.get("BENCH_DATABASE_URL") or f"sqlite:///{folder}/bench.sqlite3"
        os.environ |= {"DATABASE_URL": url, "REDIS_URL": "", "DEBUG": "false"}
        os.environ |= {"SECRET_KEY": "s" * 50, "ALLOWED_HOSTS": "localhost"}
        os.environ["DJANGO_SETTINGS_MODULE"] = "igny8_core.settings"
        django.setup()
        call_command("migrate", verbosity=0)
        for name, seconds in going_back_s().items():
            print(f"{name:<60}{seconds:>8.2f} s")


def going_back_s() -> dict[str, float]:
    """Bounds: a preview 1 s, going back 3 s."""
    from flags import preview, publishing

    _fill()
    without = publishing.publish().number
    _add("first")
    first = publishing.publish().number
    _change()
    changed = publishing.publish().number
    return {
        "preview, 300 models and 200 flags differ": _s(lambda: preview.roll_back(first)),
        "go back, 300 models and 200 flags differ": _s(lambda: publishing.roll_back(first)),
        "preview, the newest itself": _s(lambda: preview.roll_back(first)),
        "go forth again": _s(lambda: publishing.roll_back(changed)),
        "preview, 300 models and 200 flags go": _s(lambda: preview.roll_back(without)),
        "go back, 300 models and 200 flags go": _s(lambda: publishing.roll_back(without)),
        "preview, they come again": _s(lambda: preview.roll_back(first)),
        "go back, they come again": _s(lambda: publishing.roll_back(first)),
    }


def _s(do: Callable[[], object]) -> float:
    began = time.perf_counter()
    do()
    return time.perf_counter() - began


def _fill() -> None:
    from igny8_core.ai.ai_core import AICore
    from igny8_core.modules.accounts.models import Account
    from igny8_core.modules.usage.receipts import Receipt

    account = Account.objects.create(key="acme", name="Acme GmbH", plan="pro")
    AICore(account, connections={}).run_ai_request("generate_content", "x" * 100)
    one = Receipt.objects.get()
    names = [field.attname for field in Receipt._meta.concrete_fields if not field.primary_key]
    columns = {name: getattr(one, name) for name in names if name != "request_id"}
    rows = (Receipt(request_id=uuid4(), **columns) for _ in range(RECEIPTS))
    Receipt.objects.bulk_create(rows, batch_size=1_000)


def _add(note: str) -> None:
    from django.db import transaction

    from flags.models import Flag, Rule, Variant
    from igny8_core.modules.system.models import AIModel

    with transaction.atomic():
        for number in range(MODELS):
            AIModel.objects.create(
                model_id=f"m-{number}",
                display_name=note,
                provider="openai",
                model_type="text",
                input_rate=Decimal(1),
                output_rate=Decimal(number + 1),
            )
        for number in range(FLAGS):
            flag = Flag.objects.create(name=f"f-{number}", kind="str", note=note)
            Variant.objects.create(flag=flag, key="a", value="a")
            for at in range(RULES):
                when = [{"trait": "plan", "op": "in", "values": [f"p{at}"]}]
                Rule.objects.create(flag=flag, position=at, when=when, serve={"variant": "a"})


def _change() -> None:
    from django.db import transaction

    from flags.models import Flag, Rule
    from igny8_core.modules.system.models import AIModel

    with transaction.atomic():
        for model in AIModel.objects.filter(model_id__startswith="m-"):
            model.display_name, model.output_rate = "changed", model.output_rate * 2
            model.save()
        for flag in Flag.objects.filter(name__startswith="f-"):
            flag.salt = f"{flag.name}-2"
            flag.save()
        for rule in Rule.objects.filter(position=RULES - 1):
            rule.when = [{"trait": "plan", "op": "in", "values": ["other"]}]
            rule.save()


if __name__ == "__main__":
    main()

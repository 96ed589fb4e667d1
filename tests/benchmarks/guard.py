"""Which of 100,000 accounts a change leaves without a model: `python -m` this.

On SQLite, or on the PostgreSQL that BENCH_DATABASE_URL names.
"""

from __future__ import annotations

import os
import time
from tempfile import TemporaryDirectory
from typing import Final

import django
from django.core.management import call_command

MANY: Final = 100_000
FEW: Final = 1_000


def main() -> None:
    with TemporaryDirectory() as folder:
        url = os.environ.get("BENCH_DATABASE_URL") or f"sqlite:///{folder}/bench.sqlite3"
        os.environ |= {"DATABASE_URL": url, "REDIS_URL": "", "DEBUG": "false"}
        os.environ |= {"SECRET_KEY": "s" * 50, "ALLOWED_HOSTS": "localhost"}
        os.environ["DJANGO_SETTINGS_MODULE"] = "igny8_core.settings"
        django.setup()
        call_command("migrate", verbosity=0)
        for name, seconds in guard_s().items():
            print(f"{name:<60}{seconds:>8.3f} s")


def guard_s() -> dict[str, float]:
    """Bounds: one task and 100,000 accounts 5 s, 1,000 accounts 0.2 s."""
    from flags import publishing
    from igny8_core.modules.accounts.models import Account
    from igny8_core.modules.system.models import AIModel

    image = AIModel.objects.get(model_id="dall-e-3")
    image.make_default()
    figures = {}
    for count in (FEW, MANY):
        there = Account.objects.count()
        accounts = (
            Account(key=f"k{number}", name="x", plan="free") for number in range(there, count)
        )
        Account.objects.bulk_create(accounts, batch_size=1_000)
        publishing.publish()
        for name, model_id in (("one task", "dall-e-3"), ("four tasks", "gpt-4o-mini")):
            figures[f"{count:,} accounts, {name}"] = _asked_s(model_id)
    return figures


def _asked_s(model_id: str) -> float:
    """The whole look, however long: an operator's stop waits two seconds of it at most."""
    from django.db import transaction

    from flags import publishing
    from igny8_core.console import guard
    from igny8_core.console.question import question
    from igny8_core.modules.system.models import AIModel

    with transaction.atomic():
        with publishing.change(author="ann") as made:
            AIModel.objects.filter(model_id=model_id).update(is_active=False)
        transaction.set_rollback(True)
    if made.before is None or made.after is None:
        raise AssertionError(model_id)
    began = time.perf_counter()
    asked = question(made.before, made.after, frozenset())
    if asked is None:
        raise AssertionError(model_id)
    told = guard.taken(asked, 60.0, lambda _looked, _of: None)
    seconds = time.perf_counter() - began
    print("  ", told[0])
    return seconds


if __name__ == "__main__":
    main()

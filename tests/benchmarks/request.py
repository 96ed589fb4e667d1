"""A warm request on the offline provider beside one committed receipt, and a streamed piece.

`python -m tests.benchmarks.request`: on SQLite; with DATABASE_URL, on that database's server, in
that database. Both are durable as shipped. Where litellm is installed, its mocked completion
is measured beside them.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

ROOT = Path(__file__).resolve().parents[2]
ROUNDS = 400


def median_us(do: Callable[[], object]) -> float:
    took = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        do()
        took.append(time.perf_counter() - began)
    return statistics.median(took) * 1_000_000


def measure() -> None:
    import django

    django.setup()
    from igny8_core.ai.ai_core import AICore
    from igny8_core.modules.accounts.models import Account
    from igny8_core.modules.usage.models import Receipt

    account = Account.objects.create(key=f"a-{uuid4().hex}", name="A")
    core = AICore(account)
    core.run_ai_request("generate_content", "About tyres.")
    receipt = Receipt.objects.get(account=account)

    def one_receipt() -> None:
        receipt.pk, receipt.request_id = None, uuid4()
        receipt.save(force_insert=True)

    one_us = median_us(one_receipt)
    request_us = median_us(lambda: core.run_ai_request("generate_content", "About tyres."))
    print(f"one committed receipt: {one_us:,.0f} µs")
    print(f"a warm request:        {request_us:,.0f} µs, {request_us / one_us:.2f} receipts")
    pieces = sum(1 for _ in core.stream_ai_request("generate_content", "About tyres."))
    streamed_us = median_us(lambda: [*core.stream_ai_request("generate_content", "About tyres.")])
    print(f"a streamed piece adds: {(streamed_us - request_us) / pieces:,.1f} µs, of {pieces}")
    try:
        import litellm  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        return
    said = [{"role": "user", "content": "About tyres."}]
    peer_us = median_us(
        lambda: litellm.completion(model="gpt-4o-mini", messages=said, mock_response="Round.")
    )
    print(f"litellm's mocked completion, which keeps nothing: {peer_us:,.0f} µs")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        env = {
            "DATABASE_URL": f"sqlite:///{folder}/db.sqlite3",
            **os.environ,
            "REDIS_URL": "",
            "AI_SPOOL": f"{folder}/spool",
            "SECRET_KEY": "s" * 50,
            "DEBUG": "false",
            "DJANGO_SETTINGS_MODULE": "igny8_core.settings",
        }
        for words in (["manage.py", "migrate", "--verbosity", "0"], ["-m", __spec__.name, "own"]):
            subprocess.run([sys.executable, *words], env=env, cwd=ROOT, check=True)  # noqa: S603


if __name__ == "__main__":
    measure() if sys.argv[1:] == ["own"] else main()

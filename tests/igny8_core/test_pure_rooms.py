"""The pure floor of the pipeline runs where there is no Django at all."""

from __future__ import annotations

import subprocess
import sys
from decimal import Decimal
from pathlib import Path

from tests.conftest import ROOT, environment

FRAMEWORKS = ("django", "rest_framework", "waffle", "constance", "redis", "openai")
PROGRAM = f"""
import sys
from datetime import UTC, datetime
from igny8_core import errors
from igny8_core.catalogue import fallback, models, names, problems, section
from igny8_core.pricing import conditions, meters, money, prices, quotes
from igny8_core.tasks import needs, parameters, prompts, tasks
at = datetime.now(UTC)
price = models.price_of(fallback.FALLBACK_MODELS["gpt-4o"], at)
print(quotes.quote(price, {{"input_tokens": 2}}, at=at).cost)
print([name for name in {FRAMEWORKS} if name in sys.modules])
"""


def test_floor__imported_alone__prices_and_brings_no_framework() -> None:
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
        cwd=ROOT,
    )
    cost, frameworks = done.stdout.splitlines()
    assert (Decimal(cost), frameworks) == (Decimal("0.000005"), "[]")


SDKS = ("openai", "httpx2", "anthropic", "google.genai", "runware")
START = f"""
import sys
import django
django.setup()
import igny8_core.ai.ai_core
print([name for name in {SDKS} if name in sys.modules])
"""


def test_start__of_the_pipeline__brings_no_providers_sdk(tmp_path: Path) -> None:
    env = {**environment(tmp_path / "none"), "DJANGO_SETTINGS_MODULE": "igny8_core.settings"}
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", START],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
        cwd=ROOT,
        env=env,
    )
    assert done.stdout.strip() == "[]"

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from django.core.management import call_command
from pytest_django import Settings
from pytest_httpserver import HTTPServer

from flags.management.arguments import BadArguments
from flags.models import Flag, Rule, Variant
from igny8_core.modules.accounts.models import Account
from igny8_core.modules.system.models import (
    AIModel,
    GlobalIntegrationSettings,
    ModelPrice,
    ProviderKey,
)
from igny8_core.modules.usage.models import Receipt
from tests.conftest import ENCRYPTION_KEY, ROOT, Manage, environment, point
from tests.igny8_core.ai.test_ai_core import completion


def _output(capsys: pytest.CaptureFixture[str], *args: str) -> str:
    call_command(*args)
    return capsys.readouterr().out


def test_resolve__json__has_the_stable_keys(
    acme: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    facts = json.loads(
        _output(
            capsys,
            "resolve",
            "acme",
            "generate_content",
            "--json",
            "--explain",
            "--at=2026-12-01T00:00:00Z",
        )
    )
    trail = facts.pop("trail")
    assert isinstance(facts.pop("revision"), int)
    assert [step["verdict"] for step in facts["markup"].pop("trail")] == ["NO_VARIANT"]
    assert facts == {
        "account": "acme",
        "task": "generate_content",
        "model": "gpt-4o-mini",
        "provider": "openai",
        "model_type": "text",
        "reason": "TYPE_DEFAULT",
        "at": "2026-12-01T00:00:00+00:00",
        "currency": "USD",
        "rates": [
            {"meter": "input_tokens", "amount": "0.15", "per": 1_000_000},
            {"meter": "output_tokens", "amount": "0.60", "per": 1_000_000},
            {"meter": "cached_input_tokens", "amount": "0.075", "per": 1_000_000},
        ],
        "flag": None,
        "rule": None,
        "replaces": None,
        "fallbacks": [],
        "markup": {
            "percent": "0",
            "flag": "pricing.markup_percent",
            "reason": "ABSTAINED",
            "rule": None,
        },
        "parameters": {},
    }
    assert [(step["candidate"], step["flag"], step["refusal"]) for step in trail] == [
        ("PREFERENCE", None, "NO_PREFERENCE"),
        ("DEFAULT", "generate_content", "ABSTAINED"),
        ("DEFAULT", "text", "ABSTAINED"),
        ("TYPE_DEFAULT", None, None),
    ]
    assert set(trail[1]) == {
        "candidate",
        "model_id",
        "refusal",
        "why",
        "flag",
        "successor",
        "decision",
    }


def test_resolve__plain__says_model_why_and_price(
    acme: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    text = _output(capsys, "resolve", "acme", "generate_content", "--explain")
    assert "GPT-4o Mini (gpt-4o-mini)" in text
    assert "TYPE_DEFAULT: it is the default for text" in text
    assert "0.15 per 1M input tokens" in text
    assert "TYPE_DEFAULT gpt-4o-mini: taken" in text


def test_resolve__constants__says_so(acme: Account, capsys: pytest.CaptureFixture[str]) -> None:
    AIModel.objects.all().delete()
    text = _output(capsys, "resolve", "acme", "generate_images", "--explain")
    assert "TYPE_DEFAULT (none): passed over: the catalogue is empty" in text
    assert "0.04 per images" not in text
    assert "0.04 per image" in text


def test_run_ai__offline__prints_answer_and_keeps_a_receipt(
    acme: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    text = _output(
        capsys, "run_ai", "acme", "generate_content", "--prompt=Tyres", "--model=gpt-5.2"
    )
    receipt = Receipt.objects.get()
    assert "gpt-5.2, answered by offline" in text
    assert "PINNED: the caller asked for it" in text
    assert str(receipt.request_id) in text
    assert "[offline answer" in text


def test_run_ai__json__has_the_stable_keys(
    acme: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    facts = json.loads(_output(capsys, "run_ai", "acme", "auto_cluster", "--prompt=x", "--json"))
    assert set(facts) == {
        "request_id",
        "account",
        "task",
        "model",
        "provider",
        "model_type",
        "reason",
        "at",
        "currency",
        "rates",
        "flag",
        "rule",
        "replaces",
        "revision",
        "fallbacks",
        "markup",
        "answered_by",
        "model_served",
        "meters",
        "cost",
        "charge",
        "finish_reason",
        "content",
    }
    assert facts["meters"].keys() == {"input_tokens", "output_tokens"}
    assert isinstance(facts["cost"], str)


@pytest.mark.django_db
def test_quote__json__has_lines_and_cost_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    facts = json.loads(
        _output(
            capsys,
            "quote",
            "gpt-5.2",
            "--meter=input_tokens=1000",
            "--meter=output_tokens=500",
            "--json",
            "--at=2026-12-01",
        )
    )
    assert facts == {
        "model": "gpt-5.2",
        "at": "2026-12-01T00:00:00+00:00",
        "currency": "USD",
        "lines": [
            {
                "meter": "input_tokens",
                "quantity": 1000,
                "rate": "1.75",
                "per": 1_000_000,
                "amount": "0.00175",
            },
            {
                "meter": "output_tokens",
                "quantity": 500,
                "rate": "14.00",
                "per": 1_000_000,
                "amount": "0.007",
            },
        ],
        "cost": "0.00875",
        "charge": "0.00875",
        "markup": None,
        "price_from": ModelPrice.objects.get(model__model_id="gpt-5.2").effective_from.isoformat(),
    }


@pytest.mark.django_db
def test_quote__plain__shows_each_line(capsys: pytest.CaptureFixture[str]) -> None:
    text = _output(capsys, "quote", "dall-e-3", "--meter=images=3")
    assert "3 at 0.04 per image = 0.12" in text
    assert "0.12 USD" in text


REFUSALS = [
    (["resolve", "nobody", "generate_content"], 1, "There is no account 'nobody'."),
    (["resolve", "acme", "write"], 1, "There is no task 'write'."),
    (
        ["resolve", "acme", "generate_content", "--model=nope"],
        1,
        "Model 'nope' is not supported. Available models: ['gpt-4o-mini',",
    ),
    (["resolve", "acme", "generate_content", "--needs=vision"], 1, "No usable model for account"),
    (["quote", "nope", "--meter=input_tokens=1"], 1, "There is no model 'nope'."),
    (["quote", "gpt-4o", "--meter=tokens=1"], 1, "There is no meter 'tokens'."),
    (["quote", "gpt-4o", "--meter=images=1"], 1, "Model 'gpt-4o' has no price for images."),
    (["quote", "gpt-4o", f"--meter=input_tokens={10**18}"], 1, "input_tokens is 1000000000"),
    (["run_ai", "acme", "generate_content", "--prompt="], 1, "The prompt is empty."),
    (["run_ai", "acme", "write", "--prompt=x"], 1, "There is no task 'write'."),
]
BAD_USAGE = [
    (["resolve", "acme"], "required: task"),
    (["resolve", "acme", "generate_content", "--at=yesterday"], "'yesterday' is not a moment"),
    (
        ["resolve", "acme", "generate_content", "--at=0001-01-01T00:00:00+14:00"],
        "is not a moment",
    ),
    (["resolve", "acme", "generate_content", "--needs=speed"], "There is no need 'speed'."),
    (
        ["quote", "gpt-4o", "--meter=images=1", "--markup=1", "--account=acme"],
        "not allowed with argument",
    ),
    (["resolve", "acme", "generate_content", "--needs=vision=1"], "'vision=1' is not json_mode"),
    (["resolve", "acme", "generate_content", "--needs=context_tokens=x"], "'context_tokens=x'"),
    (["quote", "gpt-4o"], "required: --meter"),
    (["quote", "gpt-4o", "--meter=images=1", "--markup=x"], "'x' is not a number of percent"),
    (["quote", "gpt-4o", "--meter=images=1", "--processing=Slow"], "Slow"),
    (["quote", "gpt-4o", "--meter=input_tokens"], "'input_tokens' is not METER=QUANTITY"),
    (["quote", "gpt-4o", "--meter=input_tokens=-1"], "'input_tokens=-1' is not METER=QUANTITY"),
    (["quote", "gpt-4o", "--meter=input_tokens=1.5"], "is not METER=QUANTITY"),
    (["quote", "gpt-4o", "--meter=images=1", "--meter=images=2"], "A meter is given twice"),
    (["run_ai", "acme", "generate_content"], "required: --prompt"),
]


@pytest.mark.parametrize(("args", "status", "sentence"), REFUSALS, ids=lambda x: str(x)[:60])
def test_command__refused__one_sentence_on_stderr_and_exit_1(
    manage: Manage, args: list[str], status: int, sentence: str
) -> None:
    done = manage(*args)
    assert (done.returncode, done.stdout) == (status, "")
    assert done.stderr.startswith(sentence)
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("args", "error"),
    [
        (["resolve", "nobody", "generate_content"], "unknown_account"),
        (["resolve", "acme", "write"], "unknown_task"),
        (["resolve", "acme", "generate_content", "--revision=99"], "unknown_revision"),
        (["evaluate", "nope", "nobody"], "unknown_account"),
    ],
)
def test_command__refused_as_json__is_an_object_on_stdout(
    manage: Manage, args: list[str], error: str
) -> None:
    done = manage(*args, "--json")
    told = json.loads(done.stdout)
    assert (done.returncode, told["error"]) == (1, error)
    assert done.stderr.strip() == told["message"]


def test_command__whose_reader_goes_away__ends_quietly(tmp_path: Path) -> None:
    env = {**environment(tmp_path / "none.sqlite3"), "PATH": os.environ["PATH"]}
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "manage.py", "flags_schema"]
    done = subprocess.run(  # noqa: S603 - our own command
        command, cwd=ROOT, env=env, stdout=write, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize(("args", "sentence"), BAD_USAGE, ids=lambda x: str(x)[:60])
def test_command__bad_usage__exit_2(manage: Manage, args: list[str], sentence: str) -> None:
    done = manage(*args)
    assert (done.returncode, done.stdout) == (2, "")
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_resolve__refused_with_explain__the_trail_is_on_stderr(manage: Manage) -> None:
    done = manage("resolve", "acme", "generate_content", "--needs=vision", "--explain")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-2] == (
        "TYPE_DEFAULT gpt-4o-mini: passed over: it takes no images as input"
    )


def test_resolve__refused_as_json__the_trail_is_on_stdout(manage: Manage) -> None:
    done = manage("resolve", "acme", "generate_content", "--needs=vision", "--json")
    told = json.loads(done.stdout)
    assert (done.returncode, told["error"]) == (1, "no_usable_model")
    assert told["trail"][-1]["why"] == "it takes no images as input"
    assert done.stderr.strip() == told["message"]


def test_quote__account__has_its_markup_and_what_decided(
    acme: Account,
    capsys: pytest.CaptureFixture[str],
) -> None:
    flag = Flag.objects.get(name="pricing.markup_percent")
    Variant.objects.create(flag=flag, key="half", value=50)
    Rule.objects.create(flag=flag, serve={"variant": "half"})
    arguments = ["quote", "gpt-4o", "--meter=input_tokens=1000000", "--account", acme.key]
    assert "50 %, by RULE r1 of the flag pricing.markup_percent" in _output(capsys, *arguments)
    told = json.loads(_output(capsys, *arguments, "--json"))
    by = {"flag": "pricing.markup_percent", "reason": "RULE", "rule": "r1"}
    assert told["markup"] == {"percent": "50", **by}
    assert Decimal(told["charge"]) == Decimal(told["cost"]) * Decimal("1.5")


def test_needs__all_of_them__are_read(manage: Manage) -> None:
    done = manage(
        "resolve",
        "acme",
        "generate_content",
        "--model=gpt-5.2",
        "--needs=json_mode,context_tokens=9000",
    )
    assert done.returncode == 0, done.stderr


def test_command__database_away__one_sentence_and_exit_1(manage_process: Manage) -> None:
    done = manage_process(
        "resolve", "acme", "generate_content", DATABASE_URL="postgres://x@127.0.0.1:9/x"
    )
    assert done.returncode == 1
    assert done.stderr.startswith("The database cannot be used: ")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.django_db
def test_demo__run_twice__loads_once_and_leaves_edits_alone(
    settings: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.DEBUG = True  # type: ignore[attr-defined]
    first = _output(capsys, "demo")
    AIModel.objects.filter(model_id="dall-e-3").update(is_default=False)
    Account.objects.filter(key="acme").update(plan="gold")
    second = _output(capsys, "demo")
    assert not AIModel.objects.filter(model_type="image", is_default=True).exists()
    assert first.replace("pro  ", "gold ", 1) == second
    assert Receipt.objects.count() == 10
    assert AIModel.objects.get(model_type="embedding").is_default
    for row in ("acme", "bolt", "cobalt", "dune", "house"):
        assert f"\n{row}" in first


@pytest.mark.django_db
def test_demo__debug_off__is_refused() -> None:
    with pytest.raises(BadArguments, match="everybody knows"):
        call_command("demo")
    assert not Account.objects.exists()


def test_set_key__from_standard_input__is_kept_shown_masked_and_removed(manage: Manage) -> None:
    key = "sk-planted-0123456789"
    done = manage("set_key", "openai", "--account=acme", stdin=f"{key}\n")
    assert (done.returncode, done.stdout) == (0, "openai of acme: sk-…6789\n")
    done = manage("set_key", "openai", "--json", stdin=key)
    assert json.loads(done.stdout) == {"provider": "openai", "account": None, "key": "sk-…6789"}
    done = manage("set_key", "openai", "--account=acme", "--remove")
    assert done.stdout == "openai of acme: none\n"


def test_set_key__nothing_given__is_bad_usage_and_the_key_stays(manage: Manage) -> None:
    manage("set_key", "openai", stdin="sk-planted-0123456789")
    done = manage("set_key", "openai", "--account=", stdin="sk-other")
    assert (done.returncode, done.stderr) == (1, "There is no account ''.\n")
    done = manage("set_key", "openai", stdin="")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("No key was given")
    assert json.loads(manage("rotate_keys", "--json").stdout) == {"rotated": 1}


def test_rotate_keys__new_key_in_front__the_old_one_can_go(
    manage: Manage, settings: Settings
) -> None:
    old, new = ENCRYPTION_KEY, Fernet.generate_key().decode()
    manage("set_key", "openai", "--account=acme", stdin="sk-planted-0123456789")
    manage("set_key", "google", stdin="planted-0123456789")
    settings.ENCRYPTION_KEYS = [new, old]
    done = manage("rotate_keys")
    assert done.stdout == "2 keys rotated; the other ENCRYPTION_KEYS can go now.\n"
    settings.ENCRYPTION_KEYS = [new]
    assert json.loads(manage("rotate_keys", "--json").stdout) == {"rotated": 2}
    settings.ENCRYPTION_KEYS = [old]
    done = manage("rotate_keys")
    assert done.returncode == 1
    assert re.match("The key of (acme|the platform) for (openai|google) was enc", done.stderr)
    assert {row.is_readable for row in ProviderKey.objects.all()} == {False}
    settings.ENCRYPTION_KEYS = [new]
    assert {row.is_readable for row in ProviderKey.objects.all()} == {True}


def test_demo__refused__exit_2_and_one_sentence(manage: Manage) -> None:
    done = manage("demo")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("The demo adds a login that everybody knows")


# test_model


@pytest.fixture
def reachable(httpserver: HTTPServer) -> HTTPServer:
    point("openai", httpserver.url_for("/v1"))
    row = GlobalIntegrationSettings()
    row.openai_api_key = "sk-planted-0123456789"
    row.save()
    return httpserver


def test_test_model__that_answers__says_how_fast_and_what_it_costs(
    manage: Manage, reachable: HTTPServer
) -> None:
    AIModel.objects.filter(model_id="gpt-4o").update(is_active=False)
    reachable.expect_request("/v1/chat/completions").respond_with_json(
        completion(model="gpt-4o-2024-08-06", usage={"prompt_tokens": 20, "completion_tokens": 2})
    )
    done = manage("test_model", "gpt-4o")
    assert done.returncode == 0, done.stderr
    assert "model  gpt-4o, answered as gpt-4o-2024-08-06" in done.stdout
    assert "used   20 input tokens, 2 output tokens" in done.stdout
    assert "cost   0.00007 USD" in done.stdout
    told = json.loads(manage("test_model", "gpt-4o", "--json").stdout)
    assert (told["cost"], told["latency_ms"] >= 0, told["meters"]["input_tokens"]) == (
        "0.00007",
        True,
        20,
    )
    assert not Receipt.objects.exists()


def test_test_model__that_does_not__is_one_sentence(manage: Manage, reachable: HTTPServer) -> None:
    reachable.expect_request("/v1/chat/completions").respond_with_data("", status=529)
    done = manage("test_model", "gpt-4o")
    assert done.returncode == 1
    assert done.stderr.endswith("Provider 'openai' is overloaded (HTTP 529).\n")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["nope"], "There is no model 'nope'."),
        (
            ["claude-3-haiku"],
            "Provider 'anthropic' has no key, and offline answers are turned off.",
        ),
        (["gpt-4o", "--account", "nobody"], "nobody"),
    ],
)
def test_test_model__that_cannot_be_called__says_why(
    manage: Manage, words: list[str], sentence: str
) -> None:
    done = manage("test_model", *words)
    assert (done.returncode, sentence in done.stderr) == (1, True)

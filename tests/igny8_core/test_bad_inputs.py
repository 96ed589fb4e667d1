"""Every kind of bad input, in code, by command and in a form: a code and a sentence each."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple

import pytest
from django.test import Client
from django.utils import timezone

from flags.accounts.reading import UnknownAccount
from flags.engine.times import UnreadableMoment, parse_moment
from igny8_core.ai.ai_core import AICore
from igny8_core.ai.model_registry import ModelRegistry
from igny8_core.ai.resolver import resolve
from igny8_core.catalogue.fallback import FALLBACK_MODELS
from igny8_core.catalogue.models import price_of
from igny8_core.errors import AIError
from igny8_core.modules.accounts.models import Account
from igny8_core.modules.system.models import AIModel, GlobalAIPrompt, GlobalIntegrationSettings
from igny8_core.pricing import quotes
from igny8_core.tasks.needs import parse_needs
from tests.conftest import Manage
from tests.igny8_core.test_admin import form, preview

PROMPT = "generate_content"
LONG = "x" * 600_000
SETTINGS = "/admin/system/globalintegrationsettings/1/change/"
OWN = "/admin/system/integrationsettings/add/"
GLOBAL_PROMPT = "/admin/system/globalaiprompt/add/"


class Bad(NamedTuple):
    """`form` is the page, the field and the value; `status` the command's."""

    name: str
    code: str
    sentence: str
    call: Callable[[Account], object]
    command: list[str] | None = None
    status: int = 1
    form: tuple[str, str, str] | None = None


def _quote(quantity: Any, meter: str = "input_tokens") -> Callable[[Account], object]:
    at = timezone.now()
    price = price_of(FALLBACK_MODELS["gpt-4o"], at)
    return lambda _account: quotes.quote(price, {meter: quantity}, at=at)


def _rate(value: Any) -> Callable[[Account], object]:
    return lambda _account: AIModel.objects.filter(model_id="gpt-4o").update(input_rate=value)


def _run(**options: Any) -> Callable[[Account], object]:
    return lambda account: AICore(account, connections={}).run_ai_request(
        PROMPT, **{"prompt": "x", **options}
    )


MODEL = "/admin/system/aimodel/{pk}/change/"
TABLE = [
    Bad(
        "unknown account",
        "unknown_account",
        "'nobody'",
        lambda _account: Account.objects.by_key("nobody"),
        ["resolve", "nobody", PROMPT],
        form=(OWN, "account", "999"),
    ),
    Bad(
        "unknown task",
        "unknown_task",
        "'write'",
        lambda account: resolve(account, "write"),
        ["resolve", "acme", "write"],
        form=(GLOBAL_PROMPT, "task", "write"),
    ),
    Bad(
        "unknown model",
        "model_not_available",
        "'gpt-9'",
        lambda account: resolve(account, PROMPT, model="gpt-9"),
        ["resolve", "acme", PROMPT, "--model=gpt-9"],
        form=(OWN, "text_model", "999"),
    ),
    Bad(
        "unknown model to price",
        "unknown_model",
        "'gpt-9'",
        lambda _account: ModelRegistry.calculate_cost("gpt-9", 1, 1),
        ["quote", "gpt-9", "--meter=input_tokens=1"],
    ),
    Bad(
        "unknown need",
        "unknown_need",
        "'speed'",
        lambda _account: parse_needs("json_mode,speed"),
        ["resolve", "acme", PROMPT, "--needs=json_mode,speed"],
        status=2,
    ),
    Bad(
        "need with a value that makes no sense",
        "invalid_need",
        "'context_tokens=-1'",
        lambda _account: parse_needs("context_tokens=-1"),
        ["resolve", "acme", PROMPT, "--needs=context_tokens=-1"],
        status=2,
    ),
    Bad(
        "unknown meter",
        "unknown_meter",
        "'tokens'",
        _quote(1, "tokens"),
        ["quote", "gpt-4o", "--meter=tokens=1"],
    ),
    Bad(
        "unknown parameter",
        "unknown_parameter",
        "'speed'",
        _run(parameters={"speed": 1}),
        ["run_ai", "acme", PROMPT, "--prompt=x", "--param=speed=1"],
    ),
    Bad(
        "parameter out of bounds",
        "invalid_parameter",
        "temperature is 3",
        _run(parameters={"temperature": 3}),
        ["run_ai", "acme", PROMPT, "--prompt=x", "--param=temperature=3"],
        form=(SETTINGS, "temperature", "3"),
    ),
    Bad(
        "negative tokens",
        "invalid_quantity",
        "input_tokens is -1",
        _quote(-1),
        ["quote", "gpt-4o", "--meter=input_tokens=-1"],
        status=2,
        form=("preview", "input_tokens", "-1"),
    ),
    Bad(
        "tokens that are no number",
        "invalid_quantity",
        "input_tokens is nan",
        _quote(float("nan")),
        ["quote", "gpt-4o", "--meter=input_tokens=nan"],
        status=2,
        form=("preview", "input_tokens", "nan"),
    ),
    Bad(
        "absurd tokens",
        "invalid_quantity",
        f"input_tokens is {10**18}",
        _quote(10**18),
        ["quote", "gpt-4o", f"--meter=input_tokens={10**18}"],
        form=("preview", "input_tokens", str(10**18)),
    ),
    Bad(
        "negative rate",
        "invalid_rate",
        "input_rate is '-1'",
        _rate("-1"),
        form=(MODEL, "input_rate", "-1"),
    ),
    Bad(
        "rate that is no number",
        "invalid_rate",
        "input_rate is 'NaN'",
        _rate("NaN"),
        form=(MODEL, "input_rate", "NaN"),
    ),
    Bad(
        "absurd rate",
        "invalid_rate",
        "input_rate is '1000000'",
        _rate("1000000"),
        form=(MODEL, "input_rate", "1000000"),
    ),
    Bad(
        "unreadable date",
        "invalid_moment",
        "'yesterday'",
        lambda _account: parse_moment("yesterday"),
        ["resolve", "acme", PROMPT, "--at=yesterday"],
        status=2,
    ),
    Bad(
        "date without a zone",
        "invalid_moment",
        "2026-12-01T00:00:00 is not a moment",
        lambda account: resolve(account, PROMPT, at=datetime(2026, 12, 1)),  # noqa: DTZ001
    ),
    Bad(
        "key for an unknown provider",
        "unknown_provider",
        "'nobody'",
        lambda _account: GlobalIntegrationSettings().set_key("nobody", "sk-1"),
        ["set_key", "nobody"],
    ),
    Bad(
        "key that no header carries",
        "invalid_key",
        "printable ASCII",
        lambda _account: GlobalIntegrationSettings().set_key("openai", "a b"),
        ["set_key", "openai"],
        form=(SETTINGS, "openai_api_key", "a b"),
    ),
    Bad(
        "prompt over the model's context",
        "prompt_too_long",
        "'gpt-4o-mini' holds 128000",
        _run(prompt=LONG),
        ["run_ai", "acme", PROMPT, f"--prompt={LONG}"],
    ),
    Bad(
        "placeholder that is not declared",
        "unknown_placeholder",
        "'tone'",
        lambda _account: GlobalAIPrompt.objects.create(task=PROMPT, template="{{tone}}"),
        ["run_ai", "acme", PROMPT, "--prompt=x", "--var=tone=dry"],
        form=(GLOBAL_PROMPT, "template", "{{tone}}"),
    ),
]


@pytest.mark.parametrize("bad", TABLE, ids=lambda bad: bad.name)
def test_bad_input__in_code__is_an_error_with_a_code_and_the_value(acme: Account, bad: Bad) -> None:
    with pytest.raises((AIError, UnknownAccount, UnreadableMoment)) as caught:
        bad.call(acme)
    assert getattr(caught.value, "code", None) == bad.code
    assert bad.sentence in str(caught.value)


@pytest.mark.parametrize("bad", [bad for bad in TABLE if bad.command], ids=lambda bad: bad.name)
def test_bad_input__by_command__is_a_sentence_on_stderr(manage: Manage, bad: Bad) -> None:
    done = manage(*(bad.command or []), stdin="a b\n")
    assert (done.returncode, done.stdout) == (bad.status, "")
    assert "Traceback" not in done.stderr
    sentence = bad.sentence.removeprefix("input_tokens is ") if bad.status != 1 else bad.sentence
    assert sentence in done.stderr


@pytest.mark.django_db
@pytest.mark.parametrize("bad", [bad for bad in TABLE if bad.form], ids=lambda bad: bad.name)
def test_bad_input__in_a_form__is_refused_on_its_field(admin_client: Client, bad: Bad) -> None:
    url, field, value = bad.form or ("", "", "")
    url = url.replace("{pk}", str(AIModel.objects.get(model_id="gpt-4o").pk))
    if url == "preview":
        text = preview(admin_client, **{field: value})
        assert "Input tokens: " in text
        assert "This call" not in text
        return
    page = admin_client.post(url, form(admin_client, url, **{field: value}))
    assert page.status_code == 200
    assert field in page.context["adminform"].form.errors

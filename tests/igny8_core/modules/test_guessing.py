"""Passwords cannot be guessed quickly, by the login or by the API, and who guesses is told when."""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from secrets import randbelow
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.core.cache import cache, caches
from django.core.exceptions import PermissionDenied
from django.test import Client, RequestFactory
from pytest_django import Settings

from igny8_core.modules.accounts import guessing
from igny8_core.modules.accounts.guessing import (
    MOST_FOR_NAME,
    MOST_FROM_ADDRESS,
    WINDOW_S,
    ThrottledLogins,
)
from tests.conftest import Manage

LOGIN = "/admin/login/"
HERE = THERE = ""


@pytest.fixture(autouse=True)
def ann(db: None, monkeypatch: pytest.MonkeyPatch) -> User:
    """A test guesses from addresses of its own: a cache server remembers those of others."""
    own = f"10.{randbelow(256)}.{randbelow(256)}"
    monkeypatch.setattr(sys.modules[__name__], "HERE", f"{own}.1")
    monkeypatch.setattr(sys.modules[__name__], "THERE", f"{own}.2")
    return User.objects.create_user("ann", password="right", is_staff=True)


def log_in(name: str = "ann", password: str = "wrong", **where: Any) -> Any:  # noqa: S107 - no secret
    sent = {"username": name, "password": password}
    return Client().post(LOGIN, sent, **{"REMOTE_ADDR": HERE, **where})


def guess(times: int, **options: Any) -> None:
    for _ in range(times):
        assert log_in(**options).status_code == 200


def test_login__after_ten_wrong_passwords__is_not_tried_and_says_when_to_try_again() -> None:
    guess(MOST_FOR_NAME)
    answer = log_in(password="right")
    assert (answer.status_code, "_auth_user_id" in answer.client.session) == (429, False)
    assert "Too many wrong passwords. Try again in 15 minutes." in answer.content.decode()
    assert WINDOW_S - 60 < int(answer["Retry-After"]) <= WINDOW_S


def test_login__one_wrong_password_fewer__is_tried() -> None:
    guess(MOST_FOR_NAME - 1)
    assert log_in(password="right").status_code == 302


def test_login__another_address_or_name__is_tried() -> None:
    guess(MOST_FOR_NAME)
    assert log_in(password="right", REMOTE_ADDR=THERE).status_code == 302
    User.objects.create_user("bob", password="right", is_staff=True)
    assert log_in("bob", "right").status_code == 302


def test_login__name_in_other_letters_or_address_of_the_same_network__is_the_same() -> None:
    network = f"2001:db8:{randbelow(65536):x}"
    guess(MOST_FOR_NAME, REMOTE_ADDR=f"{network}::1")
    assert log_in("ANN", REMOTE_ADDR=f"{network}::2").status_code == 429
    assert log_in(REMOTE_ADDR=f"{network}:1::1").status_code == 200


def test_login__many_names_from_one_address__are_not_tried() -> None:
    for number in range(MOST_FROM_ADDRESS):
        assert log_in(f"name{number}").status_code == 200
    assert log_in(password="right").status_code == 429


def test_login__when_the_time_is_over__is_tried() -> None:
    guess(MOST_FOR_NAME)
    with time_machine.travel(time.time() + WINDOW_S - 2):
        answer = log_in()
        assert (answer.status_code, int(answer["Retry-After"]) <= 2) == (429, True)
        assert "Try again in 1 minute." in answer.content.decode()
    with time_machine.travel(time.time() + WINDOW_S + 1):
        assert log_in(password="right").status_code == 302


def test_login__that_succeeds__begins_the_names_count_anew() -> None:
    for _ in range(3):
        guess(MOST_FOR_NAME - 1)
        assert log_in(password="right").status_code == 302


@pytest.mark.parametrize("name", ["an\0n", "ann\ud800"])
def test_login__name_that_nobody_can_have__is_refused(name: str) -> None:
    assert log_in(name.encode(errors="surrogatepass").decode(errors="replace")).status_code < 500
    assert log_in("an\0n").status_code < 500


def test_login__behind_a_proxy__is_from_the_address_that_the_proxy_saw(settings: Settings) -> None:
    settings.BEHIND_PROXY = True
    guess(MOST_FOR_NAME, HTTP_X_FORWARDED_FOR=f"forged, {HERE}")
    assert log_in(HTTP_X_FORWARDED_FOR=f"other, {HERE}").status_code == 429
    assert log_in(HTTP_X_FORWARDED_FOR=f"forged, {THERE}").status_code == 200


def test_login__behind_a_proxy_that_tells_ports__is_from_the_address_alone(
    settings: Settings,
) -> None:
    settings.BEHIND_PROXY = True
    for port in range(MOST_FOR_NAME):
        log_in(HTTP_X_FORWARDED_FOR=f"{HERE}:{5000 + port}")
    assert log_in(HTTP_X_FORWARDED_FOR=f"{HERE}:9").status_code == 429


def test_login__addresses_of_version_4_in_version_6__are_apart() -> None:
    guess(MOST_FOR_NAME, REMOTE_ADDR=f"::ffff:{HERE}")
    assert log_in(REMOTE_ADDR=f"::ffff:{HERE}").status_code == 429
    assert log_in(password="right", REMOTE_ADDR=f"::ffff:{THERE}").status_code == 302


def test_login__clock_that_steps_back_a_day__makes_nobody_wait() -> None:
    guess(MOST_FOR_NAME)
    with time_machine.travel(time.time() - 86_400):
        assert log_in(password="right").status_code == 302


def test_login__much_else_in_the_cache__is_throttled_all_the_same() -> None:
    guess(MOST_FOR_NAME)
    for number in range(400):
        cache.set(f"ai-run:{HERE}:{number}", "gpt-4o", 60)
    assert log_in(password="right").status_code == 429


def test_login__sixty_at_once__are_not_tried_before_they_are_counted() -> None:
    """What counts is how many are let through, not how many have failed by then."""
    request = RequestFactory().post(LOGIN, REMOTE_ADDR=HERE)
    tried = []

    def guess_once(_number: int) -> None:
        with suppress(PermissionDenied):
            ThrottledLogins().authenticate(request, "ann", "wrong")
            tried.append(1)

    with ThreadPoolExecutor(20) as pool:
        [*pool.map(guess_once, range(60))]
    assert len(tried) == MOST_FOR_NAME


@pytest.mark.parametrize("forged", ["x", [1], None, 10**18, -5, {"a": 1}])
def test_login__forged_counts_in_the_cache__are_none(forged: object) -> None:
    keys = [key for key, _ in guessing._limits(RequestFactory().get("/", REMOTE_ADDR=HERE), "ann")]
    for key in keys:
        caches["logins"].set(key, forged, 60)
        caches["logins"].set(f"{key}:until", forged, 60)
    assert log_in().status_code == 200
    assert log_in(password="right").status_code == 302


AWAY = """
from django.contrib.auth.models import User
from django.test import Client, RequestFactory
from igny8_core.modules.accounts.guessing import ThrottledLogins, succeeded
User.objects.create_superuser("ann", password="right")
client = Client(headers={"host": "localhost"})
def log_in(password):
    return client.post("/admin/login/", {"username": "ann", "password": password}).status_code
request = RequestFactory().post("/", REMOTE_ADDR="127.0.0.1")
for _ in range(101):  # right passwords, but for the hashing
    ThrottledLogins().authenticate(request, "zoe", "right")
    succeeded(request, "zoe")
print([log_in("wrong") for _ in range(10)], log_in("right"))
"""


def test_login__while_redis_is_away__is_throttled_by_each_worker(manage_process: Manage) -> None:
    done = manage_process(
        "shell", "--no-imports", "--command", AWAY, REDIS_URL="redis://127.0.0.1:1/0"
    )
    assert done.stdout.strip() == f"{[200] * 10} 429", done.stderr


ASKS = """
import base64, json
from django.contrib.auth.models import User
from django.test import Client
User.objects.create_superuser("ann", password="right")
url = "/api/v1/admin/ai-models/"
def asked(method="get", name="ann", password="right", path="", **options):
    sent = base64.b64encode(f"{name}:{password}".encode()).decode()
    send = getattr(Client(enforce_csrf_checks=True, headers={"host": "localhost"}), method)
    answer = send(url + path, HTTP_AUTHORIZATION=f"Basic {sent}", **options)
    return [answer.status_code, answer.get("Retry-After"), answer.json().get("code")]
print(json.dumps([
    asked(),
    asked("post", path="1/toggle-active/"),
    asked("post", path="1/toggle-active/", content_type="application/x-www-form-urlencoded"),
    asked("post", path="1/toggle-active/?confirm=x", HTTP_X_REQUESTED_WITH="script"),
    asked(name="a\\0n"),
    [asked(password="wrong")[0] for _ in range(9)],
    asked(),
]))
"""


def test_basic__where_it_is_on__needs_a_header_to_write_and_is_throttled(
    manage_process: Manage,
) -> None:
    done = manage_process("shell", "--no-imports", "--command", ASKS, API_BASIC_AUTH="true")
    assert done.returncode == 0, done.stderr
    read, posted, form, sent, nul, wrong, right = json.loads(done.stdout)
    assert read == [200, None, None]
    assert posted == form == [403, None, "permission_denied"]
    assert sent[0] in {200, 409}
    assert (nul[0], wrong) == (401, [401] * 9)
    assert right == [200, None, None]


def test_basic__unless_a_setting_turns_it_on__is_off(manage_process: Manage) -> None:
    done = manage_process("shell", "--no-imports", "--command", ASKS)
    assert json.loads(done.stdout)[0] == [401, None, "not_authenticated"]


def test_anonymous__is_401_without_a_prompt_of_the_browser(client: Client) -> None:
    answer = client.get("/api/v1/admin/ai-models/")
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Session")


def test_staff__without_the_right_to_view__sees_neither_catalogue_nor_preview(
    client: Client, ann: User
) -> None:
    client.force_login(ann)
    assert client.get("/api/v1/admin/ai-models/").status_code == 403
    assert client.get("/admin/system/aimodel/price-preview/").status_code == 403


def test_session__unsafe_without_its_token__is_refused(ann: User) -> None:
    browser = Client(enforce_csrf_checks=True)
    ann.is_superuser = True
    ann.save()
    browser.force_login(ann)
    answer = browser.post("/api/v1/admin/ai-models/1/toggle-active/")
    assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")

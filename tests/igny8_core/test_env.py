from __future__ import annotations

from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from igny8_core import env


@pytest.mark.parametrize(
    ("value", "expected"),
    [("true", True), ("YES", True), ("1", True), ("False", False), ("0", False), ("no", False)],
)
def test_boolean__known_word__is_read(
    monkeypatch: pytest.MonkeyPatch, value: str, expected: bool
) -> None:
    monkeypatch.setenv("IGNY8_TEST", value)
    assert env.boolean("IGNY8_TEST", default=not expected) is expected


@pytest.mark.parametrize("value", ["", "  "])
def test_boolean__empty__is_the_default(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("IGNY8_TEST", value)
    assert env.boolean("IGNY8_TEST", default=True) is True


@pytest.mark.parametrize("value", ["maybe", "2", "tru"])
def test_boolean__nonsense__is_refused_by_name(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("IGNY8_TEST", value)
    with pytest.raises(ImproperlyConfigured, match=f"IGNY8_TEST='{value}'"):
        env.boolean("IGNY8_TEST", default=False)


def test_required__missing__is_refused_with_the_hint() -> None:
    with pytest.raises(ImproperlyConfigured, match=r"IGNY8_TEST is not set\. Set it\."):
        env.required("IGNY8_TEST", hint="Set it.")


def test_names__list__is_split_and_trimmed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IGNY8_TEST", "a.example, b.example,")
    assert env.names("IGNY8_TEST", []) == ["a.example", "b.example"]


def test_database__not_set__is_sqlite_at_the_default(tmp_path: Path) -> None:
    config = env.database("IGNY8_TEST", default=tmp_path / "x#1?.sqlite3")
    assert config == {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": tmp_path / "x#1?.sqlite3",
    }


def test_database__postgres_address__is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IGNY8_TEST", "postgres://u:p@h:5433/d")
    config = env.database("IGNY8_TEST", default=Path("unused"))
    assert config["ENGINE"] == "django.db.backends.postgresql"
    assert (config["USER"], config["HOST"], config["PORT"], config["NAME"]) == ("u", "h", 5433, "d")


@pytest.mark.parametrize(
    "value",
    ["mysql://u:hidden@h/d", "hidden", "postgres://u:hidden@h:x1/d", "postgres://u:hi[dden@h/d"],
)
def test_database__nonsense__is_refused_without_its_password(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("IGNY8_TEST", value)
    with pytest.raises(ImproperlyConfigured, match="IGNY8_TEST") as caught:
        env.database("IGNY8_TEST", default=Path("unused"))
    assert "hidden" not in str(caught.value)


def test_web_address__with_a_password__is_refused_unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IGNY8_TEST", "https://user:hidden@x.example")
    with pytest.raises(ImproperlyConfigured, match="IGNY8_TEST has a user") as caught:
        env.web_address("IGNY8_TEST")
    assert "hidden" not in str(caught.value)


def test_redis__wrong_scheme__is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IGNY8_TEST", "http://127.0.0.1")
    with pytest.raises(ImproperlyConfigured, match="starts with 'http'; it may start with redis"):
        env.redis("IGNY8_TEST")


def test_read_dotenv__value_in_both__the_environment_wins(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("IGNY8_TEST=file\nIGNY8_TEST_OTHER=file\n")
    monkeypatch.setenv("IGNY8_TEST", "environment")
    monkeypatch.setenv("IGNY8_TEST_OTHER", "")
    monkeypatch.delenv("IGNY8_TEST_OTHER")
    env.read_dotenv(tmp_path / ".env")
    assert env.text("IGNY8_TEST") == "environment"
    assert env.text("IGNY8_TEST_OTHER") == "file"


@pytest.mark.parametrize("value", ["sk-sécret", "sk a", "sk\x07"])
def test_key__what_no_header_carries__is_refused_unseen(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("IGNY8_TEST", value)
    with pytest.raises(ImproperlyConfigured, match="IGNY8_TEST is not a key") as caught:
        env.key("IGNY8_TEST")
    assert value not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("redis://:p/ss@cache:6379/0", "what follows the host is no number"),
        ("redis://cache/x", "what follows the host is no number"),
        ("redis://cache/8?foo=bar", "unexpected keyword argument 'foo'"),
    ],
)
def test_redis__no_address__is_refused(
    monkeypatch: pytest.MonkeyPatch, value: str, why: str
) -> None:
    monkeypatch.setenv("IGNY8_TEST", value)
    with pytest.raises(ImproperlyConfigured, match=f"is not a Redis address.*{why}") as caught:
        env.redis("IGNY8_TEST")
    assert "ss@" not in str(caught.value)


@pytest.mark.parametrize("value", ["0", "1e10", "nan", "1e-9", "-1", "often"])
def test_number__out_of_its_bounds__is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("IGNY8_TEST", value)
    with pytest.raises(ImproperlyConfigured, match=f"IGNY8_TEST='{value}' is no number from 0.05"):
        env.number("IGNY8_TEST", 0.5, least=0.05, most=60)

"""The settings as a process sees them that starts with nothing but an environment."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import connection

from tests.conftest import ENCRYPTION_KEY, run_manage

PRODUCTION = {
    "SECRET_KEY": "kX9-vT2_qLm7wZ4rYb8nDc3hFs6jGp1aQe5uWo0iBtRxVyNzKd",
    "DEBUG": "false",
    "ALLOWED_HOSTS": "igny8.example.com",
}


def test_start__no_secret_key__refuses_with_a_sentence() -> None:
    done = run_manage("check", env={"SECRET_KEY": ""})
    assert done.returncode == 1
    assert done.stderr.startswith("manage.py: SECRET_KEY is not set.")
    assert "Traceback" not in done.stderr


def test_start__nonsense_in_debug__refuses_with_a_sentence() -> None:
    done = run_manage("check", env={**PRODUCTION, "DEBUG": "maybe"})
    assert done.returncode == 1
    assert done.stderr == "manage.py: DEBUG='maybe' is neither true nor false.\n"


def test_check_deploy__production__is_clean_once_it_is_closed(
    demo_database: Path, tmp_path: Path
) -> None:
    database = tmp_path / "db.sqlite3"
    shutil.copy(demo_database, database)
    check = ["check", "--deploy", "--fail-level=WARNING"]
    env = {**PRODUCTION, "DATABASE_URL": f"sqlite:///{database}", "ENCRYPTION_KEYS": ""}
    done = run_manage(*check, env=env)
    assert done.returncode == 1
    assert ("igny8.W001" in done.stderr, "igny8.W002" in done.stderr) == (True, True)
    env["ENCRYPTION_KEYS"] = ENCRYPTION_KEY
    assert run_manage("constance", "set", "AI_OFFLINE_ANSWERS", "False", env=env).returncode == 0
    done = run_manage(*check, env=env)
    assert done.returncode == 0, done.stderr


def _values(tmp_path: Path, expression: str, **env: str) -> Any:
    done = run_manage(
        "shell",
        "--no-imports",
        "--command",
        f"import json; from django.conf import settings as s; print(json.dumps({expression}))",
        env={**PRODUCTION, **env},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_debug__production__is_off_and_https_only(tmp_path: Path) -> None:
    assert _values(tmp_path, "[s.DEBUG, s.SECURE_SSL_REDIRECT]") == [False, True]


def test_debug__on__needs_no_https(tmp_path: Path) -> None:
    assert _values(tmp_path, "[s.DEBUG, s.SECURE_SSL_REDIRECT]", DEBUG="true") == [True, False]


def test_database_and_cache__nothing_set__are_sqlite_and_in_process(tmp_path: Path) -> None:
    engine, mode, backend = _values(
        tmp_path,
        "[s.DATABASES['default']['ENGINE'], s.DATABASES['default']['OPTIONS']['transaction_mode'],"
        " s.CACHES['default']['BACKEND']]",
        DATABASE_URL="",
        REDIS_URL="",
    )
    assert engine == "django.db.backends.sqlite3"
    assert mode == "IMMEDIATE"
    assert backend == "django.core.cache.backends.locmem.LocMemCache"


def test_redis_cache__server_down__is_a_miss_and_no_error(tmp_path: Path) -> None:
    done = run_manage(
        "shell",
        "--no-imports",
        "--command",
        "from django.core.cache import cache; cache.set('a', 1); print(cache.get('a'))",
        env={**PRODUCTION, "REDIS_URL": "redis://127.0.0.1:9/0"},
    )
    assert (done.returncode, done.stdout.strip()) == (0, "None"), done.stderr


def test_redis_cache__server_up__keeps_a_value(redis_url: str) -> None:
    assert settings.CACHES["default"]["BACKEND"] == "django_redis.cache.RedisCache"
    cache.set("igny8-test", 1, timeout=5)
    assert cache.get("igny8-test") == 1


def test_database__where_services_are_required__is_postgresql(postgresql: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT version()")
        assert cursor.fetchone()[0].startswith("PostgreSQL")


@pytest.mark.django_db
def test_home__anyone__leads_to_the_admin(client: Any) -> None:
    assert client.get("/").headers["Location"] == "/admin/"

"""The cast (acme and bolt), and what every test stands on."""

from __future__ import annotations

import contextlib
import io
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import hypothesis
import pytest
from cryptography.fernet import Fernet
from django.conf import settings as django_settings
from django.core.management import execute_from_command_line
from django.db import connection, connections
from pytest_django import DjangoDbBlocker, Settings

from flags import live, publishing
from igny8_core.ai.management.commands.demo import load
from igny8_core.ai.providers import circuits
from igny8_core.catalogue.names import PROVIDERS
from igny8_core.modules.accounts.models import Account
from igny8_core.modules.system.models import AIProvider
from igny8_core.tasks.tasks import _tasks

ROOT = Path(__file__).resolve().parent.parent

# What lets coverage follow into a process of our own.
_COVERAGE = {name: value for name, value in os.environ.items() if name.startswith("COV")}

ENCRYPTION_KEY = Fernet.generate_key().decode()

Manage = Callable[..., subprocess.CompletedProcess[str]]


# One profile for all properties: how long an example takes is no fault. `make test` tries the same
# examples each time; `make soak` tries more, others each time, and says how to see them again.
EXAMPLES = int(os.environ.get("EXAMPLES", "1"))
hypothesis.settings.register_profile(
    "igny8",
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
    max_examples=100 * EXAMPLES,
    derandomize=EXAMPLES == 1,
    print_blob=True,
)
hypothesis.settings.load_profile("igny8")


def examples(number: int) -> hypothesis.settings:
    """So many examples of a property, and more under `make soak`."""
    return hypothesis.settings(max_examples=number * EXAMPLES)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    # A test has its database to itself, and starts the thread by `live.begin()`.
    django_settings.FLAGS_THREAD = False
    # A test case is two transactions, one inside the other.
    django_settings.AI_TEST_CASE_TRANSACTIONS = 2
    # A user's password is hashed for most tests of pages: not at the price of a real one.
    django_settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    if EXAMPLES > 1 and config.option.hypothesis_seed is None:
        config.option.hypothesis_seed = str(secrets.randbits(64))


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    if (seed := config.option.hypothesis_seed) is None:
        return
    terminalreporter.write_line(f"The properties' examples again: --hypothesis-seed={seed}")


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> None:
    """Drop waffle's own flag tables: unused, but PostgreSQL cannot truncate what they refer to."""
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        for table in ("waffle_flag_users", "waffle_flag_groups", "waffle_flag"):
            cursor.execute(f"DROP TABLE IF EXISTS {table}")


@pytest.fixture(autouse=True)
def _fresh(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No provider's key from the machine, and nothing remembered of another test."""
    settings.AI_CONNECTIONS = {}
    settings.AI_SPOOL = str(tmp_path_factory.getbasetemp() / f"spool-{uuid4().hex}")
    settings.AI_PLAIN_HTTP = True  # the providers of tests are on this machine
    settings.ENCRYPTION_KEYS = [ENCRYPTION_KEY]
    live.forget()
    circuits.reset()


@pytest.fixture
def acme(db: None) -> Account:
    return Account.objects.create(key="acme", name="Acme GmbH", plan="pro", country="DE")


@pytest.fixture
def bolt(db: None) -> Account:
    return Account.objects.create(key="bolt", name="Bolt Inc.", plan="free", country="US")


@pytest.fixture
def tasks_again() -> Iterator[None]:
    """Tasks that the test registers are taken away again, which a process never does."""
    before = dict(_tasks)
    yield
    _tasks.clear()
    _tasks.update(before)


def point(provider: str, url: str) -> None:
    """Have the provider reached at the address."""
    AIProvider.objects.filter(name=provider).update(base_url=url)


def service(name: str, *, is_there: bool) -> None:
    """Skip where a server is not configured; fail where REQUIRE_SERVICES says that it must be."""
    if is_there:
        return
    reason = f"needs {name}"
    if os.environ.get("REQUIRE_SERVICES") == "1":
        pytest.fail(f"{reason}, and REQUIRE_SERVICES=1")
    pytest.skip(reason)


@pytest.fixture
def redis_url() -> str:
    service("Redis by REDIS_URL", is_there=bool(django_settings.REDIS_URL))
    return str(django_settings.REDIS_URL)


@pytest.fixture
def postgresql(db: None) -> None:
    engine = django_settings.DATABASES["default"]["ENGINE"]
    service("PostgreSQL by DATABASE_URL", is_there=engine.endswith("postgresql"))


def run_manage(
    *args: str, env: dict[str, str], stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    """`manage.py` in a process of its own, with this environment and no other."""
    return subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "manage.py", *args],
        cwd=ROOT,
        env={**_COVERAGE, "PATH": os.environ["PATH"], **env},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture(scope="session")
def demo_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file with the demo data, to be copied."""
    path = tmp_path_factory.mktemp("demo") / "db.sqlite3"
    env = environment(path)
    for args in (["migrate", "--verbosity=0"], ["demo", "--load-only"]):
        done = run_manage(*args, env=env)
        assert done.returncode == 0, done.stderr
    return path


def environment(database: Path) -> dict[str, str]:
    """What a process needs, and nothing of the machine's own `.env`."""
    return {
        "SECRET_KEY": "s" * 50,
        "DEBUG": "true",
        "DATABASE_URL": f"sqlite:///{database}",
        "REDIS_URL": "",
        "ENCRYPTION_KEYS": ENCRYPTION_KEY,
        **{
            f"{provider.upper()}_{what}": ""
            for provider in PROVIDERS
            for what in ("API_KEY", "BASE_URL")
        },
    }


@pytest.fixture
def manage_process(demo_database: Path, tmp_path: Path) -> Manage:
    """Runs `manage.py` in processes of their own, on a copy of the demo data."""
    database = tmp_path / "db.sqlite3"
    shutil.copy(demo_database, database)

    def run(*args: str, stdin: str = "", **env: str) -> subprocess.CompletedProcess[str]:
        return run_manage(*args, stdin=stdin, env={**environment(database), **env})

    return run


@pytest.fixture
def manage(db: None, monkeypatch: pytest.MonkeyPatch) -> Manage:
    """Runs `manage.py` in this process, on the demo data, as its own process would."""
    load()
    publishing.publish()
    # Django ends a command's process by closing its connections: here the test goes on.
    monkeypatch.setattr(connections, "close_all", lambda: None)

    def run(*args: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        out, err, status = io.StringIO(), io.StringIO(), 0
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                execute_from_command_line(["manage.py", *args])
            except SystemExit as end:
                status = int(end.code or 0)
        return subprocess.CompletedProcess(args, status, out.getvalue(), err.getvalue())

    return run

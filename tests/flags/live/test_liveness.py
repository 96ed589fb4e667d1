"""Workers as processes, real servers, and every fault in front of them."""

from __future__ import annotations

import fcntl
import json
import os
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from django.conf import settings

from tests.conftest import ROOT, environment, run_manage, service
from tests.flags.live.proxy import Proxy

POLL_S = 0.2
# A fact is waited for this long at most, however slow the machine is.
PATIENCE_S = 60


class Process:
    """A worker to talk to."""

    def __init__(self, env: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.flags.live.worker"],
            cwd=ROOT,
            env={**env, "DJANGO_SETTINGS_MODULE": "igny8_core.settings", "PATH": ""},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __getattr__(self, command: str) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            self._process.stdin.write(json.dumps([command, arguments, named]) + "\n")
            self._process.stdin.flush()
            answer = json.loads(self._process.stdout.readline())
            assert "error" not in answer, answer
            return answer["answer"]

        return call

    def number(self) -> Any:
        return self.status()["number"]

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()


Start = Callable[..., Process]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts workers, and ends them."""
    started: list[Process] = []

    def start(env: dict[str, str], **more: str) -> Process:
        started.append(Process({**env, "FLAGS_POLL_S": str(POLL_S), **more}))
        return started[-1]

    yield start
    for each in started:
        each.end()


def eventually(ask: Callable[[], Any], wanted: Any) -> None:
    """Wait for the fact."""
    deadline = time.monotonic() + POLL_S + PATIENCE_S
    while (answer := ask()) != wanted and time.monotonic() < deadline:
        time.sleep(0.02)
    assert answer == wanted


def error_of(worker: Process) -> Any:
    return worker.status()["error"]


@pytest.fixture
def sqlite(demo_database: Path, tmp_path: Path) -> dict[str, str]:
    """An environment with a database of its own."""
    (tmp_path / "db.sqlite3").write_bytes(demo_database.read_bytes())
    return environment(tmp_path / "db.sqlite3")


@pytest.fixture(scope="session")
def postgresql_template(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> str:
    database = settings.DATABASES["default"]
    service("PostgreSQL by DATABASE_URL", is_there=database["ENGINE"].endswith("postgresql"))
    address = "postgres://{USER}:{PASSWORD}@{HOST}:{PORT}".format(**database)
    name = f"igny8_live_{worker_id}"
    with psycopg.connect(f"{address}/postgres", autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name}")
        connection.execute(f"CREATE DATABASE {name}")
    env = {**environment(Path("unused")), "DATABASE_URL": f"{address}/{name}"}
    done = run_manage("migrate", "--verbosity=0", env=env)
    assert done.returncode == 0, done.stderr
    return f"{address}/{name}"


@pytest.fixture
def postgres(postgresql_template: str) -> Iterator[dict[str, str]]:
    """The same on PostgreSQL."""
    address, _, template = postgresql_template.rpartition("/")
    name = f"{template}_copy"
    with psycopg.connect(f"{address}/postgres", autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        yield {**environment(Path("unused")), "DATABASE_URL": f"{address}/{name}"}
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.fixture
def proxies() -> Iterator[list[Proxy]]:
    opened: list[Proxy] = []
    yield opened
    for each in opened:
        each.close()


def through(proxies: list[Proxy], address: str) -> tuple[Proxy, str]:
    """A proxy in front of the server, and the address that leads through it."""
    parts = urlsplit(address)
    assert parts.port
    proxy = Proxy(parts.hostname or "", parts.port)
    proxies.append(proxy)
    return proxy, address.replace(f":{parts.port}", f":{proxy.port}")


# With the database alone


def test_worker__another_process_publishes__is_current_by_its_poll(
    sqlite: dict[str, str], start: Start
) -> None:
    worker, operator = start(sqlite), start(sqlite)
    assert worker.status()["source"] == "database"
    for on in (True, False):
        number = operator.turn(on=on)
        eventually(worker.number, number)
        assert worker.active(flag="f") is on


def test_worker__override_set_elsewhere__answers_by_it_and_no_longer(
    sqlite: dict[str, str], start: Start
) -> None:
    worker, operator = start(sqlite), start(sqlite)
    eventually(worker.number, operator.turn(on=None))
    assert worker.active(flag="f") is None
    operator.override(account="acme", variant="on")
    eventually(lambda: worker.active(flag="f"), wanted=True)
    operator.override(account="acme", variant=None)
    eventually(lambda: worker.active(flag="f"), None)


def test_worker__forked__parent_and_child_stay_current(
    sqlite: dict[str, str], start: Start
) -> None:
    worker, operator = start(sqlite), start(sqlite)
    worker.status()
    worker.fork()
    number = operator.turn(on=True)
    eventually(worker.number, number)
    assert worker.child() == number


def test_worker__asked_first_by_a_coroutine__is_current_and_stays_so(
    sqlite: dict[str, str], start: Start
) -> None:
    operator = start(sqlite)
    number = operator.turn(on=True)
    worker = start(sqlite)
    assert worker.ask_in_a_loop() == [number, True, "gpt-4o-mini"]
    number = operator.turn(on=None)
    eventually(worker.ask_in_a_loop, [number, None, "gpt-4o-mini"])
    operator.override(account="acme", variant="on")
    eventually(worker.ask_in_a_loop, [number, True, "gpt-4o-mini"])


def test_worker__raw_change_marked_pending__is_published_by_the_poll(
    sqlite: dict[str, str], start: Start
) -> None:
    worker, operator = start(sqlite), start(sqlite)
    operator.turn(on=True)
    operator.sql("UPDATE flags_flag SET everyone = false WHERE name = 'f'")
    operator.sql("UPDATE flags_head SET version = 'by hand'")
    eventually(lambda: worker.active(flag="f"), wanted=False)


def test_worker__tables_that_do_not_check__serves_on_and_says_so(
    sqlite: dict[str, str], start: Start
) -> None:
    worker, operator = start(sqlite), start(sqlite)
    number = operator.turn(on=True)
    eventually(worker.number, number)
    operator.sql("UPDATE flags_flag SET off_variant = 'purple' WHERE name = 'f'")
    operator.sql("UPDATE flags_head SET version = 'by hand'")
    eventually(lambda: "purple" in (worker.status()["error"] or ""), wanted=True)
    assert (worker.number(), worker.active(flag="f")) == (number, True)
    operator.sql("UPDATE flags_flag SET off_variant = '' WHERE name = 'f'")
    assert operator.turn(on=False) == number + 1
    eventually(lambda: worker.status()["error"], None)
    assert worker.number() == number + 1


def test_worker__revision_corrupted_by_hand__serves_the_last_good_one(
    sqlite: dict[str, str], start: Start
) -> None:
    running, operator = start(sqlite), start(sqlite)
    number = operator.turn(on=True)
    eventually(running.number, number)
    operator.turn(on=False)
    eventually(running.number, number + 1)
    operator.sql("UPDATE flags_revision SET text = x'7b7d' WHERE number = %s", number + 1)
    operator.sql("UPDATE flags_head SET version = 'x', published = 'x'")
    fresh = start(sqlite)
    assert (fresh.number(), fresh.active(flag="f")) == (number, True)
    status = fresh.status()
    assert (status["behind"], "does not match its checksum" in status["error"]) == (1, True)
    assert (running.number(), running.active(flag="f")) == (number + 1, False)
    assert operator.turn(on=True) == number + 2
    for worker in (fresh, running):
        eventually(worker.number, number + 2)
        eventually(partial(error_of, worker), None)


def test_worker__document_of_a_newer_schema__keeps_what_it_can_read(
    sqlite: dict[str, str], start: Start
) -> None:
    worker, operator = start(sqlite), start(sqlite)
    number = operator.turn(on=True)
    eventually(worker.number, number)
    assert operator.store(schema=3) == number + 1
    eventually(lambda: "schema 3" in (worker.status()["error"] or ""), wanted=True)
    assert (worker.number(), worker.active(flag="f")) == (number, True)
    assert operator.turn(on=False) == number + 2
    eventually(worker.number, number + 2)


def test_worker__revisions_lost__does_not_go_backwards(
    sqlite: dict[str, str], start: Start
) -> None:
    worker, operator = start(sqlite), start(sqlite)
    number = operator.turn(on=True)
    eventually(worker.number, number)
    operator.sql("DELETE FROM flags_revision WHERE number = %s", number)
    operator.sql("UPDATE flags_head SET version = 'x', published = 'x'")
    eventually(lambda: "older than" in (worker.status()["error"] or ""), wanted=True)
    assert (worker.number(), worker.active(flag="f")) == (number, True)


@pytest.mark.parametrize("by_s", [-1, -86_400])
def test_worker__clock_stepping_back__stays_current(
    sqlite: dict[str, str], start: Start, by_s: float
) -> None:
    worker, operator = start(sqlite), start(sqlite)
    operator.turn(on=True)
    eventually(lambda: worker.active(flag="f"), wanted=True)
    before = worker.resolve()
    worker.clock(by_s=by_s)
    assert worker.resolve() == before
    number = operator.turn(on=False)
    eventually(worker.number, number)
    assert worker.active(flag="f") is False
    assert worker.status()["age_s"] < PATIENCE_S


# The copy on disk


@pytest.fixture
def copied(sqlite: dict[str, str], start: Start, tmp_path: Path) -> tuple[dict[str, str], int]:
    """An environment whose database is gone, and the number of what is on disk."""
    env = {**sqlite, "FLAGS_SNAPSHOT_FILE": str(tmp_path / "snapshot")}
    operator = start(env)
    number = operator.turn(on=True)
    eventually(operator.number, number)
    eventually(lambda: copy_number(env), number)
    gone = f"sqlite:///{tmp_path / 'nowhere' / 'db.sqlite3'}"
    return {**env, "DATABASE_URL": gone}, number


def copy_number(env: dict[str, str]) -> int:
    path = Path(env["FLAGS_SNAPSHOT_FILE"])
    return int(path.read_bytes().split(b" ", 2)[1]) if path.exists() else 0


def test_cold_start__without_the_database__serves_from_the_disk(
    copied: tuple[dict[str, str], int], start: Start
) -> None:
    env, number = copied
    worker = start(env)
    status = worker.status()
    assert (status["number"], status["source"], status["age_s"]) == (number, "disk", None)
    assert "unable to open database file" in status["error"]
    assert worker.active(flag="f") is True
    assert worker.resolve() == ["gpt-4o-mini", "TYPE_DEFAULT"]


@pytest.mark.parametrize(
    "damage", ["truncated", "tampered", "emptied", "missing", "link", "pipe", "folder"]
)
def test_cold_start__copy_damaged_too__serves_the_plans_figures(
    copied: tuple[dict[str, str], int], start: Start, damage: str
) -> None:
    env, _ = copied
    path = Path(env["FLAGS_SNAPSHOT_FILE"])
    data = path.read_bytes()
    changed = {
        "truncated": data[:-9],
        "tampered": data.replace(b"true", b"null", 1),
        "emptied": b"",
    }
    path.rename(path.with_name("other"))
    match damage:
        case "link":
            path.symlink_to(path.with_name("other"))
        case "pipe":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
        case "missing":
            pass
        case _:
            path.write_bytes(changed[damage])
    worker = start(env)
    status = worker.status()
    assert (status["number"], status["source"]) == (None, "nothing")
    assert ("copy" in status["faults"]) is (damage != "missing")
    if damage in changed:
        assert "is damaged" in status["faults"]["copy"]
    assert worker.resolve() == ["gpt-4o-mini", "CONSTANTS"]


def test_copy__disk_full__the_old_one_stays_and_the_status_says_so(
    sqlite: dict[str, str], start: Start, tmp_path: Path
) -> None:
    env = {**sqlite, "FLAGS_SNAPSHOT_FILE": str(tmp_path / "snapshot")}
    worker, operator = start(env), start(sqlite)
    number = operator.turn(on=True)
    eventually(worker.number, number)
    eventually(lambda: copy_number(env), number)
    worker.limit(file_bytes=100)
    operator.turn(on=False)
    eventually(lambda: "cannot be written" in (worker.status()["error"] or ""), wanted=True)
    assert (worker.number(), worker.active(flag="f")) == (number + 1, False)
    assert copy_number(env) == number
    assert not (tmp_path / "snapshot.new").exists()


def test_copy__is_for_its_owner_alone(copied: tuple[dict[str, str], int], tmp_path: Path) -> None:
    env, _ = copied
    for path in (Path(env["FLAGS_SNAPSHOT_FILE"]), tmp_path / "snapshot.lock"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("end", [".new", ".lock"])
def test_copy__link_in_its_place__overwrites_nothing(tmp_path: Path, end: str) -> None:
    from flags.live import copy

    path, theirs = tmp_path / "copy", tmp_path / "theirs"
    theirs.write_text("theirs")
    path.with_name(f"copy{end}").symlink_to(theirs)
    with pytest.raises(OSError, match=end):
        copy.write(path, 7, "{}", newest=7)
    assert theirs.read_text() == "theirs"


FORGED: dict[str, Callable[[Path], Any]] = {
    "another user's": lambda path: os.chown(path, 65_534, 65_534),
    "for all to write": lambda path: path.chmod(0o666),
    "linked from elsewhere": lambda path: os.link(path, path.with_name("other")),
    "too great": lambda path: os.truncate(path, 3 * 2**30),
}


@pytest.mark.parametrize("how", FORGED)
def test_copy__that_another_user_may_have_written__is_not_used(tmp_path: Path, how: str) -> None:
    from flags.live import copy

    path = tmp_path / "copy"
    copy.write(path, 7, "{}", newest=7)
    assert copy.read(path) == (7, "{}")
    if how == "another user's" and os.geteuid() != 0:
        pytest.skip("only root gives files away")
    FORGED[how](path)
    with pytest.raises(OSError, match="it is not used"):
        copy.read(path)
    copy.write(path, 8, "{}", newest=8)
    assert copy.read(path) == (8, "{}")


def test_copy__writer_killed_meanwhile__the_next_one_writes_it(
    copied: tuple[dict[str, str], int], sqlite: dict[str, str], start: Start
) -> None:
    env, number = copied
    path = env["FLAGS_SNAPSHOT_FILE"]
    killed = (
        "import fcntl, os, signal, sys\n"
        "lock = open(sys.argv[1] + '.lock', 'w'); fcntl.flock(lock, fcntl.LOCK_EX)\n"
        "open(sys.argv[1] + '.new', 'w').write('half'); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", killed, path], check=False)  # noqa: S603 - our own
    assert copy_number(env) == number
    worker = start(sqlite, FLAGS_SNAPSHOT_FILE=path)
    newest = start(sqlite).turn(on=False)
    eventually(worker.number, newest)
    eventually(lambda: copy_number(env), newest)


def test_copy__locked_by_a_process_that_stands_still__nobody_waits(
    sqlite: dict[str, str], start: Start, tmp_path: Path
) -> None:
    path = tmp_path / "copy"
    worker = start(sqlite, FLAGS_SNAPSHOT_FILE=str(path))
    with path.with_name("copy.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        number = start(sqlite).turn(on=True)
        eventually(worker.number, number)
        assert worker.status()["error"] is None
    eventually(lambda: copy_number({"FLAGS_SNAPSHOT_FILE": str(path)}), number)


def test_revision__that_serves_what_is_not_there__the_one_before_serves(
    sqlite: dict[str, str], start: Start
) -> None:
    """As another version of this software may have accepted it."""
    operator = start(sqlite)
    number = operator.turn(on=True)
    text = operator.text_serving("gone")
    operator.store_text(text)
    worker = start(sqlite)
    status = worker.status()
    assert (status["number"], status["behind"]) == (number, 1)
    assert "cannot be compiled" in status["error"]
    assert worker.active(flag="f") is True


@pytest.mark.parametrize("text", ["nope", "[]", '{"schema": 1}', '{"schema": 2}', '{"schema": 3}'])
def test_revision__no_document_under_a_right_checksum__the_one_before_serves(
    sqlite: dict[str, str], start: Start, text: str
) -> None:
    operator = start(sqlite)
    number = operator.turn(on=True)
    operator.store_text(text)
    fresh = start(sqlite)
    status = fresh.status()
    assert (status["number"], status["behind"], status["source"]) == (number, 1, "database")
    assert "Revision" in status["error"]
    newest = operator.turn(on=False)
    assert newest == number + 2
    eventually(fresh.number, newest)


def test_copy__older_than_what_is_there__is_not_written(tmp_path: Path) -> None:
    from flags.live import copy

    path = tmp_path / "snapshot"
    copy.write(path, 7, "{}", newest=7)
    copy.write(path, 6, "[]", newest=7)
    assert copy.read(path) == (7, "{}")


def test_copy__newer_than_the_database__is_replaced(tmp_path: Path) -> None:
    from flags.live import copy

    path = tmp_path / "snapshot"
    copy.write(path, 7, "{}", newest=7)
    copy.write(path, 6, "[]", newest=6)  # an older backup was restored
    assert copy.read(path) == (6, "[]")


# With servers that go away


def test_database__gone_under_load_and_back__no_question_fails(
    postgres: dict[str, str], start: Start, proxies: list[Proxy]
) -> None:
    proxy, address = through(proxies, postgres["DATABASE_URL"])
    worker = start(postgres, DATABASE_URL=address)
    operator = start(postgres)
    number = operator.turn(on=True)
    eventually(worker.number, number)
    worker.load()
    proxy.close()
    eventually(lambda: "database" in (worker.status()["error"] or ""), wanted=True)
    operator.turn(on=False)
    time.sleep(2 * POLL_S)
    assert (worker.number(), worker.active(flag="f")) == (number, True)
    proxy.open()
    eventually(worker.number, number + 1)
    eventually(lambda: worker.status()["error"], None)
    operator.turn(on=None)
    operator.override(account="acme", variant="on")
    # Also for the thread that asks, whose own connection was cut.
    eventually(lambda: worker.active(flag="f"), wanted=True)
    operator.override(account="acme", variant="off")
    eventually(lambda: worker.active(flag="f"), wanted=False)
    rest = worker.rest()
    assert rest["errors"] == []
    assert rest["asked"] > 0


def test_database__hangs__status_says_so_and_known_accounts_are_answered(
    postgres: dict[str, str], start: Start, proxies: list[Proxy]
) -> None:
    proxy, address = through(proxies, postgres["DATABASE_URL"])
    operator = start(postgres)
    worker = start(postgres, DATABASE_URL=address, FLAGS_FACTS_TTL_S="0.5")
    number = operator.turn(on=True)
    eventually(worker.number, number)
    assert worker.active(flag="f") is True
    worker.load()
    proxy.hold()
    operator.turn(on=False)
    eventually(lambda: "has not answered for" in (worker.status()["error"] or ""), wanted=True)
    asked = worker.asked()
    eventually(lambda: worker.asked() > asked + 10, wanted=True)
    assert (worker.number(), worker.active(flag="f")) == (number, True)
    assert worker.resolve(account="never-met") == ["gpt-4o-mini", "TYPE_DEFAULT"]
    proxy.release()
    eventually(worker.number, number + 1)
    eventually(lambda: worker.status()["error"], None)
    assert worker.rest()["errors"] == []


def test_first_question__in_a_transaction_that_changed_a_flag__does_not_wait_for_itself(
    postgres: dict[str, str], start: Start
) -> None:
    operator = start(postgres)
    number = operator.turn(on=False)
    operator.sql("UPDATE flags_head SET version = 'pending by hand'")
    worker = start(postgres, FLAGS_POLL_S="0.05")
    answer = worker.turn_in_a_transaction(on=True)
    assert answer == {"seen": True, "has_snapshot": True}
    eventually(lambda: worker.number() > number, wanted=True)
    assert worker.active(flag="f") is True


@pytest.fixture
def redis_env(postgres: dict[str, str], redis_url: str) -> dict[str, str]:
    return {**postgres, "REDIS_URL": redis_url}


def test_redis__gone_and_back__the_poll_and_then_the_announcement_tell(
    redis_env: dict[str, str], start: Start, proxies: list[Proxy]
) -> None:
    proxy, address = through(proxies, redis_env["REDIS_URL"])
    worker = start(redis_env, REDIS_URL=address)
    operator = start(redis_env)
    number = operator.turn(on=True)
    eventually(worker.number, number)
    proxy.close()
    eventually(lambda: "Redis" in (worker.status()["error"] or ""), wanted=True)
    eventually(worker.number, operator.turn(on=False))
    proxy.open()
    eventually(lambda: worker.status()["error"], None)
    eventually(worker.number, operator.turn(on=True))


def test_redis_and_database__gone_and_back__every_change_is_in_force(
    redis_env: dict[str, str], start: Start, proxies: list[Proxy]
) -> None:
    database, database_address = through(proxies, redis_env["DATABASE_URL"])
    redis, redis_address = through(proxies, redis_env["REDIS_URL"])
    worker = start(redis_env, DATABASE_URL=database_address, REDIS_URL=redis_address)
    operator = start(redis_env)
    eventually(worker.number, operator.turn(on=True))
    worker.load()
    for proxy in (database, redis):
        proxy.close()
    number = operator.turn(on=False)
    operator.override(account="acme", variant="on")
    time.sleep(2 * POLL_S)
    assert worker.active(flag="f") is True
    for proxy in (redis, database):
        proxy.open()
    eventually(worker.number, number)
    assert worker.rest()["errors"] == []


def test_announcement__lost__is_found_out_by_the_poll(
    redis_env: dict[str, str], start: Start
) -> None:
    worker, silent = start(redis_env), start(redis_env, REDIS_URL="")
    eventually(worker.number, silent.turn(on=True))


def test_announcement__with_a_poll_of_a_minute__is_heard_at_once(
    redis_env: dict[str, str], start: Start
) -> None:
    worker = start(redis_env, FLAGS_POLL_S="60")
    operator = start(redis_env)
    worker.status()
    for on in (True, None):
        eventually(worker.number, operator.turn(on=on))
    assert worker.active(flag="f") is None
    operator.override(account="acme", variant="on")
    eventually(lambda: worker.active(flag="f"), wanted=True)

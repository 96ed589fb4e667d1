"""The ledger while the database is away: on the disk, and in the database once, later."""

from __future__ import annotations

import fcntl
import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from threading import Thread
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from django.db import OperationalError, connection, transaction
from django.test import Client
from pytest_django import Settings
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from flags import live
from igny8_core.ai.ai_core import AICore
from igny8_core.ai.providers.base import Connection
from igny8_core.ai.providers.errors import ProviderUnreachable
from igny8_core.ai.request.answers import Answer
from igny8_core.modules.accounts.models import Account
from igny8_core.modules.usage import draining, spool, waiting
from igny8_core.modules.usage.errors import RequestConflict, RequestDone, SpoolUnusable
from igny8_core.modules.usage.models import Receipt
from igny8_core.modules.usage.states import State
from tests.conftest import Manage
from tests.igny8_core.ai.test_ai_core import completion

pytestmark = pytest.mark.django_db

COMMITTED = pytest.mark.django_db(transaction=True, serialized_rollback=True)
TASK = "generate_content"


@contextmanager
def away(*statements: str) -> Iterator[None]:
    """The database takes none of these statements."""

    def gone(execute: Any, sql: str, *rest: Any) -> Any:
        if sql.startswith(statements or ("",)) and "usage_receipt" in sql:
            raise OperationalError("the connection is gone")
        return execute(sql, *rest)

    with connection.execute_wrapper(gone):
        yield


def ask(account: Account, **options: Any) -> Answer[str]:
    return AICore(account).run_ai_request(TASK, "About tyres.", **options)


def only() -> Receipt:
    return Receipt.objects.get()


def test_request__with_the_database__is_two_writes(acme: Account) -> None:
    seen: list[str] = []

    def note(execute: Any, sql: str, *rest: Any) -> Any:
        if "usage_receipt" in sql:
            seen.append(sql.partition(" ")[0])
        return execute(sql, *rest)

    with connection.execute_wrapper(note):
        ask(acme)
    assert seen == ["INSERT", "UPDATE"]
    assert (only().state, only().settled_at is not None) == ("settled", True)
    assert spool.is_empty()


def test_settling__while_the_database_is_away__is_on_the_disk_and_drained_once(
    acme: Account,
) -> None:
    with away("UPDATE"):
        answer = ask(acme)
    assert answer.content
    assert (only().state, only().cost) == ("open", None)
    assert waiting.status().entries == 1
    assert draining.drain() == 1
    receipt = only()
    assert (receipt.state, receipt.status, receipt.cost) == ("settled", "ok", answer.cost)
    assert receipt.price is not None
    assert (draining.drain(), spool.is_empty()) == (0, True)


def test_request__while_the_database_takes_no_receipt__is_sent_and_drained_in_order(
    acme: Account,
) -> None:
    with away():
        answers = [ask(acme) for _ in range(3)]
    assert not Receipt.objects.exists()
    assert waiting.status().entries == 6
    assert draining.drain() == 6
    assert [receipt.state for receipt in Receipt.objects.all()] == ["settled"] * 3
    assert {receipt.cost for receipt in Receipt.objects.all()} == {
        answer.cost for answer in answers
    }
    assert draining.drain() == 0


def test_drain__that_fails_in_the_middle__goes_on_where_it_stopped(acme: Account) -> None:
    with away():
        for _ in range(3):
            ask(acme)
    entered: list[str] = []

    def fail_at_the_third(entry: spool.Entry) -> None:
        if len(entered) == 2:
            raise OperationalError("gone again")
        entered.append(entry["what"])

    with pytest.raises(OperationalError):
        spool.drain(fail_at_the_third)
    assert entered == ["open", "settle"]
    assert waiting.status().entries == 4
    assert draining.drain() == 4
    assert Receipt.objects.count() == 2  # what was handed over above is not in the database


def test_spool__that_is_full_or_cannot_be_written__refuses_before_anything_is_sent(
    acme: Account, settings: Settings, tmp_path: Path
) -> None:
    settings.AI_SPOOL_MOST_BYTES = 100
    with away(), pytest.raises(SpoolUnusable, match="has 100 bytes already"):
        ask(acme)
    settings.AI_SPOOL = str(tmp_path / "file")
    (tmp_path / "file").write_text("in the way")
    with away(), pytest.raises(SpoolUnusable):
        ask(acme)
    assert not Receipt.objects.exists()


def test_settling__when_neither_database_nor_disk_take_it__is_in_the_log_and_the_answer_given(
    acme: Account, settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")
    settings.AI_SPOOL = str(tmp_path / "file")
    with away("UPDATE"), caplog.at_level(logging.ERROR):
        answer = ask(acme)
    (line,) = [each.message for each in caplog.records if "is settled nowhere" in each.message]
    told = json.loads(line[line.index("{") :])["receipt"]
    assert told["cost"] == str(answer.cost)
    assert told["meters"]["output_tokens"] > 0
    assert draining.close(older_than=timedelta(0)).closed == 1


def test_spool__is_the_processes_own_file_that_nobody_else_may_read(
    acme: Account, settings: Settings
) -> None:
    with away():
        ask(acme)
    (file,) = Path(settings.AI_SPOOL).iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.name.startswith(f"{os.getpid()}-")
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert "About tyres." not in file.read_text()


def test_drain__of_an_entry_that_was_cut_in_the_middle__tells_it_and_goes_on(
    acme: Account, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    with away():
        ask(acme)
    (file,) = Path(settings.AI_SPOOL).iterdir()
    with file.open("a") as end:
        end.write('{"what": "open", "rec')
    assert draining.drain() == 3
    assert "is not whole" in caplog.text
    assert only().state == State.SETTLED


def test_drain__of_a_request_id_that_another_process_used__flags_the_duplicate(
    acme: Account,
) -> None:
    request_id = uuid4()
    with away():
        ask(acme, request_id=request_id)
    ask(acme, request_id=request_id)  # as a process would that has the database
    assert draining.drain() == 2
    assert Receipt.objects.count() == 2
    flagged = Receipt.objects.get(duplicates__isnull=False)
    assert flagged.duplicates is not None
    assert flagged.duplicates.request_id == request_id
    assert (flagged.state, flagged.status) == ("settled", "ok")


def test_drain__of_an_account_that_is_gone__is_in_the_log(
    acme: Account, caplog: pytest.LogCaptureFixture
) -> None:
    with away():
        ask(acme)
    acme.delete()
    assert draining.drain() == 2
    assert caplog.text.count("has no account any more") == 2
    assert spool.is_empty()


def test_fork__a_child_writes_a_file_of_its_own(acme: Account, settings: Settings) -> None:
    with away():
        ask(acme)
    child = os.fork()
    if child == 0:
        spool.append({"what": "open", "receipt": {}, "price": None})
        os._exit(0)
    os.waitpid(child, 0)
    assert len([*Path(settings.AI_SPOOL).iterdir()]) == 2


@COMMITTED
def test_request__of_a_known_account__reads_nothing_and_writes_twice(acme: Account) -> None:
    ask(acme)
    seen: list[str] = []

    def note(execute: Any, sql: str, *rest: Any) -> Any:
        seen.append(sql.partition(" ")[0])
        return execute(sql, *rest)

    with connection.execute_wrapper(note):
        ask(acme)
    assert seen == ["INSERT", "UPDATE"]


@COMMITTED
def test_connection__that_dies_during_the_call__costs_neither_answer_nor_receipt(
    acme: Account, postgresql: None, httpserver: HTTPServer
) -> None:
    def answer(_request: Request) -> Response:
        with psycopg.connect(**parameters) as other:
            other.execute("SELECT pg_terminate_backend(%s)", [pid])
        return Response(json.dumps(completion()), content_type="application/json")

    httpserver.expect_request("/v1/chat/completions").respond_with_handler(answer)
    core = AICore(acme, connections={"openai": Connection("sk-1", httpserver.url_for("/v1"))})
    parameters = connection.get_connection_params()
    parameters = {name: parameters[name] for name in ("dbname", "user", "host", "port")}
    for _ in range(3):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            (pid,) = cursor.fetchone()
        assert core.run_ai_request(TASK, "x").content == "Tyres are round."
    assert [row.state for row in Receipt.objects.all()] == ["settled"] * 3
    assert spool.is_empty()


@COMMITTED
def test_connection__that_dies_between_calls__is_made_anew(acme: Account, postgresql: None) -> None:
    ask(acme)
    parameters = connection.get_connection_params()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()
    names = ("dbname", "user", "host", "port")
    with psycopg.connect(**{name: parameters[name] for name in names}) as other:
        other.execute("SELECT pg_terminate_backend(%s)", [pid])
    ask(acme)
    assert Receipt.objects.filter(state=State.SETTLED).count() == 2
    assert spool.is_empty()


def test_close_receipts__says_what_it_has_done(acme: Account, manage: Manage) -> None:
    with away("UPDATE"):
        ask(acme)
    ask(acme)
    Receipt.objects.filter(pk=Receipt.objects.latest("pk").pk).update(
        state=State.OPEN, status="pending", cost=None
    )
    done = manage("close_receipts", "--minutes", "0")
    assert done.stdout == "1 entry from the disk, 1 closed.\n", done.stderr
    told = manage("close_receipts", "--minutes", "0", "--json").stdout
    assert json.loads(told) == {"closed": 0, "drained": 0}


def test_readyz__while_entries_wait__says_how_many_and_how_long(
    acme: Account, client: Client
) -> None:
    assert client.get("/readyz").json()["spool"] == {"entries": 0, "age_s": 0}
    with away():
        ask(acme)
    told = client.get("/readyz").json()
    assert (told["status"], told["faults"], told["spool"]["entries"]) == ("degraded", ["spool"], 2)


def test_spool__with_a_half_written_line_in_it__tells_it_and_loses_no_other(
    acme: Account, settings: Settings, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    with away():
        ask(acme)
        (file,) = Path(settings.AI_SPOOL).iterdir()
        with file.open("a") as end:
            end.write('{"what": "open", "rec')
        ask(acme)
    assert client.get("/readyz").status_code == 200
    draining.drain()
    assert "is not whole" in caplog.text
    assert Receipt.objects.filter(state=State.SETTLED).count() == 2
    assert spool.is_empty()


def test_spool__that_another_holds__is_waited_for_by_nobody(
    acme: Account, settings: Settings
) -> None:
    with away():
        ask(acme)
    (file,) = Path(settings.AI_SPOOL).iterdir()
    with file.open("r+b") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with away():
            ask(acme)  # it begins another file
        assert len([*Path(settings.AI_SPOOL).iterdir()]) > 1
        draining.drain()  # it passes over the one that is held
        assert file.exists()
    draining.drain()
    assert Receipt.objects.filter(state=State.SETTLED).count() == 2


def test_drain__of_an_entry_that_the_database_refuses__tells_it_and_goes_on(
    acme: Account, caplog: pytest.LogCaptureFixture
) -> None:
    with away():
        ask(acme)
    spool.append(
        {"what": spool.SETTLE, "receipt": {"account_id": acme.pk, "nope": 1}, "price": None}
    )
    with away():
        ask(acme)
    assert draining.drain() == 5
    assert "cannot be entered" in caplog.text
    assert Receipt.objects.count() == 2


def test_full_spool__still_takes_the_end_of_what_was_sent(
    acme: Account, settings: Settings
) -> None:
    with away("UPDATE"):
        settings.AI_SPOOL_MOST_BYTES = 0
        ask(acme)
    assert waiting.status().entries == 1
    assert draining.drain() == 1
    assert only().state == State.SETTLED


@COMMITTED
def test_request_id__twice_in_one_transaction__is_sent_once(
    acme: Account, settings: Settings
) -> None:
    settings.AI_TEST_CASE_TRANSACTIONS = 0
    request_id = uuid4()
    with transaction.atomic():
        ask(acme, request_id=request_id)
        with pytest.raises(RequestDone):
            ask(acme, request_id=request_id)
        with pytest.raises(RequestConflict):
            ask(acme, request_id=request_id, parameters={"temperature": 1})
    draining.drain()
    with transaction.atomic(), pytest.raises(RequestDone):
        ask(acme, request_id=request_id)
    assert only().request_id == request_id


@COMMITTED
def test_request_id__never_sent_and_again_in_a_transaction__is_one_receipt(
    acme: Account, settings: Settings
) -> None:
    request_id = uuid4()
    nowhere = AICore(acme, connections={"openai": Connection("sk-1", "http://127.0.0.1:1/v1")})
    with pytest.raises(ProviderUnreachable):
        nowhere.run_ai_request(TASK, "About tyres.", request_id=request_id)
    settings.AI_TEST_CASE_TRANSACTIONS = 0
    with transaction.atomic():
        ask(acme, request_id=request_id)
    draining.drain()
    assert (only().state, only().status, only().is_sent) == ("settled", "ok", True)
    with pytest.raises(RequestDone):
        ask(acme, request_id=request_id)


@COMMITTED
def test_requests__in_a_transaction_that_holds_the_account__do_not_wait_for_each_other(
    acme: Account, postgresql: None, settings: Settings
) -> None:
    settings.AI_TEST_CASE_TRANSACTIONS = 0
    with transaction.atomic():
        account = Account.objects.select_for_update().get(pk=acme.pk)
        ask(account)
        drainer = Thread(target=drain_and_close)
        drainer.start()  # it waits for the account
        ask(account)
    drainer.join(60)
    draining.drain()
    assert Receipt.objects.filter(state=State.SETTLED).count() == 2


def drain_and_close() -> None:
    draining.drain()
    connection.close()


@COMMITTED
def test_request__of_a_known_account__while_the_database_is_silent__waits_for_nothing(
    acme: Account,
) -> None:
    ask(acme)
    health = live._process.health
    health.database_is_asked()
    health.database_has_failed()
    try:
        with away():
            assert ask(acme).content
        assert waiting.status().entries == 2
    finally:
        health.database_has_answered()
    assert draining.drain() == 2
    assert Receipt.objects.filter(state=State.SETTLED).count() == 2

"""An operator in the admin of one process; a pipeline in another."""

from __future__ import annotations

import re
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, OpenerDirector, build_opener

import pytest

from tests.conftest import ROOT, environment
from tests.flags.live.test_liveness import Process, eventually


class Browser:
    """Signed in as the demo's operator."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._opener: OpenerDirector = build_opener(HTTPCookieProcessor(CookieJar()))
        self.post("/admin/login/", username="demo", password="demo")

    def post(self, path: str, **fields: str) -> str:
        form = self._opener.open(self._address + path).read().decode()
        found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', form)
        assert found
        data = urlencode({**fields, "csrfmiddlewaretoken": found[1]}).encode()
        answer: str = self._opener.open(self._address + path, data).read().decode()
        return answer


@pytest.fixture
def database(demo_database: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "db.sqlite3"
    copy.write_bytes(demo_database.read_bytes())
    return copy


@pytest.fixture
def address(database: Path) -> Iterator[str]:
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    server = subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, "manage.py", "runserver", f"127.0.0.1:{port}", "--noreload"],
        cwd=ROOT,
        env=environment(database),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            build_opener().open(f"http://127.0.0.1:{port}/livez")
            break
        except URLError:
            time.sleep(0.1)
    yield f"http://127.0.0.1:{port}"
    server.kill()
    server.wait()


def row_of(database: Path, table: str, column: str, value: str) -> str:
    with closing(sqlite3.connect(database)) as connection:
        query = f"SELECT id FROM {table} WHERE {column} = ?"  # noqa: S608 - the test's own words
        return str(connection.execute(query, [value]).fetchone()[0])


def test_override__set_in_the_admin__is_the_pipelines_answer_in_another_process(
    database: Path, address: str
) -> None:
    flag = row_of(database, "flags_flag", "name", "text")
    account = row_of(database, "accounts_account", "key", "acme")
    with closing(sqlite3.connect(database)) as connection:
        connection.execute(
            "INSERT INTO flags_variant (flag_id, key, value) VALUES (?, 'next', '\"gpt-5.2\"')",
            [flag],
        )
        connection.execute("UPDATE flags_head SET version = 'changed'")
        connection.commit()
    pipeline = Process({**environment(database), "FLAGS_POLL_S": "0.2"})
    try:
        before = pipeline.resolve()
        assert before[1] != "OVERRIDE"
        operator = Browser(address)
        operator.post(
            "/admin/flags/accountoverride/add/",
            account=account,
            flag=flag,
            variant="next",
            reason="they asked for it",
        )
        eventually(pipeline.resolve, ["gpt-5.2", "OVERRIDE"])
    finally:
        pipeline.end()

"""A process that is told to end settles what is under way; one that is killed leaves it open."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests.conftest import ROOT, environment

# However slow the machine is, a process that hangs ends the test.
PATIENCE_S = 120


@pytest.mark.parametrize(
    ("how", "state", "status"),
    [
        (signal.SIGTERM, "settled", "interrupted"),
        (signal.SIGINT, "settled", "interrupted"),
        (signal.SIGKILL, "open", "pending"),
    ],
)
def test_process__that_ends_in_the_middle_of_a_call__has_its_receipt(
    demo_database: Path,
    tmp_path: Path,
    httpserver: HTTPServer,
    how: signal.Signals,
    state: str,
    status: str,
) -> None:
    database = tmp_path / "db.sqlite3"
    shutil.copy(demo_database, database)
    is_asked, may_end = threading.Event(), threading.Event()

    def hang(_request: Request) -> Response:
        is_asked.set()
        may_end.wait(PATIENCE_S)
        return Response("{}", content_type="application/json")

    httpserver.expect_request("/v1/chat/completions").respond_with_handler(hang)
    process = subprocess.Popen(
        [sys.executable, "manage.py", "run_ai", "acme", "auto_cluster", "--prompt", "x"],
        cwd=ROOT,
        env={
            **environment(database),
            "OPENAI_API_KEY": "sk-1",
            "OPENAI_BASE_URL": httpserver.url_for("/v1"),
            "AI_PLAIN_HTTP": "true",
            "AI_SPOOL": str(tmp_path / "spool"),
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert is_asked.wait(PATIENCE_S)
        process.send_signal(how)
        assert process.wait(PATIENCE_S) != 0
    finally:
        may_end.set()
        process.kill()
    with sqlite3.connect(database) as connection:
        rows = connection.execute("SELECT state, status FROM usage_receipt ORDER BY id DESC")
        assert rows.fetchone() == (state, status)

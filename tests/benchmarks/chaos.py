"""What is lost when a provider fails, the database is cut off and a worker is killed: nothing.

`python -m tests.benchmarks.chaos` needs PostgreSQL at CHAOS_POSTGRESQL, by default the one of this
machine, and makes a database of its own there. Two processes of four threads make 2,000 calls to a
server that fails every fifth; the database is cut off for five seconds, and one process is killed.
"""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

ROOT = Path(__file__).resolve().parents[2]
POSTGRESQL = os.environ.get("CHAOS_POSTGRESQL", "postgres://postgres@127.0.0.1:5432")
DATABASE = "igny8_chaos"
THREADS, CALLS = 4, 250
CUT_AFTER_S, CUT_S, KILLED_AFTER_S = 3.0, 5.0, 5.0


class Provider(ThreadingHTTPServer):
    """Speaks OpenAI's protocol; notes each hit by its request id, and what it answered."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.hits: list[tuple[str, int]] = []
        self.random = random.Random(7)  # noqa: S311 - the same faults each time
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *_what: Any) -> None:
        """The killed worker's connections end in the middle."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Provider

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        time.sleep(0.02)
        status = 500 if self.server.random.random() < 0.2 else 200
        self.server.hits.append((self.headers["X-Client-Request-Id"], status))
        said = {
            "model": asked["model"],
            "choices": [{"index": 0, "finish_reason": "stop", "message": {"content": "ok"}}],
            "usage": {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12},
        }
        body = json.dumps(said if status == 200 else {}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_what: Any) -> None:
        pass


class Proxy:
    """Stands before the database; while it is cut, it takes nobody and drops everybody."""

    def __init__(self, host: str, port: int) -> None:
        self._to = host, port
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self.is_cut = False
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        port: int = self._socket.getsockname()[1]
        return port

    def cut(self) -> None:
        self.is_cut = True
        for each in [*self._open]:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        self.is_cut = False

    def _accept(self) -> None:
        while True:
            near, _ = self._socket.accept()
            if self.is_cut:
                near.close()
                continue
            far = socket.create_connection(self._to)
            self._open |= {near, far}
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._copy, args=(source, sink), daemon=True).start()

    def _copy(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        for each in (source, sink):
            with suppress(OSError):
                each.close()
            self._open.discard(each)


def environment(port: int, spool: str) -> dict[str, str]:
    parts = urlsplit(POSTGRESQL)
    return {
        **os.environ,
        "DATABASE_URL": f"postgres://{parts.username}@127.0.0.1:{port}/{DATABASE}",
        "REDIS_URL": "",
        "AI_SPOOL": spool,
        "AI_PLAIN_HTTP": "true",
        "SECRET_KEY": "s" * 50,
        "DEBUG": "false",
        "ENCRYPTION_KEYS": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
    }


def work(url: str) -> None:
    """In a worker: every call's id and what came of it, a line each."""
    import django

    django.setup()
    from igny8_core.ai.ai_core import AICore
    from igny8_core.ai.providers.base import Connection
    from igny8_core.modules.accounts.models import Account

    account = Account.objects.get(key="acme")
    core = AICore(account, connections={"openai": Connection("sk-1", url)})
    lock = threading.Lock()

    def calls() -> None:
        for _ in range(CALLS):
            request_id = str(uuid4())
            try:
                core.run_ai_request("generate_content", "x", request_id=request_id)
                came = "answer"
            except Exception as error:  # noqa: BLE001 - whatever it is, it is told
                came = type(error).__name__
            with lock:
                print(request_id, came, flush=True)

    threads = [threading.Thread(target=calls) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def manage(env: dict[str, str], *words: str) -> str:
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "manage.py", *words],
        env=env,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(done.stderr)
    return done.stdout


def prepare(env: dict[str, str]) -> None:
    import psycopg

    with psycopg.connect(POSTGRESQL + "/postgres", autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {DATABASE}")
    manage(env, "migrate", "--verbosity", "0")
    manage(
        env,
        "shell",
        "-c",
        "from constance import config; config.AI_CIRCUIT_FAILURES = 0; "
        "from igny8_core.modules.accounts.models import Account; "
        "Account.objects.create(key='acme', name='Acme')",
    )


def main() -> None:
    provider = Provider()
    parts = urlsplit(POSTGRESQL)
    proxy = Proxy(parts.hostname or "127.0.0.1", parts.port or 5432)
    with tempfile.TemporaryDirectory() as folder:
        env = environment(proxy.port, str(Path(folder) / "spool"))
        prepare(env)
        command = [sys.executable, "-m", "tests.benchmarks.chaos", "work", provider.url]
        env["DJANGO_SETTINGS_MODULE"] = "igny8_core.settings"
        workers = [
            subprocess.Popen(  # noqa: S603 - our own command
                command,
                env=env,
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            for _ in range(2)
        ]
        said: list[list[str]] = [[], []]
        readers = [
            threading.Thread(target=lambda n=n: said[n].extend(workers[n].stdout or []))
            for n in range(2)
        ]
        for reader in readers:
            reader.start()
        while len(provider.hits) < 50:
            time.sleep(0.1)
        time.sleep(CUT_AFTER_S)
        proxy.cut()
        time.sleep(CUT_S / 2)
        workers[1].send_signal(signal.SIGKILL)
        time.sleep(CUT_S / 2)
        proxy.mend()
        for reader in readers:
            reader.join()
        time.sleep(1)
        print(manage(env, "close_receipts", "--minutes", "0").strip())
        tell(provider, said, env)


def tell(provider: Provider, said: list[list[str]], env: dict[str, str]) -> None:
    text = manage(
        env,
        "shell",
        "-c",
        "import json; from igny8_core.modules.usage.models import Receipt; "
        "print(json.dumps([[str(r.request_id), r.state, r.status, len(r.attempts)] "
        "for r in Receipt.objects.all()]))",
    )
    receipts = json.loads(text.splitlines()[-1])
    kept = Counter(request_id for request_id, *_ in receipts)
    hits = Counter(request_id for request_id, _ in provider.hits)
    answered = {request_id for request_id, status in provider.hits if status == 200}
    came = dict(line.split() for lines in said for line in lines)
    withheld = [each for each in answered if each in came and came[each] != "answer"]
    wrong = [
        request_id
        for request_id, state, _, attempts in receipts
        if state == "settled" and attempts != hits[request_id]
    ]
    print(f"{len(came):,} calls, {len(provider.hits):,} hits, {Counter(came.values())}")
    print(f"receipts: {Counter(state for _, state, *_ in receipts)}")
    print(f"hits without exactly one receipt: {sum(kept[each] != 1 for each in hits)}")
    print(f"settled receipts that list other attempts than their hits: {len(wrong)}")
    print(f"answers that came and were withheld: {len(withheld)}")
    refused = Counter(came.values())["DatabaseAway"]
    print(f"calls of the known account that were not taken: {refused}")
    if any(kept[each] != 1 for each in hits) or wrong or withheld or refused:
        sys.exit("something was lost")


if __name__ == "__main__":
    work(sys.argv[2]) if sys.argv[1:2] == ["work"] else main()

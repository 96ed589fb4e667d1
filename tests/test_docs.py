"""Every example of the README and of docs/ is run, from the top of its page to its end.

In what a command prints, “…” stands for anything on its line, and alone on a line for any lines.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from django.test import Client

from tests.conftest import ROOT, Manage, environment

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
MANAGE = ".venv/bin/python manage.py "
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#:]+)[^)]*\)")

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)


class Example(NamedTuple):
    language: str
    text: str


def examples(page: Path) -> list[Example]:
    return [Example(*found.groups()) for found in FENCE.finditer(page.read_text())]


def commands(text: str) -> Iterator[tuple[str, list[str]]]:
    """Each command after a `$`, and the lines below it."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        yield command, output.rstrip("\n").splitlines()


def pattern_of(lines: list[str]) -> str:
    """Columns are as wide as what stands in them, so blanks count as one."""
    patterns = []
    for line in lines:
        words = re.sub(r"(\s|-){2,}", " ", line)
        told = re.escape(words.strip()).replace("…", ".*")
        patterns.append(r"(?:.*\n)*" if line == "…" else told + r"\s*\n")
    return "".join(patterns)


def shown(text: str) -> str:
    return "".join(
        re.sub(r"(\s|-){2,}", " ", line).strip() + "\n" for line in text.rstrip("\n").split("\n")
    )


def run(manage: Manage, command: str, output: list[str]) -> None:
    if command == "make demo":
        command, output = MANAGE + "demo", [*output[3:], "…"]  # the first three are make's own
    if not command.startswith(MANAGE):
        return  # make test, and the server, which the test below runs
    done = manage(*shlex.split(command.removeprefix(MANAGE)))
    told = done.stdout + done.stderr
    assert "Traceback" not in told
    assert re.fullmatch(pattern_of(output) if output else "(?s).*", shown(told)), told


@pytest.fixture
def client(client: Client, admin_client: Client) -> Client:
    return admin_client


@pytest.mark.usefixtures("tasks_again")
@pytest.mark.parametrize("paper", PAGES, ids=lambda paper: paper.stem)
def test_page__its_examples__run(
    paper: Path, manage: Manage, client: Client, settings: Any, tmp_path: Path
) -> None:
    settings.DEBUG = True  # as `make demo` writes it
    settings.STATIC_ROOT = tmp_path
    known: dict[str, Any] = {}
    for example in examples(paper):
        match example.language:
            case "python":
                exec(compile(example.text, paper.name, "exec"), known)  # noqa: S102
            case "json":
                known["text"] = example.text
                json.loads(example.text)
            case "" if example.text.startswith("$ "):
                for command, output in commands(example.text):
                    run(manage, command, output)
            case "" if example.text.startswith(("GET ", "POST ")):
                ask(client, example.text)


def ask(client: Client, text: str) -> None:
    """A request, and below it the status and the body of its answer."""
    lines = iter(text.splitlines())
    for request, answer in zip(lines, lines, strict=True):
        method, path, *body = request.split(" ", 2)
        status, _, wanted = answer.partition(" ")
        sent = json.loads(body[0]) if body else None
        got = (
            client.get(path)
            if method == "GET"
            else client.post(path, sent, content_type="application/json")
        )
        assert got.status_code == int(status)
        assert re.fullmatch(
            re.escape(re.sub(r"[\s]", "", wanted)).replace("…", '("[^"]*"|[0-9]+)'),
            re.sub(r"[\s]", "", json.dumps(got.json(), ensure_ascii=False)),
        ), got.json()


def test_operations__the_servers_command__serves(demo_database: Path, tmp_path: Path) -> None:
    told = [
        command
        for each in examples(ROOT / "docs" / "operations.md")
        for command, _ in commands(each.text)
    ]
    (granian,) = (command for command in told if "granian" in command)
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = str(free.getsockname()[1])
    program, *options = shlex.split(granian)
    server = subprocess.Popen(  # noqa: S603 - the documentation's own command
        [Path(sys.executable).with_name(Path(program).name), "--port", port, *options],
        cwd=ROOT,
        env={**environment(demo_database), "FLAGS_SNAPSHOT_FILE": str(tmp_path / "copy")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        assert answered(f"http://127.0.0.1:{port}/readyz")["status"] == "ok"
    finally:
        # A worker that is being started may miss the server's word to stop.
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def answered(address: str) -> Any:
    """The JSON at the address, once something answers there."""
    deadline_s = time.monotonic() + 120
    while True:
        try:
            with urlopen(address) as answer:  # noqa: S310 - on this machine
                return json.load(answer)
        except URLError:
            if time.monotonic() > deadline_s:
                raise
            time.sleep(0.1)


@pytest.mark.parametrize("paper", PAGES, ids=lambda paper: paper.stem)
def test_page__its_links__lead_somewhere(paper: Path) -> None:
    for link in LINK.findall(paper.read_text()):
        assert (paper.parent / link).exists(), link


def test_readme__is_short() -> None:
    assert len(PAGES[0].read_text().splitlines()) <= 200

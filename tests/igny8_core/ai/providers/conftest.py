"""aimock, which speaks the protocols of OpenAI, Anthropic and Google, for the tests beside it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT, service

# The only key that the server takes.
KEY = "sk-good-0123456789"
_ANSWERS = ROOT / "tests" / "aimock" / "fixtures.json"
# Where `make test` installs it, beside the Python that runs the tests.
_MODULES = Path(sys.executable).parents[1] / "aimock" / "node_modules"
_COMMAND = _MODULES / "@copilotkit" / "aimock" / "dist" / "cli.js"
_STARTS_WITHIN_S = 60


@pytest.fixture(scope="session")
def _server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    log = tmp_path_factory.mktemp("aimock") / "log"
    with log.open("w") as out:
        process = subprocess.Popen(  # noqa: S603 - our own command
            ["node", _COMMAND, "-p", "0", "-f", _ANSWERS],  # noqa: S607
            stdout=out,
            stderr=out,
            env={**os.environ, "AIMOCK_API_KEYS": KEY},
        )
    try:
        yield _address(log)
    finally:
        process.kill()
        process.wait()


def _address(log: Path) -> str:
    ends_s = time.monotonic() + _STARTS_WITHIN_S
    while time.monotonic() < ends_s:
        if found := re.search(r"listening on (http://\S+)", log.read_text()):
            return found[1]
        time.sleep(0.05)
    pytest.fail(f"aimock has not started: {log.read_text()}")


@pytest.fixture
def aimock(request: pytest.FixtureRequest) -> str:
    """Its address; a test is skipped where Node or the package is missing."""
    service("aimock", is_there=_COMMAND.exists() and shutil.which("node") is not None)
    address: str = request.getfixturevalue("_server")
    return address

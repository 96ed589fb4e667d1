"""The structure that `make lint` holds: a planted violation of each kind is caught."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

UPWARD = "The house: arrows run one way"
CIRCLE = "No two files and no two folders import each other"
PLANTED = {
    "upward arrow": ("igny8_core/pricing/money.py", "import igny8_core.catalogue.errors", UPWARD),
    "inside a function": (
        "igny8_core/modules/system/keys.py",
        "def later():\n    import igny8_core.ai.errors",
        UPWARD,
    ),
    "for types alone": (
        "flags/engine/times.py",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import flags.engine.traits",
        "The engine: arrows run one way",
    ),
    "two files": ("flags/document/export.py", "import flags.document.check", CIRCLE),
    "two folders": ("flags/accounts/facts.py", "import flags.live.copy", CIRCLE),
    "behind the face": (
        "igny8_core/modules/usage/receipts.py",
        "import flags.document.export",
        "The house asks flags by its faces alone",
    ),
    "a framework in a pure room": (
        "igny8_core/tasks/needs.py",
        "import django.conf",
        "The pure rooms reach no framework and no flags, not even indirectly",
    ),
}


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What the linter says of a copy of the house, without a violation ("") and with each."""
    copy = tmp_path_factory.mktemp("house")
    for name in ("igny8_core", "flags"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", copy)
    found = {"": linted(copy)}
    for name, (file, code, _) in PLANTED.items():
        path = copy / file
        text = path.read_text()
        path.write_text(f"{text}\n\n{code}\n")
        found[name] = linted(copy)
        path.write_text(text)
    return found


def linted(folder: Path) -> list[str]:
    """The contracts that are broken."""
    program = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", program, "--no-logo"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert "kept" in done.stdout, done.stdout + done.stderr
    return re.findall(r"^(.+) BROKEN", done.stdout, re.MULTILINE)


def test_imports__as_they_are__hold(broken: dict[str, list[str]]) -> None:
    assert broken[""] == []


@pytest.mark.parametrize("name", PLANTED)
def test_imports__planted_violation__is_caught(broken: dict[str, list[str]], name: str) -> None:
    assert PLANTED[name][2] in broken[name]


def test_files__over_200_lines__are_few_and_say_why() -> None:
    files = [file for name in ("igny8_core", "flags") for file in (ROOT / name).rglob("*.py")]
    ours = [file for file in files if "migrations" not in file.parts]
    long = [file for file in ours if len(file.read_text().splitlines()) > 200]
    assert len(long) <= 10
    assert [file.name for file in long if "Over 200 lines: " not in file.read_text()] == []


def test_pipeline__has_twelve_modules_at_most() -> None:
    assert len([*(ROOT / "igny8_core" / "ai").glob("[!_]*.py")]) <= 12

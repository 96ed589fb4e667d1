"""A host's own tests, by Django's runner."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.conftest import ROOT, environment, run_manage, service


def host_environment(folder: Path) -> dict[str, str]:
    """As docs/operations.md has it: a host's test has its database to itself."""
    return {**environment(folder / "db.sqlite3"), "FLAGS_THREAD": "false"}


@pytest.mark.parametrize("labels", [["Flushed", "FlushedAgain"], ["InATransaction", "Flushed"]])
def test_override_flag__after_transactional_tests__works(labels: list[str], tmp_path: Path) -> None:
    names = [f"tests.hosts.flushed.{label}" for label in labels]
    done = run_manage("test", *names, env=host_environment(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "\nOK\n" in done.stderr


# Waffle deals its percentage by a die for each browser, ours by the account.
_FAILED = r"^(?:FAIL|ERROR): \w+ \(waffle\.tests\.([\w.]+)\)"
NOT_OURS = {
    "test_mixin.WaffleFlagMixinTest.test_override_with_cookie",
    "test_waffle.FunctionTests.test_percent",
    "test_waffle.WaffleTests.test_percent",
    "test_waffle.WaffleTests.test_persist_active_flag",
    "test_waffle.WaffleTests.test_persist_inactive_flag",
    "test_waffle.WaffleTests.test_reroll",
}


def test_waffle__its_own_tests__pass_on_our_flag(tmp_path: Path) -> None:
    """Unmodified, from its source distribution, which is fetched now and not kept."""
    requirements = (ROOT / "requirements.txt").read_text().splitlines()
    (pinned,) = [line for line in requirements if line.startswith("django-waffle==")]
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(tmp_path)]
    got = subprocess.run(  # noqa: S603 - our own command
        [*pip, "--no-binary", "django-waffle", pinned], capture_output=True, text=True, check=False
    )
    service("a package registry", is_there=got.returncode == 0)
    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as source:
        source.extractall(tmp_path, filter="data")
    (folder,) = [each for each in tmp_path.iterdir() if each.is_dir()]
    shutil.rmtree(folder / "test_app")  # ours is in its place
    host = ROOT / "tests" / "hosts" / "waffle_host"
    paths = os.pathsep.join(map(str, [host, folder, ROOT]))
    env = {**os.environ, **host_environment(tmp_path), "PYTHONPATH": paths}
    done = subprocess.run(
        [sys.executable, "-m", "django", "test", "waffle"],
        env={**env, "DJANGO_SETTINGS_MODULE": "host_settings"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert re.search(r"^Ran 1\d\d tests", done.stderr, re.MULTILINE), done.stderr
    failed = re.findall(_FAILED, done.stderr, re.MULTILINE)
    assert {*failed} == NOT_OURS, done.stderr

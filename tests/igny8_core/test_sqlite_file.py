"""The database's file is for its owner alone."""

from __future__ import annotations

import sqlite3
import stat
from pathlib import Path

from tests.conftest import environment, run_manage


def test_database_file__new_or_open_to_all__becomes_its_owners(tmp_path: Path) -> None:
    path = tmp_path / "db.sqlite3"
    for _ in range(2):
        done = run_manage("migrate", "--verbosity=0", "contenttypes", env=environment(path))
        assert done.returncode == 0, done.stderr
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        path.chmod(0o644)


def test_database_file__with_its_log_open_to_all__becomes_its_owners(tmp_path: Path) -> None:
    path = tmp_path / "db.sqlite3"
    env = environment(path)
    assert run_manage("migrate", "--verbosity=0", "contenttypes", env=env).returncode == 0
    path.chmod(0o644)
    keep = sqlite3.connect(path)
    keep.execute("PRAGMA journal_mode=WAL")
    keep.execute("CREATE TABLE t (x)")
    beside = [path.with_name(f"db.sqlite3-{end}") for end in ("wal", "shm")]
    for each in beside:
        each.chmod(0o644)
    assert run_manage("migrate", "--verbosity=0", "contenttypes", env=env).returncode == 0
    assert [stat.S_IMODE(each.stat().st_mode) for each in (path, *beside)] == [0o600] * 3
    keep.close()

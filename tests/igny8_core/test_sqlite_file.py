"""The database's file is for its owner alone."""

from __future__ import annotations

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

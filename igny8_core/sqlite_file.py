"""Keeps the database's file, where it is one, from other users of the machine."""

from __future__ import annotations

import logging
import os
import stat
from typing import Any, Final

from django.db.backends.base.base import BaseDatabaseWrapper

logger = logging.getLogger(__name__)

_OWNER_ONLY: Final = 0o600


def keep_private(connection: BaseDatabaseWrapper, **_signal: Any) -> None:
    """A receiver of `connection_created`. The log and index beside the file may be there already.

    SQLite gives those that it makes later the mode of the file.
    """
    path = str(connection.settings_dict["NAME"])
    if connection.vendor != "sqlite":
        return
    for name in (path, f"{path}-wal", f"{path}-shm"):
        if os.path.isfile(name):  # noqa: PTH113 - it may be a URI
            _keep_private(name)


def _keep_private(path: str) -> None:
    try:
        mode = stat.S_IMODE(os.stat(path).st_mode)  # noqa: PTH116
        if mode & ~_OWNER_ONLY:
            os.chmod(path, _OWNER_ONLY)  # noqa: PTH101
    except FileNotFoundError:  # the last connection that closes takes them away
        return
    except OSError as error:
        logger.warning("%s can be read by other users: %s", path, error)

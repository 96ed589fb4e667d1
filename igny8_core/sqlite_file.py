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
    """A receiver of `connection_created`. SQLite gives its other files the mode of this one."""
    path = str(connection.settings_dict["NAME"])
    if connection.vendor != "sqlite" or not os.path.isfile(path):  # noqa: PTH113 - it may be a URI
        return
    mode = stat.S_IMODE(os.stat(path).st_mode)  # noqa: PTH116
    if mode & ~_OWNER_ONLY:
        try:
            os.chmod(path, _OWNER_ONLY)  # noqa: PTH101
        except PermissionError:
            logger.warning("The database's file can be read by other users: its mode is %o.", mode)

"""A column of long text, kept compressed."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any, Final

from django.db import models

if TYPE_CHECKING:
    _Column = models.BinaryField[str, str]
else:
    _Column = models.BinaryField

# Of what is decompressed: far above any document, so that no stored bytes fill the memory.
_MOST: Final = 256 * 1024 * 1024


class CompressedTextField(_Column):
    """Text to Python, zlib to the database. What cannot be decompressed is read as no text at all.

    Nothing can be looked up inside it.
    """

    description = "Text, compressed"

    # For the type checker: what may be assigned.
    _pyi_private_set_type: Any

    def from_db_value(
        self, value: bytes | memoryview | str | None, *_context: object
    ) -> str | None:
        if value is None or isinstance(value, str):  # a database before its migration
            return value
        try:
            return zlib.decompressobj().decompress(value, _MOST).decode()
        except (zlib.error, UnicodeDecodeError):
            return ""

    def get_prep_value(self, value: Any) -> Any:
        return zlib.compress(value.encode()) if isinstance(value, str) else value

    def to_python(self, value: Any) -> Any:
        return value

    def value_to_string(self, obj: models.Model) -> Any:
        """For fixtures: the text itself."""
        return self.value_from_object(obj)

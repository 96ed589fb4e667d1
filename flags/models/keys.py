"""The names that flags, segments, variants and traits may have."""

from __future__ import annotations

import re
from typing import Final

from django.core.exceptions import ValidationError

from flags.engine.traits import KEY

KEY_PATTERN: Final = re.compile(r"[a-z0-9][a-z0-9._-]*")
TRAIT_PATTERN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Soft hyphen, zero widths, marks of direction, joiners and the byte order mark.
INVISIBLE_PATTERN: Final = re.compile(
    "[\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]"
)
# The traits that say which segments' long lists have the account; the export declares them.
INCLUDED: Final = "in_segments"
EXCLUDED: Final = "out_of_segments"
# Traits that are never said from outside.
RESERVED: Final = frozenset({KEY, INCLUDED, EXCLUDED})


def check_key(key: str) -> None:
    """A validator; raises ValidationError."""
    if not KEY_PATTERN.fullmatch(key):
        message = f"“{key}” is not a key: use a-z, 0-9, dot, dash and underscore."
        raise ValidationError(message)


def check_visible(text: str) -> None:
    """A validator; raises ValidationError for characters that two texts can differ by unseen."""
    found = INVISIBLE_PATTERN.search(text)
    if found:
        message = f"“{text}” has an invisible character in it: U+{ord(found[0]):04X}."
        raise ValidationError(message)


def check_trait_name(name: str) -> None:
    """A validator; raises ValidationError."""
    if not TRAIT_PATTERN.fullmatch(name):
        message = f"“{name}” is not a trait's name: use letters, digits and underscore."
        raise ValidationError(message)
    if name in RESERVED:
        message = f"“{name}” is a trait that every account has; it is not declared."
        raise ValidationError(message)

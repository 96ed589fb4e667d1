"""The operators' pages."""

from __future__ import annotations

from flags.admin import flags, overrides, revisions, segments, switches

__all__ = ["flags", "overrides", "revisions", "segments", "switches"]

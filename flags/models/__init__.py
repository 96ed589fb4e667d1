"""Every row of the app, for Django: those that operators edit, and what was published."""

from flags.models.account_change import AccountChange
from flags.models.flag import Flag, flag_by_name
from flags.models.flag_names import KeptFlag, UnknownFlag
from flags.models.override import AccountOverride
from flags.models.pending import Head
from flags.models.revision import Revision
from flags.models.rule import Rule, Variant
from flags.models.segment import Segment, SegmentMember
from flags.models.trait import Trait

__all__ = [
    "AccountChange",
    "AccountOverride",
    "Flag",
    "Head",
    "KeptFlag",
    "Revision",
    "Rule",
    "Segment",
    "SegmentMember",
    "Trait",
    "UnknownFlag",
    "Variant",
    "flag_by_name",
]

"""The rows that operators edit; the flag's own class, which waffle calls, is in models.py."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from threading import get_ident
from typing import Any, ClassVar, Final
from uuid import uuid4

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import connection, models, transaction
from django.dispatch import Signal
from django.utils import timezone
from waffle import get_waffle_flag_model
from waffle.managers import FlagManager as WaffleManager
from waffle.models import AbstractUserFlag

from flags.engine.plain import MAX_ITEMS
from flags.engine.traits import KEY, Type
from flags.fields import JsonField

KEY_PATTERN: Final = re.compile(r"[a-z0-9][a-z0-9._-]*")
TRAIT_PATTERN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# The traits that say which segments' long lists have the account; the export declares them.
INCLUDED: Final = "in_segments"
EXCLUDED: Final = "out_of_segments"
# Traits that are never said from outside.
RESERVED: Final = frozenset({KEY, INCLUDED, EXCLUDED})
# What a boolean flag without variants of its own answers.
ON_OFF: Final = {"on": True, "off": False}


def check_key(key: str) -> None:
    if not KEY_PATTERN.fullmatch(key):
        message = f"“{key}” is not a key: use a-z, 0-9, dot, dash and underscore."
        raise ValidationError(message)


def check_trait_name(name: str) -> None:
    if not TRAIT_PATTERN.fullmatch(name):
        message = f"“{name}” is not a trait's name: use letters, digits and underscore."
        raise ValidationError(message)
    if name in RESERVED:
        message = f"“{name}” is a trait that every account has; it is not declared."
        raise ValidationError(message)


class Head(models.Model):
    """One row, which every change of what is published rewrites in its own transaction."""

    version = models.CharField(max_length=32)
    published = models.CharField(
        max_length=32, default="", help_text="The version that the last revision was made of."
    )

    PK: Final = 1

    def __str__(self) -> str:
        return self.version


class Revision(models.Model):
    """What was published: one immutable, numbered document."""

    number = models.PositiveBigIntegerField(primary_key=True)
    text = models.TextField(help_text="The document as canonical JSON.")
    checksum = models.CharField(max_length=64, help_text="SHA-256 of the text.")
    author = models.CharField(max_length=200, blank=True)
    comment = models.CharField(max_length=500, blank=True)
    summary = models.JSONField(default=list, help_text="What changed, a sentence each.")
    parent = models.ForeignKey(
        "self", null=True, on_delete=models.SET_NULL, related_name="+", help_text="The one before."
    )
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering: ClassVar = ["-number"]

    def __str__(self) -> str:
        return f"Revision {self.number}"


# Sent when a transaction that changed something has committed, and when one that published has.
committed = Signal()
published = Signal()
# Sent before facts about accounts change by what sends no signal: their `keys`; None: of all.
told_of_accounts = Signal()


class OpenChange:
    """A change in the open transaction; a rollback forgets it."""

    def __call__(self) -> None:
        """When it commits."""
        next(open_changes(), None)
        self.has_committed()

    def has_committed(self) -> None:
        raise NotImplementedError


# The threads that may have an open transaction with changes; most often there is none.
changing: Final[set[int]] = set()


def forget_ended_threads() -> None:
    """A thread that ended after a rollback has left its number."""
    left = [*changing]
    there = sys._current_frames()
    for ident in left:
        if ident not in there:
            changing.discard(ident)


def on_commit(change: OpenChange) -> None:
    changing.add(get_ident())
    transaction.on_commit(change)


def open_changes() -> Iterator[OpenChange]:
    """Those of this thread's open transaction, the last first; nobody else sees them yet."""
    if get_ident() not in changing:
        return
    hooks = (entry[1] for entry in reversed(connection.run_on_commit))
    changes = (hook for hook in hooks if isinstance(hook, OpenChange))
    last = next(changes, None)
    if last is None:
        changing.discard(get_ident())
    else:
        yield last
        yield from changes


class _Mark(OpenChange):
    """A change of what is published; `follows` another of the same transaction."""

    def __init__(self, *, follows: bool) -> None:
        self.follows = follows

    def has_committed(self) -> None:
        """The first of a transaction tells of all."""
        if not self.follows:
            committed.send(sender=Head)


class _Published(_Mark):
    """What has changed before this mark was published in the open transaction."""


def mark_changed() -> None:
    """What is published has changed; others see it when the transaction commits.

    Before the change itself, so that all changes lock the head row first.
    """
    last = uncommitted()
    if last is None or isinstance(last, _Published):
        version = uuid4().hex
        if not Head.objects.filter(pk=Head.PK).update(version=version):
            Head.objects.update_or_create(pk=Head.PK, defaults={"version": version})
    on_commit(_Mark(follows=last is not None))


def mark_published() -> None:
    """What the tables say now is published; a further change in this transaction is another."""
    Head.objects.filter(pk=Head.PK).update(published=models.F("version"))
    last = uncommitted()
    if last is not None:
        on_commit(_Published(follows=True))


def uncommitted() -> object | None:
    """The last mark of this thread's open transaction."""
    return next((change for change in open_changes() if isinstance(change, _Mark)), None)


def lock_head() -> None:
    """Have changes one after the other, until the transaction ends."""
    Head.objects.get_or_create(pk=Head.PK)
    list(Head.objects.select_for_update().filter(pk=Head.PK))


class PublishedQuerySet(models.QuerySet[Any]):
    """Changes that send no signal say themselves that what is published has changed."""

    def update(self, **values: Any) -> int:
        with transaction.atomic(using=self.db):
            mark_changed()
            if self.model.NAME in values:
                told_of_accounts.send(sender=self.model, keys=None)
            return super().update(**values)

    update.alters_data = True  # type: ignore[attr-defined]

    def bulk_create(self, objs: Iterable[Any], *args: Any, **options: Any) -> list[Any]:
        with transaction.atomic(using=self.db):
            mark_changed()
            return super().bulk_create(objs, *args, **options)


class Published(models.Model):
    """A row of what is published: the head row changes in the same transaction."""

    # The column by which facts about accounts refer to it.
    NAME: ClassVar[str | None] = None

    class Meta:
        abstract = True

    def save(self, *args: Any, **options: Any) -> None:
        with transaction.atomic(using=options.get("using")):
            mark_changed()
            if self.NAME and not self._state.adding:
                same = {"pk": self.pk, self.NAME: getattr(self, self.NAME)}
                if not type(self)._base_manager.filter(**same).exists():
                    told_of_accounts.send(sender=type(self), keys=None)
            super().save(*args, **options)


# Of more accounts at once all are forgotten.
_TOLD: Final = 100


class FactsQuerySet(models.QuerySet[Any]):
    """Of rows that say something about accounts: changes that send no signal tell of them."""

    # Where the account's key is.
    ACCOUNT: ClassVar = "key"

    def update(self, **values: Any) -> int:
        with transaction.atomic(using=self.db):
            keys = [*self.order_by().values_list(self.ACCOUNT, flat=True)[: _TOLD + 1]]
            if keys:
                told_of_accounts.send(sender=self.model, keys=keys if len(keys) <= _TOLD else None)
            return super().update(**values)

    update.alters_data = True  # type: ignore[attr-defined]

    def bulk_create(self, *args: Any, **options: Any) -> list[Any]:
        with transaction.atomic(using=self.db):
            told_of_accounts.send(sender=self.model, keys=None)
            return super().bulk_create(*args, **options)


class FlagManager(WaffleManager.from_queryset(PublishedQuerySet)):  # type: ignore[misc]
    KEY_SETTING = "ALL_FLAGS_CACHE_KEY"


class Kind(models.TextChoices):
    BOOL = "bool", "Boolean"
    STR = "str", "Text"
    INT = "int", "Whole number"
    NUM = "num", "Number"
    JSON = "json", "JSON"


class AbstractFlag(Published, AbstractUserFlag):
    """A named question asked about an account: waffle's flag, with what the engine adds."""

    kind = models.CharField(
        max_length=4, choices=Kind.choices, default=Kind.BOOL, help_text="What its answers are."
    )
    is_on = models.BooleanField(
        "on",
        default=True,
        help_text="Off: the rules are not asked, and every account gets the off variant.",
    )
    off_variant = models.CharField(
        max_length=200, blank=True, help_text="Served while the flag is off; empty: nothing."
    )
    active_variant = models.CharField(
        max_length=200,
        blank=True,
        help_text=(
            "What Everyone: Yes and Percent serve. "
            "Empty: the true variant of a boolean flag; other kinds must name it."
        ),
    )
    default = JsonField(
        null=True,
        blank=True,
        default=None,
        help_text='Served where no rule matches: {"variant": …} or {"split": {…}}; empty: nothing.',
    )
    requires = JsonField(
        default=list,
        blank=True,
        help_text='Flags that must be decided first: [{"flag": …, "variants": [...]}].',
    )
    vocabulary = models.CharField(
        max_length=200, blank=True, help_text="Where a text flag's values must come from."
    )
    salt = models.CharField(
        max_length=200,
        blank=True,
        help_text=(
            "Decides which accounts a share or split has. Empty: the name; "
            "changing it deals all accounts anew."
        ),
    )

    NAME = "name"

    objects: ClassVar[Any] = FlagManager()

    # The rows of models below.
    variants: Any
    rules: Any

    class Meta(AbstractUserFlag.Meta):
        abstract = True
        ordering: ClassVar = ["name"]

    def save(self, *args: Any, **options: Any) -> None:
        """Raises ValidationError for a name that is no key."""
        check_key(self.name)
        if self._state.adding and not self.salt:
            self.salt = self.name  # so that a new name deals nobody anew
        super().save(*args, **options)

    def values(self) -> dict[str, Any]:
        """The value of each variant, by key."""
        rows: Iterable[Variant] = self.variants.all()
        values = {row.key: row.value for row in rows}
        return values or (dict(ON_OFF) if self.kind == Kind.BOOL else {})


def flag_model() -> Any:
    """The AbstractFlag of this project, in use as waffle's."""
    return get_waffle_flag_model()


class UnknownFlag(LookupError):
    def __init__(self, name: str) -> None:
        super().__init__(f"There is no flag “{name}”. `manage.py flag list` lists them.")


def flag_by_name(name: str) -> Any:
    """One query; raises UnknownFlag."""
    flag = flag_model().objects.filter(name=name).first()
    if flag is None:
        raise UnknownFlag(name)
    return flag


class Variant(Published):
    """One of a flag's possible answers."""

    flag = models.ForeignKey("flags.Flag", on_delete=models.CASCADE, related_name="variants")
    key = models.CharField(max_length=200, validators=[check_key])
    value = JsonField()

    objects: ClassVar[Any] = PublishedQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["flag", "key"], name="one_variant_per_flag_and_key"),
        ]

    def __str__(self) -> str:
        return self.key


class Rule(Published):
    """When … serve …: a flag's rules are asked in order of their positions."""

    flag = models.ForeignKey("flags.Flag", on_delete=models.CASCADE, related_name="rules")
    position = models.PositiveIntegerField(default=0, db_index=True)
    rule_id = models.CharField(
        "id",
        max_length=200,
        blank=True,
        help_text="What answers and receipts name; empty: the next free one.",
    )
    name = models.CharField(max_length=200, blank=True)
    when = JsonField(
        default=list,
        blank=True,
        help_text="Clauses that must all hold; empty: every account.",
    )
    serve = JsonField(
        help_text='A variant, or a split such as {"split": {"mini": 90, "next": 10}}.',
    )
    starts_at = models.DateTimeField("from", null=True, blank=True)
    ends_at = models.DateTimeField("until", null=True, blank=True)
    group = models.CharField(
        max_length=200,
        blank=True,
        help_text="Rules of one group, in any flag, have shares that do not overlap.",
    )

    objects: ClassVar[Any] = PublishedQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["position", "pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["flag", "rule_id"], name="one_rule_per_flag_and_id"),
        ]

    def __str__(self) -> str:
        return self.name or self.rule_id

    def save(self, *args: Any, **options: Any) -> None:
        if not self.rule_id:
            self.rule_id = next_rule_id(self.flag.rules.values_list("rule_id", flat=True))
        super().save(*args, **options)


def next_rule_id(used: Iterable[str]) -> str:
    """`r<n>`, above every number in use."""
    numbers = [int(each[1:]) for each in used if re.fullmatch(r"r[0-9]{1,9}", each)]
    return f"r{max(numbers, default=0) + 1}"


class Segment(Published):
    """A reusable named set of accounts: excluded, else included, else any group of clauses."""

    NAME = "key"

    key = models.CharField(max_length=200, unique=True, validators=[check_key])
    note = models.TextField(blank=True)
    rules = JsonField(
        default=list,
        blank=True,
        help_text="Groups of clauses, [[…], […]]: an account is in where all of one group hold.",
    )
    include = JsonField(default=list, blank=True)
    exclude = JsonField(default=list, blank=True)
    is_long = models.BooleanField(
        default=False,
        editable=False,
        help_text=f"Its lists are rows of their own, because one has over {MAX_ITEMS:,} accounts.",
    )

    objects: ClassVar[Any] = PublishedQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["key"]

    def __str__(self) -> str:
        return self.key

    def lists(self) -> tuple[list[str], list[str]]:
        """The included and the excluded accounts."""
        if not self.is_long:
            return self.include, self.exclude
        rows = list(self.members.order_by("pk").values_list("key", "is_excluded"))
        return [key for key, out in rows if not out], [key for key, out in rows if out]

    @staticmethod
    def check_lists(include: Sequence[str], exclude: Sequence[str]) -> None:
        """Raises ValidationError for an account in both, or twice in one."""
        for which, keys in (("included", include), ("excluded", exclude)):
            counted = Counter(keys)
            twice = next((key for key, count in counted.items() if count > 1), None)
            if twice is not None:
                message = f"“{twice}” is {which} twice."
                raise ValidationError(message)
        excluded = {*exclude}
        both = next((key for key in include if key in excluded), None)
        if both is not None:
            message = f"“{both}” is both included and excluded."
            raise ValidationError(message)

    @transaction.atomic
    def set_lists(self, include: Sequence[str], exclude: Sequence[str]) -> None:
        """Save the segment with these accounts: in the document, or as rows where they are many.

        Raises ValidationError as check_lists does.
        """
        self.check_lists(include, exclude)
        self.is_long = max(len(include), len(exclude)) > MAX_ITEMS
        self.include, self.exclude = ([], []) if self.is_long else (list(include), list(exclude))
        self.save()
        told_of_accounts.send(sender=SegmentMember, keys=None)
        members = self.members.all()
        members._raw_delete(members.db)
        if self.is_long:
            rows = [
                SegmentMember(segment=self, key=key, is_excluded=is_excluded)
                for is_excluded, keys in ((False, include), (True, exclude))
                for key in keys
            ]
            SegmentMember.objects.bulk_create(rows, batch_size=1000)


class SegmentMember(models.Model):
    """An account in a segment's long list: a fact about the account, read when it is asked for."""

    segment = models.ForeignKey(Segment, on_delete=models.CASCADE, related_name="members")
    key = models.CharField(max_length=200, db_index=True, help_text="The account's key.")
    is_excluded = models.BooleanField(default=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["segment", "key"], name="one_member_per_segment"),
        ]

    def __str__(self) -> str:
        return f"{self.key} {'out of' if self.is_excluded else 'in'} {self.segment}"


class AccountChange(models.Model):
    """Facts about an account have changed; every process forgets what it has read of them."""

    key = models.CharField(max_length=200, blank=True, help_text="The account's; empty: all.")

    def __str__(self) -> str:
        return self.key


class Trait(Published):
    """A declared, typed fact about accounts."""

    name = models.CharField(max_length=200, unique=True, validators=[check_trait_name])
    type = models.CharField(max_length=5, choices=[(kind.value, kind.value) for kind in Type])
    note = models.TextField(blank=True)

    objects: ClassVar[Any] = PublishedQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        return self.name


class OverrideQuerySet(FactsQuerySet):
    ACCOUNT = "account__key"

    def in_force(self, at: datetime) -> OverrideQuerySet:
        return self.filter(
            models.Q(expires_at=None) | models.Q(expires_at__gt=at),
            paused=False,
        )


class AccountOverride(models.Model):
    """An operator's answer for one account on one flag."""

    account = models.ForeignKey(
        settings.FLAGS_ACCOUNT_MODEL, on_delete=models.CASCADE, related_name="flag_overrides"
    )
    flag = models.ForeignKey("flags.Flag", on_delete=models.CASCADE, related_name="overrides")
    variant = models.CharField(max_length=200, help_text="The flag's variant that it gets.")
    reason = models.CharField(max_length=500, help_text="Why, for those who ask later.")
    author = models.CharField(max_length=200, blank=True, editable=False)
    expires_at = models.DateTimeField(
        null=True, blank=True, help_text="It stops at this second; empty: it stays."
    )
    paused = models.BooleanField(default=False, help_text="Kept, and not in force.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = OverrideQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-created_at", "-pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["account", "flag"],
                condition=models.Q(paused=False),
                name="one_live_override_per_account_and_flag",
                violation_error_message="This account has a live override of this flag already.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.account}: {self.flag} is {self.variant}"

    @property
    def state(self) -> str:
        """`live`, `paused` or `expired`."""
        if self.paused:
            return "paused"
        is_over = self.expires_at is not None and self.expires_at <= timezone.now()
        return "expired" if is_over else "live"

    def clean(self) -> None:
        super().clean()
        if self._state.adding and self.expires_at is not None and self.expires_at <= timezone.now():
            raise ValidationError({"expires_at": "That is over already."})
        if self.flag_id is not None:
            self._check_variant()

    def validate_constraints(self, exclude: Collection[str] | None = None) -> None:
        """One that has expired does not stand in the way: `save()` puts it aside first."""
        if self._expired().exists():
            exclude = {*(exclude or ()), "paused"}
        super().validate_constraints(exclude)

    def save(self, *args: Any, **options: Any) -> None:
        """Raises ValidationError for a variant that the flag does not have."""
        self._check_variant()
        with transaction.atomic():
            self._expired().update(paused=True)
            super().save(*args, **options)

    def _check_variant(self) -> None:
        known = self.flag.values()
        if self.variant not in known:
            names = ", ".join(f"“{key}”" for key in known) or "none"
            message = f"The flag “{self.flag}” has no variant “{self.variant}”; it has {names}."
            raise ValidationError({"variant": message})

    def _expired(self) -> OverrideQuerySet:
        """Another of this account and flag that is over, and not put aside yet."""
        found = AccountOverride.objects.filter(account=self.account_id, flag=self.flag_id)
        return found.filter(paused=False, expires_at__lte=timezone.now()).exclude(pk=self.pk)

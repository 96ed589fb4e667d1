"""waffle's flag as a row, with the columns that the engine adds."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, ClassVar, Final, Self

from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.db import models
from django.http import HttpRequest
from waffle.managers import FlagManager as WaffleManager
from waffle.models import AbstractUserFlag
from waffle.utils import get_setting

from flags.models.answers import Answers
from flags.models.fields import JsonField
from flags.models.flag_names import FlagQuerySet, KeepsItsName, UnknownFlag
from flags.models.keys import check_key
from flags.models.rule import Variant

# The variants of a boolean flag that has none of its own.
ON_OFF: Final = {"on": True, "off": False}


class FlagManager(WaffleManager.from_queryset(FlagQuerySet)):  # type: ignore[misc]
    KEY_SETTING = "ALL_FLAGS_CACHE_KEY"


class Kind(models.TextChoices):
    BOOL = "bool", "Boolean"
    STR = "str", "Text"
    INT = "int", "Whole number"
    NUM = "num", "Number"
    JSON = "json", "JSON"


class Flag(KeepsItsName, AbstractUserFlag):
    """A named question asked about an account.

    To waffle's calls a flag says what a request decides, and else what the engine decides for the
    request's attribute `account`, which is falsy or missing where there is none.
    """

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

    # Set when the app is ready.
    answers: ClassVar[Answers[Flag]]

    # The rows that refer to the flag.
    variants: Any
    rules: Any

    class Meta(AbstractUserFlag.Meta):
        abstract = False
        ordering: ClassVar = ["name"]

    def save(self, *args: Any, **options: Any) -> None:
        """Raises ValidationError for a name that is no key, and KeptFlag."""
        check_key(self.name)
        if self._state.adding and not self.salt:
            self.salt = self.name  # so that a new name deals nobody anew
        super().save(*args, **options)

    def values(self) -> dict[str, Any]:
        """The value of each variant, by key."""
        rows: Iterable[Variant] = self.variants.all()
        values = {row.key: row.value for row in rows}
        return values or (dict(ON_OFF) if self.kind == Kind.BOOL else {})

    def clean_fields(self, exclude: Collection[str] | None = None) -> None:
        """A name is a key, too."""
        super().clean_fields(exclude)
        try:
            check_key(self.name)
        except ValidationError as error:
            raise ValidationError({"name": error}) from None

    def clean(self) -> None:
        super().clean()
        if self.percent is not None and self.percent < 0:
            raise ValidationError({"percent": "A percentage is from 0 to 99.9."})
        if self.kind != Kind.BOOL and (self.everyone or self.percent) and not self.active_variant:
            message = "Name the variant that Everyone: Yes and Percent serve."
            raise ValidationError({"active_variant": message})

    @classmethod
    def get(cls, name: str) -> Self:
        """The flag; one that is not in the database where there is none with this name."""
        row: Any = cls.answers.row(name)
        return cls(name=name) if row is None else row

    @classmethod
    def get_all(cls) -> list[Self]:
        rows: Any = cls.answers.rows()
        return list(rows)

    def is_active_for_account(self, account: Any) -> bool:
        """Whether the account has it, as the engine decides; no request is asked."""
        if not self.pk:
            return bool(get_setting("FLAG_DEFAULT"))
        return self.answers.is_active(self.name, account)

    def is_active_for_user(self, user: AbstractBaseUser) -> bool | None:
        fixed = self._for_everyone()
        return super().is_active_for_user(user) if fixed is None else fixed

    def is_active(self, request: HttpRequest, read_only: bool = False) -> bool | None:  # noqa: FBT001, FBT002 - waffle's
        by_address = get_setting("OVERRIDE") and self.name in request.GET
        if self.pk and self.everyone is None and not by_address:
            fixed = self._for_everyone()
            if fixed is not None:
                return fixed
        answer: bool | None = super().is_active(request, read_only)
        return answer

    def _for_everyone(self) -> bool | None:
        if self.everyone is not None:
            return bool(self.everyone)
        return None if self.is_on else self.answers.is_active(self.name, None)

    def _is_active_for_percent(self, request: HttpRequest, read_only: bool) -> bool:  # noqa: ARG002, FBT001 - waffle's
        """Waffle's last question: rules and percentage, by account, and by user without one."""
        account = getattr(request, "account", None)
        user = getattr(request, "user", None)
        if account or user is None or not user.is_authenticated:
            return self.answers.is_active(self.name, account)
        return self.answers.is_active_for_user(self.name, user.pk)

    def _is_active_for_user(self, request: HttpRequest) -> bool | None:
        """Without a user waffle would say no, and ask no further."""
        return super()._is_active_for_user(request) or None

    def _get_user_ids(self) -> set[Any]:
        return self.answers.users(self.pk)

    def _get_group_ids(self) -> set[Any]:
        return self.answers.groups(self.pk)


def flag_by_name(name: str) -> Flag:
    """One query; raises UnknownFlag."""
    flag: Flag | None = Flag.objects.filter(name=name).first()
    if flag is None:
        raise UnknownFlag(name)
    return flag

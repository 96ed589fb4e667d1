"""What the platform's settings and an account's are both made of."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, ClassVar, Self, TypeVar

from django.core.exceptions import ValidationError
from django.db import IntegrityError, models, transaction

from flags.rows import Published, mark_changed
from igny8_core.ai import parameters, prompts
from igny8_core.ai.exceptions import AIError, InvalidPlaceholders, PromptIsFixed, UnknownProvider
from igny8_core.ai.parameters import PARAMETERS, Value
from igny8_core.ai.tasks import TASKS, get_task
from igny8_core.modules.system.fields import Secret, SecretField

PROVIDERS = {
    "openai": "OpenAI",
    "anthropic": "Anthropic",
    "runware": "Runware",
    "google": "Google AI",
}

Row = TypeVar("Row", bound=models.Model)


class SavedRowsQuerySet(models.QuerySet[Row]):
    """Writes many rows as one would write each: through `save()`, in one transaction.

    These tables are short; what `save()` keeps true (one default, bounds, an announcement) is
    worth a query a row.
    """

    def update(self, **values: Any) -> int:
        with transaction.atomic(using=self.db):
            if issubclass(self.model, Published):
                mark_changed()
            chosen = self.model._base_manager.using(self.db).filter(
                pk__in=list(self.values_list("pk", flat=True))
            )
            rows: list[Row] = list(chosen.select_for_update())
            for row in rows:
                for name, value in values.items():
                    setattr(row, name, value)
            return self.bulk_update(rows, values)

    update.alters_data = True  # type: ignore[attr-defined]

    def bulk_create(  # noqa: PLR0913 - the signature is Django's
        self,
        objs: Iterable[Row],
        batch_size: int | None = None,  # noqa: ARG002 - as above
        ignore_conflicts: bool = False,  # noqa: FBT001, FBT002 - as above
        update_conflicts: bool = False,  # noqa: FBT001, FBT002 - as above
        update_fields: Collection[str] | None = None,  # noqa: ARG002 - as above
        unique_fields: Collection[str] | None = None,  # noqa: ARG002 - as above
    ) -> list[Row]:
        if ignore_conflicts or update_conflicts:
            message = "bulk_create() that ignores or updates conflicts would bypass save()."
            raise ValueError(message)
        rows = list(objs)
        with transaction.atomic(using=self.db):
            for row in rows:
                row.save(using=self.db, force_insert=True)
        return rows

    def bulk_update(
        self,
        objs: Iterable[Row],
        fields: Iterable[str],
        batch_size: int | None = None,  # noqa: ARG002 - the signature is Django's
    ) -> int:
        rows = list(objs)
        touched = [
            field.name
            for field in self.model._meta.concrete_fields
            if getattr(field, "auto_now", False)
        ]
        with transaction.atomic(using=self.db):
            for row in rows:
                row.save(using=self.db, update_fields=[*fields, *touched])
        return len(rows)


class ProviderKeys(models.Model):
    """A key for each provider."""

    openai_api_key = SecretField("OpenAI API key")
    anthropic_api_key = SecretField("Anthropic API key")
    runware_api_key = SecretField("Runware API key")
    google_api_key = SecretField("Google AI API key")
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        abstract = True

    def key_of(self, provider: str) -> Secret | None:
        """The provider's key; raises UnknownProvider."""
        secret: Secret | None = getattr(self, key_field(provider))
        return secret

    def set_key(self, provider: str, key: str) -> None:
        """Set the provider's key, or with "" remove it; raises UnknownProvider. Not saved yet."""
        setattr(self, key_field(provider), Secret.of(key) if key else None)

    @classmethod
    def locked(cls, **which: Any) -> Self:
        """The row, made where there is none, and held until the transaction ends."""
        cls._default_manager.get_or_create(**which)
        return cls._default_manager.select_for_update().get(**which)

    def rotate_keys(self) -> int:
        """Encrypt every key with the first of ENCRYPTION_KEYS, and save. How many there are."""
        names = [key_field(provider) for provider in PROVIDERS]
        held = {name: secret for name in names if (secret := getattr(self, name))}
        for name, secret in held.items():
            setattr(self, name, secret.rotated())
        self.save(update_fields=[*held, "updated_at"])
        return len(held)


def key_field(provider: str) -> str:
    """The name of the provider's key field; raises UnknownProvider."""
    if provider not in PROVIDERS:
        raise UnknownProvider(provider, PROVIDERS)
    return f"{provider}_api_key"


class Parameters(models.Model):
    """What a call asks of a model beside its prompt; empty leaves it to the layer before."""

    temperature = models.FloatField(null=True, blank=True, help_text="Text: from 0 to 2.")
    max_tokens = models.IntegerField(
        null=True,
        blank=True,
        help_text="Text: the longest answer, in tokens; limited to what the model can do.",
    )
    image_size = models.CharField(
        max_length=9,
        blank=True,
        help_text="Image: WIDTHxHEIGHT in pixels, e.g. 1024x1024.",
    )

    class Meta:
        abstract = True

    def parameters(self) -> dict[str, Value]:
        """Those that are set."""
        values = {name: getattr(self, name) for name in PARAMETERS}
        return {name: value for name, value in values.items() if value is not None and value != ""}

    def clean(self) -> None:
        super().clean()
        faults = {}
        for name, value in self.parameters().items():
            try:
                parameters.check(name, value)
            except AIError as error:
                faults[name] = ValidationError(str(error), code=error.code)
        if faults:
            raise ValidationError(faults)

    def save(self, **options: Any) -> None:
        """Raises InvalidParameter."""
        for name, value in self.parameters().items():
            parameters.check(name, value)
        super().save(**options)


def task_choices() -> list[tuple[str, str]]:
    return [(key, key) for key in TASKS]


class Prompt(models.Model):
    """An instruction for a task. Receipts name its version, so a change is a new version."""

    # What a version is, and so what never changes in it.
    FIXED: ClassVar[tuple[str, ...]] = ("task", "version", "template", "placeholders")

    task = models.CharField(max_length=100, choices=task_choices)
    version = models.PositiveIntegerField(editable=False)
    template = models.TextField(help_text="Placeholders are written {{name}}.")
    placeholders = models.JSONField(
        default=list,
        blank=True,
        help_text='The names that the template uses, as a JSON list, e.g. ["tone"].',
    )
    is_active = models.BooleanField(
        default=True,
        help_text="The version in use; making one active puts the others aside.",
    )
    note = models.CharField(max_length=200, blank=True, help_text="What changed, and why.")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = SavedRowsQuerySet.as_manager()

    class Meta:
        abstract = True
        ordering: ClassVar = ["task", "-version"]

    def __str__(self) -> str:
        return f"{self.task}, version {self.version}"

    def siblings(self) -> models.QuerySet[Any]:
        """All versions of this prompt, this one among them."""
        raise NotImplementedError

    def check_content(self) -> None:
        """Raises UnknownTask, InvalidPlaceholders, UnknownPlaceholder, MissingPlaceholder."""
        get_task(self.task)
        prompts.check(self.template, self.placeholders)

    def validate_constraints(self, exclude: Collection[str] | None = None) -> None:
        """A form may add an active version while another one is: `save()` puts that aside first."""
        super().validate_constraints({*(exclude or ()), "is_active"})

    def clean(self) -> None:
        super().clean()
        if self.placeholders is None:
            self.placeholders = []
        try:
            self.check_content()
        except AIError as error:
            field = "placeholders" if isinstance(error, InvalidPlaceholders) else "template"
            raise ValidationError({field: ValidationError(str(error), code=error.code)}) from None

    def save(self, **options: Any) -> None:
        """Save; a new row gets the next version, an active one puts the others aside first.

        Raises PromptIsFixed for a change to what a version says, and what check_content raises.
        """
        self.check_content()
        try:
            self._save_version(**options)
        except IntegrityError:
            # Somebody has just added a version of this prompt: it can be seen now, and counted.
            self._save_version(**options)

    def _save_version(self, **options: Any) -> None:
        with transaction.atomic(using=options.get("using")):
            versions = {row.pk: row for row in self.siblings().select_for_update()}
            if self._state.adding:
                self.version = 1 + max((row.version for row in versions.values()), default=0)
            elif changed := self.changed_content():
                raise PromptIsFixed(str(self), changed)
            written = options.get("update_fields")
            if self.is_active and (written is None or "is_active" in written):
                for other in versions.values():
                    if other.is_active and other.pk != self.pk:
                        other.is_active = False
                        other.save(using=options.get("using"), update_fields=["is_active"])
            super().save(**options)

    def changed_content(self) -> list[str]:
        """What of this version differs from what is stored of it. One query."""
        kept = type(self)._base_manager.values(*self.FIXED).get(pk=self.pk)
        return [name for name in self.FIXED if kept[name] != getattr(self, name)]

"""Prompts as rows: the platform's and the accounts' own, a row a version."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, ClassVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import IntegrityError, models, transaction

from igny8_core.errors import AIError
from igny8_core.modules.system.declared_tasks import known_task, known_tasks
from igny8_core.modules.system.errors import PromptIsFixed
from igny8_core.modules.system.saved_rows import SavedRowsQuerySet
from igny8_core.tasks import prompts
from igny8_core.tasks.errors import InvalidPlaceholders, UnknownTask


def task_choices() -> list[tuple[str, str]]:
    """For a form. No query."""
    return [(key, key) for key in known_tasks()]


class Prompt(models.Model):
    """An instruction for a task. Receipts name its version, so a change is a new version."""

    # What a version is, and so what never changes in it.
    FIXED: ClassVar[tuple[str, ...]] = ("task", "version", "template", "placeholders")

    task = models.CharField(max_length=100)
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
        prompts.check(self.template, self.placeholders)
        if self._state.adding:  # one of a task that has gone can still be put aside
            known_task(self.task)

    def validate_constraints(self, exclude: Collection[str] | None = None) -> None:
        """A form may add an active version while another one is: `save()` puts that aside first."""
        super().validate_constraints({*(exclude or ()), "is_active"})

    def clean(self) -> None:
        super().clean()
        if self.placeholders is None:
            self.placeholders = []
        try:
            self.check_content()
        except UnknownTask as error:
            if self.task:  # else its field says so
                raise ValidationError({"task": str(error)}) from None
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

    def new_placeholders(self) -> list[str]:
        """Those that the prompt in use has not: callers may not fill them in."""
        in_use = self.siblings().filter(is_active=True).first()
        known = in_use.placeholders if in_use else []
        return [name for name in self.placeholders if name not in known]

    def changed_content(self) -> list[str]:
        """What of this version differs from what is stored of it. One query."""
        kept = type(self)._base_manager.values(*self.FIXED).get(pk=self.pk)
        return [name for name in self.FIXED if kept[name] != getattr(self, name)]


class GlobalAIPrompt(Prompt):
    """The platform's instruction for a task, a row a version."""

    class Meta(Prompt.Meta):
        verbose_name = "global AI prompt"
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["task", "version"],
                name="one_global_ai_prompt_per_task_and_version",
            ),
            models.UniqueConstraint(
                fields=["task"],
                condition=models.Q(is_active=True),
                name="one_active_global_ai_prompt_per_task",
            ),
        ]

    def siblings(self) -> models.QuerySet[GlobalAIPrompt]:
        return GlobalAIPrompt.objects.filter(task=self.task)


class AIPrompt(Prompt):
    """An account's own instruction for a task, a row a version; the active one overrides ours."""

    account = models.ForeignKey(
        settings.FLAGS_ACCOUNT_MODEL,
        on_delete=models.CASCADE,
        related_name="ai_prompts",
    )

    FIXED: ClassVar = (*Prompt.FIXED, "account_id")

    class Meta(Prompt.Meta):
        verbose_name = "AI prompt"
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["account", "task", "version"],
                name="one_ai_prompt_per_account_task_and_version",
            ),
            models.UniqueConstraint(
                fields=["account", "task"],
                condition=models.Q(is_active=True),
                name="one_active_ai_prompt_per_account_and_task",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.account}: {super().__str__()}"

    def siblings(self) -> models.QuerySet[AIPrompt]:
        return AIPrompt.objects.filter(account=self.account, task=self.task)

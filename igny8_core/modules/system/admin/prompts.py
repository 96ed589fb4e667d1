"""The admin pages of prompts."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from django import forms
from django.contrib import admin, messages
from django.db.models import Field
from django.http import HttpRequest
from unfold.widgets import UnfoldAdminSelectWidget

from flags.admin.confirming import ask
from flags.admin.refusing import RefusingAdmin
from igny8_core.errors import AIError
from igny8_core.modules.system.prompts import AIPrompt, GlobalAIPrompt, Prompt, task_choices

_UNFILLED: Final = (
    "The prompt in use has no placeholder {}: each call for {} fails whose caller fills in none."
)


class PromptAdmin(RefusingAdmin):
    """Saving another text adds a version, because receipts name the old one."""

    refusals: ClassVar = (AIError,)
    list_filter: ClassVar = ["task", "is_active"]
    readonly_fields: ClassVar = ["version", "created_at"]

    def get_readonly_fields(self, request: HttpRequest, obj: Prompt | None = None) -> list[str]:
        whose = [name for name in ("account", "task") if obj and name in self.list_display]
        return [*super().get_readonly_fields(request, obj), *whose]

    def formfield_for_dbfield(
        self, db_field: Field[Any, Any], request: HttpRequest, **options: Any
    ) -> forms.Field | None:
        """A task is one that the document or this process knows; no query."""
        if db_field.name == "task":
            choices = [("", "Select value"), *task_choices()]
            return forms.ChoiceField(choices=choices, widget=UnfoldAdminSelectWidget)
        field: forms.Field | None = super().formfield_for_dbfield(db_field, request, **options)
        return field

    def clash(self, mine: set[str], theirs: set[str]) -> bool:
        """Somebody else's new text has put the version on the page aside."""
        return bool(mine & {"template", "placeholders"}) and "is_active" in theirs

    def save_model(self, request: HttpRequest, obj: Prompt, form: Any, change: bool) -> None:  # noqa: FBT001 - Django's
        new = obj.new_placeholders() if obj.is_active else []
        if new:
            ask(request, [_UNFILLED.format(", ".join(new), obj.task)])
        if change and obj.changed_content():
            obj.pk, obj._state.adding = None, True
            obj.save()
            messages.info(request, f"The new text is version {obj.version}.")
        else:
            super().save_model(request, obj, form, change)

    def has_delete_permission(self, _request: HttpRequest, _obj: object = None) -> bool:
        return False


@admin.register(GlobalAIPrompt)
class GlobalAIPromptAdmin(PromptAdmin):
    list_display: ClassVar = ["task", "version", "is_active", "note", "created_at"]
    search_fields: ClassVar = ["task", "note", "template"]


@admin.register(AIPrompt)
class AIPromptAdmin(PromptAdmin):
    list_display: ClassVar = ["account", "task", "version", "is_active", "note", "created_at"]
    list_select_related: ClassVar = ["account"]
    search_fields: ClassVar = ["account__key", "task", "note", "template"]
    autocomplete_fields: ClassVar = ["account"]

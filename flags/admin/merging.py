"""A form that was opened before somebody else saved the same row loses nobody's edit.

The form carries what it was made from. What only the other has changed stays; what both changed is
told and not saved, and so is every change beside one of rows or of JSON, which cannot be merged.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from django.contrib import messages
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.http import HttpResponse
from django.utils import timezone
from django.utils.text import capfirst

from flags.admin.browser import field_values, formset_values
from flags.admin.edits import (
    Base,
    Part,
    adds_rows,
    difference,
    differs,
    is_single,
    names,
    posted,
    read,
)
from flags.admin.gone_rows import with_gone_rows_anew
from flags.document.stored import newest_number
from flags.models import Revision

BASE: Final = "_base"


class MergesEdits:
    """For admin pages: each change form carries its base, and a stale one is merged or refused."""

    change_form_template: Any = "flags/change_form.html"

    def changeform_view(
        self, request: Any, object_id: str | None = None, *args: Any, **options: Any
    ) -> HttpResponse:
        request.conflicts = getattr(request, "conflicts", {})
        with transaction.atomic(savepoint=False):
            if request.method == "POST" and object_id and not getattr(request, "refusal", None):
                request.first_post = getattr(request, "first_post", request.POST)
                request.POST, request.conflicts = request.first_post, {}
                self._merge(request, object_id)
            response: HttpResponse = super().changeform_view(  # type: ignore[misc]
                request, object_id, *args, **options
            )
        return response

    def get_form(self, request: Any, obj: Any = None, **options: Any) -> Any:
        form = self.plain_form(request, obj, **options)
        conflicts: dict[str | None, str] = getattr(request, "conflicts", {})
        return _conflicting(form, conflicts) if conflicts else form

    def render_change_form(
        self, request: Any, context: dict[str, Any], *args: Any, **options: Any
    ) -> HttpResponse:
        if (obj := options.get("obj")) is not None and obj.pk is not None:
            context["base"] = self._base(request, obj)
        response: HttpResponse = super().render_change_form(  # type: ignore[misc]
            request, context, *args, **options
        )
        return response

    def plain_form(self, request: Any, obj: Any, **options: Any) -> Any:
        """The form's class, without conflicts; a page may give another."""
        return super().get_form(request, obj, **options)  # type: ignore[misc]

    def beside(self, _obj: Any) -> dict[str, tuple[str, str]]:
        """What is stored of a row and no field shows: by a name, its label and what tells it."""
        return {}

    def changed_in(self, _obj: Any, _after: int | None) -> Revision | None:
        """The last revision after this one that changed what the page edits, if one did."""
        return None

    def clash(self, _mine: set[str], _theirs: set[str]) -> bool:
        """Whether changes of different fields, by their names, are not merged all the same."""
        return False

    def _base(self, request: Any, obj: Any) -> str:
        parts = self._parts(request, obj)
        values = {name: value for part in parts for name, value in part.values.items()}
        revision = newest_number()
        return json.dumps([timezone.now().isoformat(), revision, values])

    def _parts(self, request: Any, obj: Any) -> Iterator[Part]:
        """What the page's form would say of the stored row, were it opened now."""
        page: Any = self
        stored = page.get_object(request, str(obj.pk))
        if stored is None:
            return
        form = self.plain_form(request, stored, change=True)(instance=stored)
        for name, field in form.fields.items():
            if not field.disabled:
                label = capfirst(str(field.label or name))
                yield Part(name, label, field_values(form[name]), is_single(form, name))
        for name, (label, text) in self.beside(stored).items():
            yield Part(name, label, {name: [text]}, is_single=False, is_posted=False)
        prefixes: dict[str, int] = {}
        for formset, inline in page.get_formsets_with_inlines(request, stored):
            prefix = formset.get_default_prefix()
            prefixes[prefix] = prefixes.get(prefix, 0) + 1
            if prefixes[prefix] > 1:
                prefix = f"{prefix}-{prefixes[prefix]}"
            rows = formset(instance=stored, prefix=prefix, queryset=inline.get_queryset(request))
            label = capfirst(str(inline.opts.verbose_name_plural))
            key = rows.model._meta.pk.name
            yield Part(prefix, label, formset_values(rows), is_single=False, row_key=key)

    def _merge(self, request: Any, object_id: str) -> None:
        base = read(request.POST.get(BASE))
        page: Any = self
        obj = page.get_object(request, object_id) if base else None
        if base is None or obj is None:
            return
        [*page.model._base_manager.select_for_update().filter(pk=obj.pk).values_list("pk")]
        parts = [*self._parts(request, obj)]
        sent = {part.name: posted(request.POST, part, base) for part in parts}
        theirs = [part for part in parts if differs(part, base.values, part.values)]
        mine = [
            part
            for part in parts
            if part.name in request.FILES
            or (part.is_posted and differs(part, base.values, sent[part.name]))
        ]
        if not theirs or not mine:
            if theirs:
                self._keep(request, theirs, base)
            return
        who = self._changed_by(obj, base)
        told = "; ".join(difference(part, base) for part in theirs)
        both = [
            part for part in theirs if part in mine and differs(part, part.values, sent[part.name])
        ]
        clash = bool(both) or self.clash(*({part.name for part in each} for each in (mine, theirs)))
        if all(part.is_single for part in (*mine, *theirs)) and not clash:
            self._keep(request, theirs, base)
            messages.info(request, f"{who} changed this meanwhile, and that is kept: {told}.")
            return
        self._keep(request, [part for part in theirs if part not in mine], base)
        for part in mine:
            request.POST = with_gone_rows_anew(request.POST, part)
        sentence = (
            f"Nothing is saved: {who} changed this meanwhile: {told}. Your changes are below, and "
            "what you did not change as it is now; saving again puts yours in place of theirs."
        )
        if any(adds_rows(part, base) for part in theirs if part in mine):
            sentence += " Rows that were added meanwhile stay: open the page anew to see them."
        request.conflicts = {None: sentence}
        for part in both:
            if part.is_single:
                request.conflicts[part.name] = f"Meanwhile: {difference(part, base)}."

    def _keep(self, request: Any, theirs: list[Part], base: Base) -> None:
        """What only the others have changed is posted as they left it."""
        merged = request.POST.copy()
        for part in theirs:
            for name in [*part.values, *names(part, base.values)]:
                merged.setlist(name, part.values.get(name, []))
                if not part.values.get(name) and name in merged:
                    del merged[name]
        request.POST = merged

    def _changed_by(self, obj: Any, base: Base) -> str:
        entries = LogEntry.objects.filter(
            content_type=ContentType.objects.get_for_model(obj),
            object_id=str(obj.pk),
            action_time__gt=base.at,
        )
        entry = entries.select_related("user").order_by("-action_time").first()
        if entry is not None:
            return f"{entry.user.get_username()} ({entry.action_time:%Y-%m-%d %H:%M} UTC)"
        later = self.changed_in(obj, base.revision)
        if later is not None:
            who = later.author or "A program"
            return f"{who} (revision {later.number}, {later.created_at:%Y-%m-%d %H:%M} UTC)"
        return "Somebody"


def _conflicting(form: Any, conflicts: dict[str | None, str]) -> Any:
    """The form's class, but for that it is not valid."""

    class Conflicting(form):
        def clean(self) -> Any:
            cleaned = super().clean()
            for field, sentence in conflicts.items():
                self.add_error(field if field in self.fields else None, sentence)
            return cleaned

    return Conflicting

"""The pages of segments and traits."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest

from flags import doubts
from flags.admin.asking import PublishingAdmin
from flags.admin.page_request import PageRequest
from flags.admin.problems import PlacedProblem
from flags.admin.segment_forms import SegmentForm
from flags.document import words
from flags.document.diff import Path
from flags.document.stored import canonical, checksum_of
from flags.models import Segment, Trait


@admin.register(Segment)
class SegmentAdmin(PublishingAdmin):
    form = SegmentForm
    list_display: ClassVar = ["key", "accounts", "rules_in_words", "note"]
    search_fields: ClassVar = ["key", "note"]
    readonly_fields: ClassVar = ["accounts"]

    def get_fields(self, _request: HttpRequest, obj: Segment | None = None) -> list[str]:
        lists = ["accounts"] if obj and obj.is_long else ["include", "exclude"]
        return ["key", "note", "rules", *lists, "include_file", "exclude_file"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Segment]:
        segments: QuerySet[Segment] = super().get_queryset(request)
        return segments.annotate(
            many_in=Count("members", filter=Q(members__is_excluded=False)),
            many_out=Count("members", filter=Q(members__is_excluded=True)),
        )

    def beside(self, obj: Segment) -> dict[str, tuple[str, str]]:
        """The accounts of long lists, which are no fields: how many, and which by a checksum."""
        if not obj.is_long:
            return {}
        lists = obj.lists()
        counts = " and ".join(
            f"{len(keys):,} {word}"
            for keys, word in zip(lists, ("included", "excluded"), strict=True)
        )
        return {"_lists": ("Long lists", f"{counts} ({checksum_of(canonical({'': lists}))[:8]})")}

    def doubts(self, obj: Segment) -> Iterable[str]:
        return doubts.of_segment({**obj.__dict__})

    def entry_of(self, obj: Segment) -> Path:
        return ("segments", obj.key)

    def save_model(
        self,
        request: HttpRequest,
        obj: Segment,
        form: Any,
        change: bool,  # noqa: FBT001 - Django's
    ) -> None:
        if form.lists is None:
            super().save_model(request, obj, form, change)
        else:
            obj.set_lists(*form.lists)

    def place(
        self, request: PageRequest, problem: PlacedProblem
    ) -> tuple[str | None, PlacedProblem]:
        own = problem.within("segments", request.POST.get("key", ""))
        if own is None:
            return None, problem
        return (own.parts[0] if own.parts else "key"), own._replace(parts=own.parts[1:])

    @admin.display(description="Accounts")
    def accounts(self, segment: Any) -> str:
        listed = len(segment.include), len(segment.exclude)
        include, exclude = (segment.many_in, segment.many_out) if segment.is_long else listed
        return f"{include:,} included, {exclude:,} excluded"

    @admin.display(description="Rules")
    def rules_in_words(self, segment: Segment) -> str:
        return words.groups_text(segment.rules)


@admin.register(Trait)
class TraitAdmin(PublishingAdmin):
    list_display: ClassVar = ["name", "type", "note"]
    search_fields: ClassVar = ["name", "note"]

    def entry_of(self, obj: Trait) -> Path:
        return ("traits", obj.name)

    def place(
        self, request: PageRequest, problem: PlacedProblem
    ) -> tuple[str | None, PlacedProblem]:
        own = problem.within("traits", request.POST.get("name", ""))
        return (None, problem) if own is None else ("type", own)

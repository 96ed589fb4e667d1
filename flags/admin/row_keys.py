"""Keys of rows that come from an address or a tampered form: what is no key names no row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.widgets import AutocompleteSelect, AutocompleteSelectMultiple
from django.core.exceptions import BadRequest, ValidationError
from django.db.models import Field, ForeignKey, ManyToManyField, QuerySet
from django.http import HttpRequest, HttpResponse

from flags.admin.plain_values import PlainValues


def is_key(field: Field[Any, Any], value: object) -> bool:
    """Whether a row could have it: it is of the column's type, and within its range."""
    try:
        field.clean(value, None)
    except ValidationError:
        return False
    return True


class _KeysAlone:
    """A choice of rows that shows nothing as chosen where what came is no key."""

    field: Any

    def is_key(self, value: object) -> bool:
        return is_key(self.field.remote_field.model._meta.pk, value)

    def optgroups(self, name: str, value: Sequence[str], attr: Any = None) -> Any:
        keys = [each for each in value if self.is_key(each)]
        return super().optgroups(name, keys, attr)  # type: ignore[misc]


class RowSelect(_KeysAlone, AutocompleteSelect):
    """For one row."""


class RowsSelect(_KeysAlone, AutocompleteSelectMultiple):
    """For any number of rows."""

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Any:
        """A number that is out of range is told as what is no number is."""
        posted = super().value_from_datadict(data, files, name) or []
        return [each if self.is_key(each) else f"no key: {each}" for each in posted]


class RowChoices(PlainValues):
    """For admin pages and their inlines with `autocomplete_fields`."""

    def formfield_for_foreignkey(
        self, db_field: ForeignKey[Any, Any], request: HttpRequest, **options: Any
    ) -> Any:
        self._choose(RowSelect, db_field, request, options)
        return super().formfield_for_foreignkey(db_field, request, **options)  # type: ignore[misc]

    def formfield_for_manytomany(
        self, db_field: ManyToManyField[Any, Any], request: HttpRequest, **options: Any
    ) -> Any:
        self._choose(RowsSelect, db_field, request, options)
        return super().formfield_for_manytomany(db_field, request, **options)  # type: ignore[misc]

    def _choose(
        self, widget: Any, db_field: Any, request: HttpRequest, options: dict[str, Any]
    ) -> None:
        page: Any = self
        if "widget" not in options and db_field.name in page.get_autocomplete_fields(request):
            options["widget"] = widget(db_field, page.admin_site, using=options.get("using"))


class RowKeys(RowChoices):
    """For admin pages with a list."""

    def changelist_view(self, request: HttpRequest, *args: Any, **options: Any) -> HttpResponse:
        page: Any = self
        for value in request.POST.getlist("_selected_action"):
            if not is_key(page.model._meta.pk, value):
                message = f"{value!r} is no key of a {page.model._meta.verbose_name}."
                raise BadRequest(message)
        response: HttpResponse = super().changelist_view(request, *args, **options)  # type: ignore[misc]
        return response

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """A filter in the address that names no moment is told as any other that is wrong."""
        try:
            return super().get_changelist_instance(request)  # type: ignore[misc]
        except (ValueError, OverflowError) as error:
            if not request.GET:
                raise
            raise IncorrectLookupParameters(error) from error

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """PostgreSQL keeps no text with a NUL, and refuses the question too."""
        if "\0" in search_term:
            return queryset.none(), False
        found: tuple[QuerySet[Any], bool] = super().get_search_results(  # type: ignore[misc]
            request, queryset, search_term
        )
        return found

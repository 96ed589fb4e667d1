"""The addresses that waffle's tests ask."""

from django.contrib import admin
from django.urls import include, path
from test_app import views
from waffle.decorators import waffle_flag, waffle_switch

BY = {"switched": waffle_switch, "flagged": waffle_flag}

urlpatterns = [
    path("admin/", admin.site.urls),
    path("", include("waffle.urls")),
    path("flag_in_view", views.flag_in_view),
    path("flag-on", views.flag_on),
    path("flag-off", views.flag_off),
    path("switch-on", views.switch_on),
    path("switch-off", views.switch_off),
    path("foo_view", views.foo_view, name="foo_view"),
    path(
        "foo_view_with_args/<int:some_number>/",
        views.foo_view_with_args,
        name="foo_view_with_args",
    ),
]
for word, by in BY.items():
    for end, target in (
        ("valid_redirect", views.foo_view),
        ("valid_url_name", "foo_view"),
        ("invalid_redirect", "invalid_view"),
    ):
        urlpatterns.append(
            path(f"{word}_view_with_{end}", by("foo", redirect_to=target)(views.said))
        )
    for end, target in (
        ("valid_redirect", views.foo_view_with_args),
        ("valid_url_name", "foo_view_with_args"),
    ):
        address = f"{word}_view_with_args_with_{end}/<int:some_number>/"
        urlpatterns.append(path(address, by("foo", redirect_to=target)(views.foo_view_with_args)))

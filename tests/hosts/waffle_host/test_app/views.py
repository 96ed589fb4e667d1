"""The views that waffle's tests ask for by name."""

from django.http import HttpResponse
from django.template import Context, RequestContext, Template
from django.views import View
from waffle import flag_is_active
from waffle.decorators import waffle_flag, waffle_switch
from waffle.mixins import WaffleFlagMixin, WaffleSampleMixin, WaffleSwitchMixin

TAGS = """{% load waffle_tags %}
{% flag "name" %}flag on{% else %}flag off{% endflag %}
{% switch "name" %}switch on{% else %}switch off{% endswitch %}
{% sample "name" %}sample on{% else %}sample off{% endsample %}
{% flag flag_var %}flag_var on{% else %}flag_var off{% endflag %}
{% switch switch_var %}switch_var on{% else %}switch_var off{% endswitch %}
{% sample sample_var %}sample_var on{% else %}sample_var off{% endsample %}
{% wafflejs %}"""
WITHOUT_REQUEST = """{% load waffle_tags %}
{% switch "name" %}switch on{% else %}switch off{% endswitch %}
{% sample "name" %}sample on{% else %}sample off{% endsample %}"""
NAMES = {"flag_var": "a", "switch_var": "b", "sample_var": "c"}


def flag_in_view(request):
    return HttpResponse(b"on" if flag_is_active(request, "myflag") else b"off")


def flag_in_view_readonly(request):
    return HttpResponse(b"on" if flag_is_active(request, "myflag", read_only=True) else b"off")


def flag_in_django(request):
    return HttpResponse(Template(TAGS).render(RequestContext(request, NAMES)))


def no_request_context(_request):
    class Text(str):
        """What the middleware may set cookies on."""

        __slots__ = ("set_cookie",)

    return Text(Template(WITHOUT_REQUEST).render(Context()))


def said(_request, *_args, **_options):
    return HttpResponse(b"foo")


class SaidView(View):
    def get(self, _request):
        return HttpResponse(b"foo")


class FlagView(WaffleFlagMixin, SaidView):
    waffle_flag = "foo"


class FlagOffView(WaffleFlagMixin, SaidView):
    waffle_flag = "!foo"


class SampleView(WaffleSampleMixin, SaidView):
    waffle_sample = "foo"


class SampleOffView(WaffleSampleMixin, SaidView):
    waffle_sample = "!foo"


class SwitchView(WaffleSwitchMixin, SaidView):
    waffle_switch = "foo"


class SwitchOffView(WaffleSwitchMixin, SaidView):
    waffle_switch = "!foo"


def foo_view(request):
    return said(request)


def foo_view_with_args(request, some_number):
    return said(request, some_number)


flag_on = waffle_flag("foo")(said)
flag_off = waffle_flag("!foo")(said)
switch_on = waffle_switch("foo")(said)
switch_off = waffle_switch("!foo")(said)

from __future__ import annotations

import pytest
import waffle
from django.apps import apps
from django.test import RequestFactory

from flags.models import Flag


def test_flag__asked_of_waffle__is_waffles_flag_model() -> None:
    assert waffle.get_waffle_flag_model() is Flag
    assert "waffle.Flag" not in [model._meta.label for model in apps.get_models()]


@pytest.mark.django_db
def test_flag__everyone_on__is_active_for_a_request(rf: RequestFactory) -> None:
    Flag.objects.create(name="on", everyone=True)
    Flag.objects.create(name="off", everyone=False)
    assert waffle.flag_is_active(rf.get("/"), "on")
    assert not waffle.flag_is_active(rf.get("/"), "off")

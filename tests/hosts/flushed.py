"""Transactional tests one after the other: what the one has published is gone in the next."""

from __future__ import annotations

import waffle
from django.test import RequestFactory, TestCase, TransactionTestCase
from waffle.testutils import override_flag

from flags.models import Flag

REQUEST = RequestFactory().get("/")


def check_overrides(name: str) -> None:
    for active in (True, False, True):
        with override_flag(name, active=active):
            assert waffle.flag_is_active(REQUEST, name) is active


class Flushed(TransactionTestCase):
    def test_a__many_revisions(self) -> None:
        for number in range(20):
            Flag.objects.create(name=f"f-{number}", everyone=True)
            assert waffle.flag_is_active(REQUEST, f"f-{number}")

    def test_b__flag_that_was_there(self) -> None:
        check_overrides("f-1")

    def test_c__flag_that_is_missing(self) -> None:
        check_overrides("missing")
        assert not waffle.flag_is_active(REQUEST, "missing")


class FlushedAgain(Flushed):
    """After the flush of another class."""


class InATransaction(TestCase):
    def test_d__after_a_flush(self) -> None:
        check_overrides("f-1")

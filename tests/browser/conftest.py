"""A real browser: Debian's chromium, where it is installed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, Playwright, expect
from pytest_django.live_server_helper import LiveServer

CHROMIUM = shutil.which("chromium")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    if CHROMIUM is None:
        pytest.skip("needs Debian's chromium")
    return {**browser_type_launch_args, "executable_path": CHROMIUM, "args": ARGUMENTS}


@pytest.fixture(scope="session", autouse=True)
def _allow_the_database_beside_playwrights_loop(playwright: Playwright) -> Iterator[None]:
    """Playwright's loop starts first: Django has other connections inside a loop than outside."""
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    yield
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def admin(page: Page, live_server: LiveServer) -> Page:
    """The admin's first page, logged in."""
    User.objects.create_superuser("alice", password="alice-password")
    page.set_default_timeout(60_000)
    page.goto(f"{live_server.url}/admin/")
    page.get_by_label("Username").fill("alice")
    page.get_by_label("Password").fill("alice-password")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_text("AI models").first).to_be_visible()
    return page

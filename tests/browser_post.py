"""What a browser would post of a page of the admin, by the page's own forms."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

from django.test import Client


class _Form(HTMLParser):
    """The inputs of a page, as html.parser reads them."""

    def __init__(self) -> None:
        super().__init__()
        self.posted: dict[str, list[str]] = {}
        self._select = self._area = ""
        self._seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        given = dict(attrs)
        name = given.get("name", "")
        if tag == "option" and self._select and "selected" in given:
            self.posted.setdefault(self._select, []).append(given.get("value", ""))
        if tag == "select":
            self._select = name
        elif tag == "textarea":
            self._area = name
            self.posted[name] = [""]
        elif tag == "input" and name and "disabled" not in given:
            kind = given.get("type")
            if kind in {"submit", "file", "button"}:
                return
            if kind not in {"checkbox", "radio"} or "checked" in given:
                unsaid = "on" if kind in {"checkbox", "radio"} else ""
                self.posted.setdefault(name, []).append(given.get("value", unsaid) or "")

    def handle_data(self, data: str) -> None:
        if self._area:
            self.posted[self._area][0] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self._select = ""
        elif tag == "textarea":
            self._area = ""


def opened(client: Client, url: str) -> dict[str, list[str]]:
    """The page's form, untouched."""
    return shown(client.get(url))


def shown(page: Any) -> dict[str, list[str]]:
    """The form of a page that was answered, untouched."""
    assert page.status_code == 200
    found = re.search(
        r'<form [^>]*method="post" id="[a-z_]+_form".*?</form>', page.content.decode(), re.DOTALL
    )
    assert found
    form = _Form()
    form.feed(found[0])
    form.posted.pop("_selected_action", None)
    return form.posted

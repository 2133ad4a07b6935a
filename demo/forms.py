"""The forms of a page, read as a browser without scripts reads them."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser


@dataclass
class Form:
    """Where it goes, what it sends as it stands, and the named buttons it may be sent with."""

    action: str
    method: str = "get"
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[tuple[str, str]] = field(default_factory=list)

    def pressed(self, value: str = "", **typed: str) -> dict[str, str]:
        """What is sent with `typed` filled in and the button of this value pressed, if there is one."""
        chosen = {name: said for name, said in self.buttons if said == value}
        return {**self.fields, **typed, **chosen}


def forms_of(page: str) -> list[Form]:
    reader = _Reader()
    reader.feed(page)
    return reader.forms


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(given.get("action", ""), given.get("method", "get").lower()))
            self._inside = True
        elif self._inside and given.get("name"):
            if tag == "button" or given.get("type") == "submit":
                self.forms[-1].buttons.append((given["name"], given.get("value", "")))
            elif tag in ("input", "select", "textarea") and given.get("type") not in ("checkbox", "radio"):
                self.forms[-1].fields[given["name"]] = given.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False

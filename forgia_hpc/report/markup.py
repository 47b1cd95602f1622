"""HTML that cannot be broken by its content: every text is escaped unless it was made here."""

from __future__ import annotations

import html
import re

VOID = {"br", "meta", "wbr"}
# Escape sequences and control characters of logs; lone surrogates, which UTF-8 cannot carry.
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?)")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")


class Safe(str):
    """A piece of HTML made by `tag` or `join`."""

    __slots__ = ()


def clean(text: object) -> str:
    """Return the text without terminal escapes, control characters, bidi overrides and lone surrogates."""
    return _CONTROLS.sub("�", _ESCAPES.sub("", str(text)))


def escape(text: object) -> Safe:
    """Return the text as HTML; what is HTML already stays."""
    return text if isinstance(text, Safe) else Safe(html.escape(clean(text)))


def join(*pieces: object) -> Safe:
    """Return the pieces one after the other; None is nothing."""
    return Safe("".join(escape(piece) for piece in pieces if piece is not None))


def tag(name: str, /, *children: object, **attributes: object) -> Safe:
    """Return an element. `class_="a"` is class, `aria_label` is aria-label, None leaves an attribute out."""
    words = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(clean(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    end = "" if name in VOID else f"{join(*children)}</{name}>"
    return Safe(f"<{name}{words}>{end}")


def table(
    caption: str, head: list[str], rows: list[list[object]], *, text_columns: int = 1
) -> Safe:
    """Return a table that scrolls sideways by finger or keyboard; the first column names the row."""

    def cell(column: int, content: object) -> Safe:
        kind = None if column < text_columns else "number"
        if column == 0:
            return tag("th", content, scope="row")
        return tag("td", content, class_=kind)

    header = tag(
        "tr",
        *(
            tag("th", word, scope="col", class_=None if column < text_columns else "number")
            for column, word in enumerate(head)
        ),
    )
    body = [
        tag("tr", *(cell(column, content) for column, content in enumerate(row))) for row in rows
    ]
    return tag(
        "div",
        tag(
            "table",
            tag("caption", caption, class_="unseen"),
            tag("thead", header),
            tag("tbody", *body),
        ),
        class_="scroll",
        role="region",
        aria_label=caption,
        tabindex="0",
    )

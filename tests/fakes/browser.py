"""A page as a browser would see it: tags, ids, targets, what it would load."""

from __future__ import annotations

from html.parser import HTMLParser

from forgia_hpc.report.markup import VOID


class Page(HTMLParser):
    """Reads a page and notes what a browser would see."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.ids, self.targets, self.links = [], [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.tags.append((tag, found))
        if tag not in VOID:
            self.open.append(tag)
        if "id" in found:
            self.ids.append(found["id"])
        self.targets += [found["href"]] if "href" in found else []
        self.links += [value for key, value in attrs if key in ("src", "srcset", "action")]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def named(self, tag):
        return [found for name, found in self.tags if name == tag]

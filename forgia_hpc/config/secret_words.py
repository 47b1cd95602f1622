"""What a secret looks like in text: by its own shape, or by the name before it. Pure; values are not told.

Two kinds of names. `password`, `token`, `api_key` … hold a secret whatever the value. `key`, `PAT`, `AUTH` have
other meanings too (a column, a pattern, a method): there the value must look like no word.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

LOOKS = {
    "a Hugging Face token": re.compile(r"\b(hf|api_org)_[A-Za-z0-9]{20,}"),
    "a GitHub token": re.compile(r"\b(gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,})"),
    "a GitLab token": re.compile(r"\bglpat-[\w-]{16,}"),
    "an AWS key": re.compile(r"\b(AKIA|ASIA)[A-Z0-9]{16}\b"),
    "a Google key": re.compile(r"\bAIza[\w-]{35}\b"),
    "an OpenAI or Anthropic key": re.compile(r"\bsk-[\w-]{20,}"),
    "a Slack token": re.compile(r"\b(xox[abeoprs]|xapp)-[\w-]{10,}"),
    "a JSON web token": re.compile(r"\beyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]*"),
    "a private key": re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY( BLOCK)?-----"),
    "a bearer token": re.compile(
        r"\bbearer\s+((?=\S*\d)[\w.~+/=-]{8,}|[\w.~+/=-]{20,})", re.IGNORECASE
    ),
    "an authorization": re.compile(
        r"\bauthorization:\s*(basic|bearer|token)\s+(?!\$)\S{6,}", re.IGNORECASE
    ),
    "a password of curl": re.compile(
        r"\bcurl\b.*?\s(-u|--user)[\s=]*[\"']?[^\s:\"'$]+:(?![\s$\"'])\S+"
    ),
    "a password of a database": re.compile(
        r"\b(mysql(dump|admin|import|sh)?|mariadb(-dump|-admin)?)\s(?:[^;|&]*?\s)?-p[\"']?(?![\s$\"'`<])\S+"
    ),
    "a password of sshpass": re.compile(
        r"\bsshpass\s+(?:-[fdP]\s*\S+\s+|-[ev]+\s+)*-p\s*[\"']?(?![\s$\"'`<])\S+"
    ),
    "a password in a URL": re.compile(
        r"\b[a-z][a-z0-9+.-]*://[^/\s:@]*:(?!\$)[^/\s@]+@", re.IGNORECASE
    ),
}
STRONG = re.compile(
    r"(^|[_.-]|(?<=[a-z])(?=password|secret|token))"
    r"(pass(word|wd|phrase)|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credentials?)([_.-]|$)",
    re.IGNORECASE,
)
WEAK = re.compile(
    r"(^|[_.-])(key|pat|bearer|auth(?!or(s|ed|ing|ity|ship)?([_.-]|$))\w*)$", re.IGNORECASE
)
_OTHER_KEYS = re.compile(  # of tables, maps and plots
    r"(^|[_.-])(sort|group|join|primary|foreign|public|partition|row|column|dict|map|cache|metric|index|hot)[_.-]?key$",
    re.IGNORECASE,
)
HARMLESS = re.compile(
    r"^(|<[^>]*>|\[\w+\]|null|none|true|false|\d{1,6}|\$\{?\w+\}?|~?/\S*|\.{1,2}/\S*)$",
    re.IGNORECASE,
)
# words joined by _ . or -, code, and patterns of file names: no key is written so
_WORDS = re.compile(r"[A-Za-z]+(?:[_.-](?:[A-Za-z]+|\d+))*|.*[\s()\[\]{}*?,].*", re.DOTALL)
_SHORTEST = 6  # characters of a key that is taken for one without a telling name

# NAME=VALUE, also in the line of a `bash -c`
_SETTING = re.compile(r"(?<![\w-])(\w[\w.-]*)=[\"']?([^\s\"';&|]*)")
# NAME: VALUE of a header or of JSON; in Python it is a type or a name, so the value must look like no word
_HEADER = re.compile(r"(\w[\w.-]*)[\"']?:\s*[\"']?([^\s\"';&|]*)")
_OPTION = re.compile(r"--?([A-Za-z][\w-]*)(?:=(.*))?", re.DOTALL)


def is_secret(name: str, value: str) -> bool:
    """Whether a value is a secret because of its name."""
    if HARMLESS.match(value):
        return False
    if STRONG.search(name):
        return True
    named = WEAK.search(name) and not _OTHER_KEYS.search(name)
    return bool(named) and _opaque(value)


def _opaque(value: str) -> bool:
    """Whether a value looks like no word, no code and no pattern."""
    return len(value) >= _SHORTEST and not _WORDS.fullmatch(value)


def shapes(text: str) -> Iterator[str]:
    """Yield what stands in a text by its shape alone."""
    for what, pattern in LOOKS.items():
        if pattern.search(text):
            yield what


def settings(text: str) -> Iterator[str]:
    """Yield the names that a text sets to a secret: `TOKEN=…`, also within the line of a `bash -c`."""
    told = [pair for pair in _HEADER.findall(text) if _opaque(pair[1])]
    for name, value in (*_SETTING.findall(text), *told):
        if is_secret(name, value) and not _expanded(value):
            yield name


def options(words: list[str]) -> Iterator[str]:
    """Yield the options of a command line whose value is a secret: `--token …`, `--key=…`."""
    for word, after in itertools.pairwise([*words, ""]):
        found = _OPTION.fullmatch(word)
        if found is None:
            continue
        value = (found[2] if found[2] is not None else after).strip("\"'")
        if is_secret(found[1], value) and not _expanded(value) and not value.startswith("-"):
            yield word.partition("=")[0]


def in_text(text: str) -> str | None:
    """Return what secret stands in a piece of text, or None."""
    named = itertools.chain(settings(text), options(text.split()))
    return next(itertools.chain(shapes(text), (f"a value of {name}" for name in named)), None)


def _expanded(value: str) -> bool:
    """Whether a value is what a shell makes of a variable or a command: `$(cat key)`."""
    return value.startswith(("$", "`"))

"""Bring one file here, from a URL or a folder: resumed where it was cut, and kept only with the right SHA-256."""

from __future__ import annotations

import contextlib
import http.client
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from forgia_hpc.digest import sha256_file
from forgia_hpc.errors import InputError, Problem
from forgia_hpc.rundir import sync_directory

TIMEOUT_S = 60
BLOCK = 1 << 20
Progress = Callable[[str, int, int], None]  # what is brought, bytes done, of how many (0: unknown)


@dataclass(frozen=True)
class Rest:
    """What is still to come of a file."""

    stream: BinaryIO
    begin: int  # 0 where the server does not resume
    total: int  # 0: it does not say


def fetch(origin: str, into: Path, sha256: str, progress: Progress | None = None) -> bool:
    """Bring `origin` (a URL, or a path) to `into`; return False where the right file was there already.

    What came before a cut stays beside it as `.<name>.part`, and the next call goes on from there.

    Raises:
        InputError: no answer, no such file, or content of another digest.
    """
    if into.is_file() and sha256_file(into) == sha256:
        return False
    into.parent.mkdir(parents=True, exist_ok=True)
    part = into.with_name(f".{into.name}.part")
    resumed = part.exists()
    _append(origin, part, progress)
    if resumed and sha256_file(part) != sha256:
        part.unlink()  # its beginning was another file's
        _append(origin, part, progress)
    _keep(part, into, sha256, origin)
    return True


def _keep(part: Path, into: Path, sha256: str, origin: str) -> None:
    found = sha256_file(part)
    if found != sha256:
        part.unlink()
        limit = f"SHA-256 {sha256} is wanted"
        raise InputError(
            Problem(
                field=into.name,
                got=f"SHA-256 {found}",
                limit=limit,
                where=without_secrets(origin),
                fix="ask its publisher which is right; nothing was kept",
            )
        )
    part.chmod(0o640)
    part.replace(into)
    sync_directory(into.parent)


def _append(origin: str, part: Path, progress: Progress | None) -> None:
    """Bring what is missing of `part`."""
    done = part.stat().st_size if part.exists() else 0
    try:
        with _rest(origin, done) as rest, part.open("ab") as out:
            out.truncate(rest.begin)
            done = rest.begin
            while block := rest.stream.read(BLOCK):
                out.write(block)
                done += len(block)
                if progress:
                    progress(part.name[1 : -len(".part")], done, rest.total)
    except (
        urllib.error.URLError,
        http.client.HTTPException,
        TimeoutError,
        ConnectionError,
        IsADirectoryError,
        ValueError,  # no URL
    ) as error:
        raise InputError(_unreached(origin, error)) from error
    if rest.total and done != rest.total:
        raise InputError(_unreached(origin, f"cut after {done} of {rest.total} bytes"))


@contextlib.contextmanager
def _rest(origin: str, begin: int) -> Iterator[Rest]:
    if urllib.parse.urlsplit(origin).scheme in ("http", "https"):
        with _answer(origin, begin) as answer:
            begin = begin if answer.status == 206 else 0
            length = int(answer.headers.get("Content-Length") or 0)
            yield Rest(answer, begin, begin + length if length else 0)
        return
    path = Path(origin.removeprefix("file://")).expanduser()
    try:
        with path.open("rb") as opened:
            total = path.stat().st_size
            opened.seek(min(begin, total))
            yield Rest(opened, min(begin, total), total)
    except FileNotFoundError as error:
        raise InputError(_unreached(origin, "no such file")) from error


def _answer(url: str, begin: int) -> http.client.HTTPResponse:
    """Return the server's answer; one that has nothing after `begin` is asked for the whole."""
    headers = {"Range": f"bytes={begin}-"} if begin else {}
    try:
        found = urllib.request.urlopen(
            urllib.request.Request(url, headers=headers), timeout=TIMEOUT_S
        )
    except urllib.error.HTTPError as error:
        if error.code != 416:
            raise
        found = urllib.request.urlopen(url, timeout=TIMEOUT_S)
    answer: http.client.HTTPResponse = found
    return answer


def without_secrets(origin: str) -> str:
    """Return where a file comes from without what may open it: a password, or the signature after `?`."""
    return re.sub(r"(?<=://)[^/]*@|\?.*", "", origin)


def _unreached(origin: str, error: object) -> Problem:
    return Problem(
        field="fetch",
        got=without_secrets(origin),
        limit=str(getattr(error, "reason", error)),
        fix="say it again to go on where it was cut; compute nodes are offline, login nodes mostly are not",
    )

"""Bring a sealed dataset, or a folder that SHA256SUMS vouches for, to the data root: whole, or not at all.

The copy grows in `.<name>.part` beside its place and is renamed when every digest is right. A copy that was cut
goes on where it stopped.
"""

from __future__ import annotations

import io
import re
import shutil
import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from forgia_hpc.data.beside import beside
from forgia_hpc.data.fetch import BLOCK, Progress
from forgia_hpc.data.manifest import MANIFEST, FileEntry, load_manifest
from forgia_hpc.data.presence import find_altered
from forgia_hpc.data.sharing import share
from forgia_hpc.digest import sha256_file
from forgia_hpc.errors import InputError, Problem, SealBrokenError
from forgia_hpc.rundir import sync_directory

SUMS = "SHA256SUMS"
_SUM = re.compile(r"(?P<sha256>[0-9a-f]{64}) [ *](?P<path>.+)")


@dataclass(frozen=True)
class Piece:
    """One file of a source."""

    path: PurePosixPath
    size: int
    stream: IO[bytes]


@dataclass(frozen=True, kw_only=True)
class Staged:
    """What a stage has brought."""

    name: str
    directory: Path
    files: int
    bytes: int
    fresh: bool  # False: the same was there already
    left_out: tuple[str, ...] = ()  # files that nothing vouches for


def stage(source: Path, root: Path, progress: Progress | None = None) -> Staged:
    """Bring `source` (a folder, a .tar or a .zip) to `root/<name>`.

    Raises:
        InputError: nothing vouches for it, or another version is in the way.
        SealBrokenError: names every file that is missing or altered; the good ones stay for the next call.
    """
    if not source.exists():
        raise InputError(Problem(field="SOURCE", got=str(source), limit="no such file or folder"))
    plain = source.name.partition(".")[0] if source.is_file() else source.resolve().name
    work = root / f".{plain}.part"
    _clear_links(work)
    work.mkdir(parents=True, exist_ok=True)
    _bring(source, work, progress)
    vouched, name = _vouched(work, plain)
    _verify(vouched, work, source)
    also = beside(load_manifest(work)) if (work / MANIFEST).is_file() else set()
    left_out = _leave_out(work, {entry.path for entry in vouched} | also)
    fresh = _put(work, root / name)
    total = sum(entry.bytes for entry in vouched)
    return Staged(
        name=name,
        directory=root / name,
        files=len(vouched),
        bytes=total,
        fresh=fresh,
        left_out=left_out,
    )


def _clear_links(work: Path) -> None:
    """Take links out of what an earlier call left: a copy has none, and one planted here leads elsewhere."""
    for path in (work, *work.rglob("*")):
        if path.is_symlink():
            path.unlink()


def _bring(source: Path, work: Path, progress: Progress | None) -> None:
    """Copy every file that is not there in its full size."""
    for piece in _pieces(source):
        path = work / piece.path
        if path.is_file() and path.stat().st_size == piece.size:
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.piece")
        with part.open("wb") as out:
            done = 0
            while block := piece.stream.read(BLOCK):
                out.write(block)
                done += len(block)
                if progress:
                    progress(str(piece.path), done, piece.size)
        part.replace(path)


def _pieces(source: Path) -> Iterator[Piece]:
    try:
        if source.is_dir():
            yield from _of_folder(source)
        elif zipfile.is_zipfile(source):
            yield from _inside(_of_zip(source), source)
        else:
            yield from _inside(_of_tar(source), source)
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, RuntimeError) as error:
        # RuntimeError: how zipfile tells a password, or a compression it does not know
        limit = f"a folder, a .tar or a .zip is needed ({error})"
        raise InputError(Problem(field="SOURCE", got=str(source), limit=limit)) from error


def _of_folder(source: Path) -> Iterator[Piece]:
    for path in sorted(source.rglob("*")):
        if path.is_file():
            with path.open("rb") as opened:
                place = PurePosixPath(path.relative_to(source))
                yield Piece(place, path.stat().st_size, opened)


def _of_zip(source: Path) -> Iterator[Piece]:
    with zipfile.ZipFile(source) as archive:
        for entry in archive.infolist():
            if not entry.is_dir():
                with archive.open(entry) as opened:
                    yield Piece(PurePosixPath(entry.filename), entry.file_size, opened)


def _of_tar(source: Path) -> Iterator[Piece]:
    with tarfile.open(source, "r|*") as archive:
        for entry in archive:
            if entry.isfile():
                opened = archive.extractfile(entry) or io.BytesIO()
                yield Piece(PurePosixPath(entry.name), entry.size, opened)
            elif not entry.isdir():
                limit = "an archive of plain files is needed"
                raise InputError(
                    Problem(field="SOURCE", got=entry.name, limit=limit, where=str(source))
                )


def _inside(pieces: Iterable[Piece], source: Path) -> Iterator[Piece]:
    """Take the archive's one top folder away; refuse a path that leads out of it."""
    top: str | None = None
    for piece in pieces:
        parts = [part for part in piece.path.parts if part != "."]
        if piece.path.is_absolute() or ".." in parts or not parts:
            limit = "leads out of the archive"
            raise InputError(
                Problem(field="SOURCE", got=str(piece.path), limit=limit, where=str(source))
            )
        top = parts[0] if top is None and len(parts) > 1 else top or ""
        if top:
            if parts[0] != top or len(parts) == 1:
                limit = f"everything in one folder, as {top}/"
                raise InputError(
                    Problem(field="SOURCE", got=str(piece.path), limit=limit, where=str(source))
                )
            parts = parts[1:]
        yield Piece(PurePosixPath(*parts), piece.size, piece.stream)


def _vouched(work: Path, plain: str) -> tuple[list[FileEntry], str]:
    """Return the files with their digests, and the name of it all."""
    if (work / MANIFEST).is_file():
        manifest = load_manifest(work)
        data = (work / MANIFEST).read_bytes()
        own = FileEntry(path=MANIFEST, bytes=len(data), sha256=manifest.version)
        return [own, *manifest.files, *manifest.shards], manifest.name
    if (work / SUMS).is_file():
        return _listed(work), plain
    raise InputError(
        Problem(
            field="SOURCE",
            got=plain,
            limit=f"no {MANIFEST} and no {SUMS}: nothing vouches for its content",
            fix=f"in it: find . -type f ! -name {SUMS} -exec sha256sum {{}} + > {SUMS}",
        )
    )


def _listed(work: Path) -> list[FileEntry]:
    sums = work / SUMS
    found = [FileEntry(path=SUMS, bytes=sums.stat().st_size, sha256=sha256_file(sums))]
    # surrogateescape: the name of a file may be any bytes
    for line in sums.read_text(encoding="utf-8", errors="surrogateescape").splitlines():
        match = _SUM.fullmatch(line)
        place = PurePosixPath(match["path"].removeprefix("./")) if match else PurePosixPath("..")
        if match is None or place.is_absolute() or ".." in place.parts:
            limit = "lines as sha256sum(1) writes them, of files below it"
            raise InputError(Problem(field=SUMS, got=line, limit=limit))
        size = (work / place).stat().st_size if (work / place).is_file() else 0
        found.append(FileEntry(path=str(place), bytes=size, sha256=match["sha256"]))
    return found


def _verify(vouched: list[FileEntry], work: Path, source: Path) -> None:
    """Check every file; a wrong one is taken away, so that the next call brings it again."""
    missing = [entry.path for entry in vouched if not (work / entry.path).is_file()]
    there = [entry for entry in vouched if entry.path not in missing]
    short = [one.path for one in there if (work / one.path).stat().st_size != one.bytes]
    altered = [one.path for one in there if find_altered([one], work)]
    for path in (*short, *altered):
        (work / path).unlink()
    faults = [f"{path}: missing" for path in missing]
    faults += [f"{path}: another size than was sealed" for path in short]
    faults += [f"{path}: altered: its SHA-256 is not the sealed one" for path in altered]
    if faults:
        raise SealBrokenError("\n".join(f"{source}: {fault}" for fault in faults))


def _leave_out(work: Path, vouched: set[str]) -> tuple[str, ...]:
    extra = [
        path
        for path in sorted(work.rglob("*"))
        if path.is_file() and str(path.relative_to(work)) not in vouched
    ]
    for path in extra:
        path.unlink()
    return tuple(str(path.relative_to(work)) for path in extra)


def _put(work: Path, place: Path) -> bool:
    """Rename the whole copy into place; return False where the same is there."""
    if not place.exists():
        work.rename(place)
        share(place)
        sync_directory(place.parent)
        return True
    mark = MANIFEST if (work / MANIFEST).is_file() else SUMS
    there = place / mark
    if there.is_file() and there.read_bytes() == (work / mark).read_bytes():
        shutil.rmtree(work)
        return False
    shutil.rmtree(work)
    limit = "is there already, and of another version"
    fix = "move it away, or name another place with --to"
    raise InputError(Problem(field="into", got=str(place), limit=limit, fix=fix))

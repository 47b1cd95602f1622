"""Files brought over HTTP and from folders: resumed, checked, and never kept wrong."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from forgia_hpc.data.fetch import BLOCK, fetch
from forgia_hpc.data.ingest.load import load_recipe
from forgia_hpc.data.ingest.origins import address, fetch_raw
from forgia_hpc.errors import InputError

CONTENT = bytes(range(256)) * 16384  # 4 MiB
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@dataclass
class Server:
    """A server that can cut its answers, and may not know how to resume."""

    url: str = ""
    resumes: bool = True
    cut_after: int | None = None
    asked: list[str | None] = field(default_factory=list)

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        wanted = request.headers.get("Range")
        self.asked.append(wanted)
        begin = int(wanted[6:-1]) if wanted and self.resumes else 0
        if request.path == "/gone":
            request.send_error(404)
            return
        if begin >= len(CONTENT):
            request.send_error(416)
            return
        request.send_response(206 if begin else 200)
        request.send_header("Content-Length", str(len(CONTENT) - begin))
        request.end_headers()
        rest = CONTENT[begin:]
        request.wfile.write(rest[: self.cut_after])


@pytest.fixture
def server() -> Iterator[Server]:
    found = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.answer(self)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        found.url = f"http://127.0.0.1:{http.server_address[1]}/file"
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        yield found
        http.shutdown()
        thread.join()


def test_a_file_comes_once_and_whole(server: Server, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    into = tmp_path / "a" / "file"
    assert fetch(server.url, into, SHA256, lambda *words: told.append(words))
    assert into.read_bytes() == CONTENT
    assert told[-1] == ("file", len(CONTENT), len(CONTENT))
    assert not fetch(server.url, into, SHA256)
    assert len(server.asked) == 1


@pytest.mark.parametrize("resumes", [True, False])
def test_a_cut_download_goes_on(server: Server, tmp_path: Path, resumes: bool) -> None:
    server.resumes, server.cut_after = resumes, BLOCK + 5
    into = tmp_path / "file"
    with pytest.raises(InputError, match=f"cut after {BLOCK + 5} of {len(CONTENT)} bytes"):
        fetch(server.url, into, SHA256)
    assert not into.exists()
    server.cut_after = None
    assert fetch(server.url, into, SHA256)
    assert into.read_bytes() == CONTENT
    assert server.asked == [None, f"bytes={BLOCK + 5}-"]
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_the_beginning_of_another_file_is_thrown_away(server: Server, tmp_path: Path) -> None:
    for size in (1000, len(CONTENT), len(CONTENT) + 7):
        (tmp_path / ".file.part").write_bytes(b"x" * size)
        (tmp_path / "file").unlink(missing_ok=True)
        assert fetch(server.url, tmp_path / "file", SHA256)
        assert (tmp_path / "file").read_bytes() == CONTENT


def test_another_content_is_never_kept(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"what was there")
    with pytest.raises(InputError, match="is wanted"):
        fetch(server.url, tmp_path / "file", "0" * 64)
    assert (tmp_path / "file").read_bytes() == b"what was there"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    "origin", ["http://127.0.0.1:9/x", "http://no-such-host.invalid/x", "/no/such/file"]
)
def test_no_answer_is_told_in_one_line(origin: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="say it again to go on"):
        fetch(origin, tmp_path / "x", SHA256)


@pytest.mark.parametrize("origin", ["http://[::1/x", "file:///etc"])
def test_what_is_no_file_is_told_in_one_line(origin: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="fetch: got"):
        fetch(origin, tmp_path / "x", SHA256)


@pytest.mark.parametrize(
    "secret", ["http://me:hunter2@127.0.0.1:9/x", "http://127.0.0.1:9/x?sig=hunter2"]
)
def test_what_opens_a_url_is_not_repeated(secret: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"127\.0\.0\.1:9/x") as told:
        fetch(secret, tmp_path / "x", SHA256)
    assert "hunter2" not in str(told.value)


def test_a_missing_page_is_told(server: Server, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Not Found"):
        fetch(server.url.replace("/file", "/gone"), tmp_path / "x", SHA256)


# --- by the recipes -------------------------------------------------------------------------------


def test_addresses_are_the_publishers_own() -> None:
    raw = "https://raw.githubusercontent.com"
    found = {}
    for name in ("refinery", "tennessee_eastman", "machine_temperature", "turbofan"):
        recipe = load_recipe(name)
        found |= {file.path: address(recipe, file) for file in recipe.files}
    assert found["real_process_data.csv"] == (
        f"{raw}/petrobras/BibMon/main/bibmon/real_process_data/real_process_data.csv"
    )
    assert found["d00.dat"] == f"{raw}/camaramm/tennessee-eastman-profBraatz/HEAD/d00.dat"
    assert found["labels.json"] is None  # cut out of the publisher's file
    assert found["train_FD001.txt"] is None  # its source is a page for people


def test_what_has_no_address_is_told_with_its_place_and_may_come_from_a_mirror(
    tmp_path: Path,
) -> None:
    recipe = load_recipe("turbofan")
    with pytest.raises(
        InputError, match=r"put it at .*train_FD001.txt, or name a mirror"
    ) as caught:
        fetch_raw(recipe, tmp_path)
    assert len(caught.value.problems) == len(recipe.files)
    mirror = tmp_path / "mirror"
    for file in recipe.files:
        (mirror / "turbofan").mkdir(parents=True, exist_ok=True)
        (mirror / "turbofan" / file.path).write_bytes(b"not it")
    with pytest.raises(InputError, match="SHA-256"):
        fetch_raw(recipe, tmp_path / "raw", str(mirror))
    assert not [path for path in (tmp_path / "raw").rglob("*") if path.is_file()]

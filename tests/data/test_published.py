import hashlib
import http.server
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from bcl_edu.data.published import OfficialFile, check_md5, fetch

CONTENT = bytes(range(256)) * 64


class Server(http.server.ThreadingHTTPServer):
    """Serves CONTENT as /archive.tar.gz on the loopback; tests say how it misbehaves."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.ranges: list[str | None] = []  # the Range header of each request
        self.break_off_after: list[int] = []  # of the next answers: bytes sent before the connection breaks
        self.can_resume = True
        self.status: int | None = None

    @property
    def file(self) -> OfficialFile:
        url = f"http://127.0.0.1:{self.server_port}/archive.tar.gz"
        return OfficialFile(url, hashlib.md5(CONTENT).hexdigest(), megabytes=1)


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        wanted = self.headers["Range"]
        self.server.ranges.append(wanted)
        start = (
            int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and self.server.can_resume else 0
        )
        status = self.server.status or (416 if start >= len(CONTENT) else 206 if start else 200)
        body = CONTENT[start:] if status < 400 else b""
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.server.break_off_after:
            body = body[: self.server.break_off_after.pop(0)]
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Stay quiet."""


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_file_is_fetched_under_its_name_and_nothing_else_is_left(server: Server, tmp_path: Path) -> None:
    path = fetch(server.file, tmp_path / "new" / "folder")
    assert path == tmp_path / "new" / "folder" / "archive.tar.gz"
    assert path.read_bytes() == CONTENT
    assert os.listdir(path.parent) == ["archive.tar.gz"]
    assert server.ranges == [None]


def test_a_broken_connection_goes_on_where_it_stopped(server: Server, tmp_path: Path) -> None:
    server.break_off_after = [1000, 500]
    assert fetch(server.file, tmp_path).read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=1000-", "bytes=1500-"]


def test_what_came_is_kept_for_the_next_call(server: Server, tmp_path: Path) -> None:
    server.break_off_after = [100] * 4
    with pytest.raises(ConnectionError, match=r"400 of 16,384 bytes \(400 "):
        fetch(server.file, tmp_path)
    assert os.listdir(tmp_path) == ["archive.tar.gz.part"]
    assert fetch(server.file, tmp_path).read_bytes() == CONTENT
    assert server.ranges[-1] == "bytes=400-"


def test_a_server_that_cannot_resume_starts_over(server: Server, tmp_path: Path) -> None:
    server.can_resume = False
    server.break_off_after = [1000]
    assert fetch(server.file, tmp_path).read_bytes() == CONTENT


def test_a_part_that_is_whole_is_only_checked(server: Server, tmp_path: Path) -> None:
    (tmp_path / "archive.tar.gz.part").write_bytes(CONTENT)
    assert fetch(server.file, tmp_path).read_bytes() == CONTENT


def test_a_wrong_hash_is_refused_and_the_next_call_starts_over(server: Server, tmp_path: Path) -> None:
    (tmp_path / "archive.tar.gz.part").write_bytes(b"something else")
    with pytest.raises(ValueError, match=r"MD5 is \w{32}, expected \w{32}"):
        fetch(server.file, tmp_path)
    assert os.listdir(tmp_path) == []
    assert fetch(server.file, tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize("status", [403, 404, 503])
def test_a_refusal_says_what_to_fetch_and_where_to_put_it(
    server: Server, tmp_path: Path, status: int
) -> None:
    server.status = status
    with pytest.raises(ConnectionError) as raised:
        fetch(server.file, tmp_path)
    for expected in (
        str(status),
        server.file.url,
        server.file.md5,
        "1 MB",
        f"put it, as it is, into {tmp_path}",
    ):
        assert expected in str(raised.value)
    assert len(server.ranges) == 1, "an answer is final"


def test_without_a_network_the_message_says_what_to_fetch_and_where_to_put_it(tmp_path: Path) -> None:
    server = Server()
    server.server_close()  # nobody listens on its port any more
    with pytest.raises(ConnectionError, match=f"Without a network, .* into {tmp_path}"):
        fetch(server.file, tmp_path)


def test_check_md5(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    check_md5(path, OfficialFile("http://x/file", "900150983cd24fb0d6963f7d28e17f72", 1))  # RFC 1321, A.5
    with pytest.raises(ValueError, match=r"delete it .*http://x/file"):
        check_md5(path, OfficialFile("http://x/file", "0" * 32, 1))

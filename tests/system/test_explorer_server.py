"""The explorer's server: this machine alone, nothing but the page, and only under its own name."""

import contextlib
import http.client
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest
import torch

import byhand
from byhand.explorer.hosts.server import AT_ONCE, Answer, PageServer, serve

PAGE = "<!doctype html><title>σ</title>"


@contextlib.contextmanager
def serving(places: int = AT_ONCE) -> Iterator[PageServer]:
    with PageServer(PAGE) as made:
        made.free = threading.BoundedSemaphore(places)
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield made
        finally:
            made.shutdown()
            thread.join()


@pytest.fixture
def server() -> Iterator[PageServer]:
    with serving() as made:
        yield made


def ask(
    server: PageServer, method: str = "GET", path: str = "/", host: str | None = None
) -> tuple[http.client.HTTPResponse, str]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=5)
    connection.request(method, path, headers={"Host": host or f"127.0.0.1:{server.server_port}"})
    response = connection.getresponse()
    content = response.read().decode()
    connection.close()
    return response, content


def raw(server: PageServer, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=5) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_gives_the_page_and_says_how_to_treat_it(server: PageServer) -> None:
    response, content = ask(server)
    assert response.status == 200 and content == PAGE
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "frame-ancestors 'none'" in response.headers["Content-Security-Policy"]
    assert response.headers["Server"] == "byhand" and "Access-Control-Allow-Origin" not in response.headers
    response, content = ask(server, "HEAD")
    assert response.status == 200 and content == "" and int(response.headers["Content-Length"]) == len(PAGE.encode())
    assert ask(server, host=f"localhost:{server.server_port}")[0].status == 200


@pytest.mark.parametrize("path", ["/index.html", "/..", "/../../etc/passwd", "/?x", "/favicon.ico", "/%2e%2e/", "/static/"])
def test_gives_nothing_else(server: PageServer, path: str) -> None:
    response, content = ask(server, path=path)
    assert response.status == 404 and content == f"There is nothing here but {server.address}"


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "0.0.0.0:{port}", "[::1]:{port}"]
)
def test_answers_to_its_own_name_only(server: PageServer, host: str) -> None:
    response, content = ask(server, host=host.format(port=server.server_port))
    assert response.status == 403 and PAGE not in content


def test_what_is_no_request_gets_no_page(server: PageServer) -> None:
    own = f"Host: 127.0.0.1:{server.server_port}\r\n".encode()
    assert b" 403 " in raw(server, b"GET / HTTP/1.1\r\n\r\n").splitlines()[0]
    assert b" 403 " in raw(server, b"GET / HTTP/1.1\r\n" + own + b"Host: evil.example\r\n\r\n").splitlines()[0]
    for method in (b"POST", b"PUT", b"OPTIONS", b"<script>"):
        answer = raw(server, method + b" / HTTP/1.1\r\n" + own + b"\r\n")
        assert b" 501 " in answer.splitlines()[0] and b"script" not in answer and b"<!doctype" not in answer
    for nonsense in (
        b"\x00\xff\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /" + b"a" * 70000 + b" HTTP/1.1\r\n\r\n",
    ):
        assert b"<!doctype" not in raw(server, nonsense)
    assert ask(server)[0].status == 200


def test_so_many_connections_at_once_and_no_more() -> None:
    with PageServer(PAGE) as server:  # one of its own: no other test's connection holds a place
        server.free = threading.BoundedSemaphore(3)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        idle = [socket.create_connection(("127.0.0.1", server.server_port), timeout=5) for _ in range(3)]
        with socket.create_connection(("127.0.0.1", server.server_port), timeout=5) as connection:
            assert connection.recv(1) == b""  # closed at once
        for one in idle:
            one.close()
        for _ in range(2):  # all places are free again: after the idle ones, and after those that were answered
            for _ in range(3):
                assert server.free.acquire(timeout=5)
            server.free.release(3)
            assert ask(server)[1] == PAGE
        server.shutdown()
        thread.join()


def test_who_goes_away_or_reads_nothing_is_left_alone(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Answer, "timeout", 0.3)
    with PageServer(PAGE + "x" * 30_000_000) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        request = f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{server.server_port}\r\n\r\n".encode()
        gone, deaf = (socket.create_connection(("127.0.0.1", server.server_port), timeout=5) for _ in range(2))
        for one in (gone, deaf):
            one.sendall(request)
            assert one.recv(10) == b"HTTP/1.1 2"
        gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # it is reset, not closed
        gone.close()
        for _ in range(AT_ONCE):
            assert server.free.acquire(timeout=5)  # neither keeps its place
        deaf.close()
        server.shutdown()
        thread.join()
    assert capfd.readouterr() == ("", "")


def test_slow_connections_lose_their_places(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each sends a byte of its request now and then, so that no pause is long; the whole head has to be there in time."""
    monkeypatch.setattr(Answer, "timeout", 0.6)
    with serving(places=3) as server, contextlib.ExitStack() as slow:
        places = [("127.0.0.1", server.server_port)] * 3
        connections = [slow.enter_context(socket.create_connection(place, timeout=5)) for place in places]
        begun, over = time.monotonic(), threading.Event()

        def drip() -> None:
            """A byte every twentieth of a second: eight seconds to the end."""
            for byte in b"GET / HTTP/1.1\r\nHost: somewhere\r\n" + b"A: b\r\n" * 20:
                for one in connections:
                    with contextlib.suppress(OSError):
                        one.send(bytes([byte]))
                if over.wait(0.05):
                    return

        dripping = threading.Thread(target=drip)
        dripping.start()
        while server.free._value and time.monotonic() < begun + 5:  # until the server has taken in all three
            time.sleep(0.005)
        free = [server.free.acquire(timeout=3) for _ in range(3)]
        took = time.monotonic() - begun
        over.set()
        dripping.join()
        assert all(free) and 0.5 < took < 2.5
        server.free.release(3)
        assert ask(server)[1] == PAGE


def test_a_connection_that_is_kept_gets_its_time_again_for_each_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Answer, "timeout", 0.5)
    with serving() as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=5)
        for _ in range(4):
            connection.request("GET", "/")
            assert connection.getresponse().read().decode() == PAGE
            time.sleep(0.3)
        connection.close()


def test_is_bound_to_this_machine(server: PageServer) -> None:
    assert server.socket.getsockname()[0] == "127.0.0.1"


def test_a_port_that_is_taken_or_none_is_refused(server: PageServer) -> None:
    with pytest.raises(OSError, match=f"port {server.server_port} on 127.0.0.1: it is taken: give another"):
        serve(PAGE, server.server_port)
    for port in (-1, 65536):
        with pytest.raises(ValueError, match=r"port: expected 0 \(any that is free\) to 65535"):
            byhand.explore(byhand.LSTM(1, 1), torch.ones(2, 1, 1)).serve(port)


def test_ctrl_c_ends_it_cleanly() -> None:
    code = f"from byhand.explorer.hosts.server import serve\nserve({PAGE!r})\nprint('ended')"
    words = [sys.executable, "-W", "error", "-c", code]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(words, env=os.environ | {"OMP_NUM_THREADS": "1"}, **pipes) as process:
        told = process.stdout.readline()
        assert told.startswith("http://127.0.0.1:") and told.endswith("/  (Ctrl-C ends it)\n")
        port = int(told.split(":")[2].split("/")[0])
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("GET", "/")
        assert connection.getresponse().read().decode() == PAGE  # and is kept open
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=20)
        connection.close()
    assert (process.returncode, out, errors) == (0, "ended\n", "")

"""The page over HTTP, to this machine alone: nothing but the page, and only to who asked for this address.

A name that somebody makes point at 127.0.0.1 would let a stranger's page read ours (DNS rebinding), so the Host header has to
name this server as its user does.
"""

from __future__ import annotations

import errno
import io
import os
import socket
import socketserver
import sys
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import BoundedSemaphore, Thread
from typing import Any

from byhand.explorer.hosts.browser import open_in_browser

LOOPBACK = "127.0.0.1"
AT_ONCE = 64  # connections; a browser makes six, and keeps them open for Answer.timeout
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "frame-ancestors 'none'",  # the rest stands in the page itself
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class PageServer(ThreadingHTTPServer):
    """Serves `content`, HTML, at `address`. OSError if the port is taken, OverflowError if it is none."""

    daemon_threads = True
    allow_reuse_address = os.name != "nt"  # where that means that another program may take the port as well
    allow_reuse_port = False

    def __init__(self, content: str, port: int = 0) -> None:
        self.content = content.encode()
        self.free = BoundedSemaphore(AT_ONCE)
        super().__init__((LOOPBACK, port), Answer)

    def process_request(self, request: Any, client_address: Any) -> None:
        """In a thread of its own; with as many at work as there may be, the connection is closed at once."""
        if self.free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Prints nothing where the browser left early, or where Ctrl-C closed the connection while its thread started."""
        problem = sys.exception()
        closed_here = isinstance(problem, OSError) and problem.errno == errno.EBADF
        if not isinstance(problem, ConnectionError) and not closed_here:
            super().handle_error(request, client_address)

    def server_bind(self) -> None:
        """Without asking for the machine's name, which can take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = LOOPBACK, int(self.server_address[1])

    @property
    def address(self) -> str:
        return f"http://{LOOPBACK}:{self.server_port}/"

    @property
    def hosts(self) -> tuple[str, ...]:
        names = (LOOPBACK, "localhost")
        return tuple(f"{name}:{self.server_port}" for name in names) + (names if self.server_port == 80 else ())


class Heard(io.RawIOBase):
    """What comes in over a connection until a moment that is set before each request: one that sends a byte now and then must not keep
    its place for ever.
    """

    def __init__(self, connection: socket.socket) -> None:
        self.connection, self.end = connection, 0.0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """TimeoutError when the moment has come."""
        left = self.end - time.monotonic()
        if left <= 0:
            raise TimeoutError("the request was not there in time")
        self.connection.settimeout(left)
        return self.connection.recv_into(buffer)


class Answer(BaseHTTPRequestHandler):
    """Requests of one connection, one after the other."""

    server: PageServer  # type: ignore[assignment]
    protocol_version = "HTTP/1.1"
    timeout = 10  # seconds for the whole head of a request, the wait for it included; and as many to send the answer

    def setup(self) -> None:
        super().setup()
        self.rfile.close()
        self.heard = Heard(self.connection)
        self.rfile = io.BufferedReader(self.heard)

    def handle_one_request(self) -> None:
        self.heard.end = time.monotonic() + float(self.timeout or 0)
        super().handle_one_request()

    def do_GET(self) -> None:
        self.answer()

    def do_HEAD(self) -> None:
        self.answer()

    def answer(self) -> None:
        self.connection.settimeout(self.timeout)
        if self.headers.get_all("Host", []) not in [[host] for host in self.server.hosts]:
            self.refuse(HTTPStatus.FORBIDDEN, f"Open {self.server.address} instead.")
        elif self.path != "/":
            self.refuse(HTTPStatus.NOT_FOUND, f"There is nothing here but {self.server.address}")
        else:
            self.give(HTTPStatus.OK, self.server.content, "text/html; charset=utf-8")

    def refuse(self, status: HTTPStatus, words: str) -> None:
        self.give(status, words.encode(), "text/plain; charset=utf-8")

    def give(self, status: HTTPStatus, content: bytes, kind: str) -> None:
        self.send_response(status)
        for name, value in (HEADERS | {"Content-Type": kind, "Content-Length": str(len(content))}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Other methods, and what is no HTTP: in plain words, none of them the caller's."""
        self.connection.settimeout(self.timeout)
        self.close_connection = True
        self.give(HTTPStatus(code), HTTPStatus(code).phrase.encode(), "text/plain; charset=utf-8")

    def version_string(self) -> str:
        return "byhand"

    def log_message(self, format: str, *values: object) -> None:
        """Nothing is logged."""


def check_port(port: int) -> None:
    if not 0 <= port < 2**16:
        raise ValueError(f"port: expected 0 (any that is free) to 65535, got {port}")


def serve(content: str, port: int = 0, *, open_browser: bool = False) -> None:
    """Until Ctrl-C; prints the address. ValueError for what is no port, OSError if it is taken."""
    check_port(port)
    try:
        server = PageServer(content, port)
    except OSError as problem:
        free = (
            "it is taken: give another, or none for one that is free" if problem.errno == errno.EADDRINUSE else problem.strerror
        )
        raise type(problem)(problem.errno, f"port {port} on {LOOPBACK}: {free}") from problem
    with server:
        print(f"{server.address}  (Ctrl-C ends it)", flush=True)
        if open_browser:  # in a thread: it asks this server, and some browsers run in the terminal until they are left
            Thread(target=open_in_browser, args=(server.address,), daemon=True).start()
        try:
            server.serve_forever(poll_interval=0.2)
        except KeyboardInterrupt:
            return

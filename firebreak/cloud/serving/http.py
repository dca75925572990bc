"""A small HTTP server on loopback: one function answers every request, each in its own thread."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from firebreak.cloud.serving.answers import Answer
from firebreak.cloud.signatures import HttpRequest

Answering = Callable[[HttpRequest], Answer]
_OURS = frozenset({"content-length", "transfer-encoding", "connection", "date", "server"})


@contextmanager
def listening(answer: Answering) -> Iterator[str]:
    """Answer requests on a free port of 127.0.0.1 while the block runs; give host and port."""
    server = _Server(("127.0.0.1", 0), _handler(answer))
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        server.close_connections()
        thread.join()


class _Server(ThreadingHTTPServer):
    """Keeps the connections it has, so that none outlives it."""

    request_queue_size = 128
    daemon_threads = True

    def __init__(self, *args: Any) -> None:
        self._open: set[Any] = set()
        super().__init__(*args)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that went away: a killed process leaves its connections."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def close_connections(self) -> None:
        for request in list(self._open):
            self.shutdown_request(request)


def _handler(answer: Answering) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, *args: Any) -> None:
            """Write no access log."""

        def __getattr__(self, name: str) -> Any:
            """Treat every method alike."""
            if name.startswith("do_"):
                return self._handle
            raise AttributeError(name)

        def _handle(self) -> None:
            made = answer(self._request())
            self.send_response(made.status)
            for name, value in made.headers.items():
                if name.lower() not in _OURS:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(made.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(made.body)

        def _request(self) -> HttpRequest:
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers.get("content-length", "0")))
            url = f"http://{headers.get('host', '')}{self.path}"
            return HttpRequest(self.command, url, headers, body)

    return Handler

"""Where the real data are, and a web server that answers as a test tells it."""

import os
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest


@pytest.fixture
def real_root() -> Path:
    """The folder of real data that ``TLBOOK_DATA`` names; without it a test skips, but not on CI."""
    root = Path(os.environ.get("TLBOOK_DATA", ""))
    if not (root / "MNIST").is_dir():
        reason = "needs real data: set TLBOOK_DATA to a folder that holds MNIST, FashionMNIST, USPS and BSDS500"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return root


class Website:
    """A server on this machine: each path answers its list of replies in turn, the last one for ever.

    A reply is the body; a pair (body, length) claims a ``Content-Length`` that may be wrong; None is a 404.
    """

    def __init__(self) -> None:
        self.replies: dict[str, list[bytes | tuple[bytes, int] | None]] = {}
        self.asked: list[str] = []
        website = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                website.asked.append(self.path)
                replies = website.replies.get(self.path, [None])
                reply = replies.pop(0) if len(replies) > 1 else replies[0]
                if reply is None:
                    self.send_error(404)
                    return
                body, length = reply if isinstance(reply, tuple) else (reply, len(reply))
                self.send_response(200)
                self.send_header("Content-Length", str(length))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def close(self) -> None:
        """Stop answering and free the port: from now on connections are refused."""
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def website(monkeypatch: pytest.MonkeyPatch) -> Iterator[Website]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    site = Website()
    yield site
    site.close()

"""The server of the live view: who may read it, and what it sends."""

from __future__ import annotations

import json
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any

import pytest

from ohmcarlo.errors import UsageError
from ohmcarlo.pages.content import Chart, Headline, HtmlPage, Section, Tone
from ohmcarlo.pages.render import fragments
from ohmcarlo.watch import server
from ohmcarlo.watch.server import address_of, listen, serve
from ohmcarlo.watch.view import Shown


class Pages:
    """A view that shows given pages."""

    def __init__(self) -> None:
        self.shown, self.looks = page(1, "10"), 0

    def look(self) -> Shown:
        self.looks += 1
        return self.shown


def page(number: int, steps: str, complete: bool = False) -> Shown:
    """A page with a chart of one number, and a number of steps."""
    spec = {"mark": "point", "data": {"name": "d"}, "datasets": {"d": [{"x": number}]}}
    chart = Chart("c", "Chart", "A chart.", spec)
    section = Section("progress", "Progress", facts=[("steps", steps)], charts=(chart,))
    headline = Headline(Tone.GOOD if complete else Tone.RUNNING, "settled", ("<b>",))
    return Shown(HtmlPage("t", "s", headline, (section,)), complete)


class Served:
    """A server in a thread."""

    def __init__(self, listening: socket.socket) -> None:
        self.address, self.pages = address_of(listening), Pages()
        self.port = listening.getsockname()[1]
        self.servers: list[Any] = []
        arguments = (self.pages, listening, self.servers.append, True)
        self.thread = threading.Thread(target=serve, args=arguments, daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.servers[0].should_exit = True
        self.thread.join(timeout=60)
        assert not self.thread.is_alive()


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.setattr(server, "EVERY_S", 0.02)
    found = Served(listen())
    yield found
    found.close()


def ask(served: Served, method: str = "GET", path: str = "/", host: str = "") -> tuple[int, Any]:
    connection = HTTPConnection("127.0.0.1", served.port, timeout=30)
    headers = {"Host": host or f"127.0.0.1:{served.port}", "Origin": "http://evil.example"}
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status, answer.headers


class Events:
    """The events that a browser would receive."""

    def __init__(self, served: Served) -> None:
        self._stream = urllib.request.urlopen(served.address + "events", timeout=30)
        assert self._stream.headers["Content-Type"].startswith("text/event-stream")

    def __iter__(self) -> Iterator[tuple[str, str]]:
        kind = "message"
        for line in self._stream:
            name, _, value = line.decode().rstrip("\n").partition(": ")
            if name == "event":
                kind = value
            elif name == "data":
                yield kind, value
                kind = "message"


def test_only_this_computer(served: Served) -> None:
    """Another name that leads here is refused, as are all methods but GET."""
    assert ask(served)[0] == 200
    assert ask(served, host="localhost:1234")[0] == 200
    for host in ("evil.example", f"evil.example:{served.port}", "127.0.0.1.evil.example"):
        assert ask(served, host=host)[0] == 400
        assert ask(served, path="/events", host=host)[0] == 400
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        assert ask(served, method)[0] == 405
    assert ask(served, path="/etc/passwd")[0] == 404
    headers = ask(served)[1]
    assert not [name for name in headers if name.lower().startswith("access-control")]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    with pytest.raises(OSError):  # not on the other addresses of this computer
        socket.create_connection(("127.0.0.2", served.port), timeout=2)


def test_events_until_the_end(served: Served) -> None:
    """The pages one after the other, a chart when it has changed, then the end."""
    changes = [page(1, "20"), page(2, "30"), page(2, "done", complete=True)]
    seen = []
    for kind, value in Events(served):
        if kind == "end":
            break
        seen.append(json.loads(value))
        served.pages.shown = changes[len(seen) - 1] if len(seen) <= 3 else served.pages.shown
    charts = [message["charts"]["c"] for message in seen]
    assert charts[1] is charts[3] is None
    assert [chart["spec"]["datasets"]["data-0"] for chart in (charts[0], charts[2])] == [
        [{"x": 1}],
        [{"x": 2}],
    ]
    expected = json.loads(json.dumps(fragments(changes[-1].page)))
    assert seen[-1] | {"charts": expected["charts"]} == expected


def test_a_browser_that_comes_late(served: Served) -> None:
    """Each has all charts in its first message."""
    for _ in range(2):
        _, first = next(iter(Events(served)))
        assert json.loads(first)["charts"]["c"] is not None


def test_the_last_page_is_sent_before_the_end(served: Served) -> None:
    """A server that is told to end while a browser listens sends it the page of a complete run."""
    server.EVERY_S = 60.0
    events = iter(Events(served))
    next(events)
    served.pages.shown = page(3, "done", complete=True)
    served.servers[0].should_exit = True
    kinds = [kind for kind, _ in events]
    assert kinds == ["message", "end"]


def test_nothing_is_read_for_nobody(served: Served) -> None:
    """The control is a browser that listens."""
    for _ in range(20):
        ask(served, "POST")
        time.sleep(server.EVERY_S)
    assert not served.pages.looks
    next(iter(Events(served)))
    assert served.pages.looks


def test_an_error_of_a_look_does_not_end_the_view(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged once; the page follows when the files can be read again."""
    events = iter(Events(served))
    next(events)
    failed = threading.Semaphore(0)

    def look() -> Shown:
        failed.release()
        raise ValueError("no page")

    usual, served.pages.look = served.pages.look, look  # type: ignore[method-assign]
    for _ in range(3):
        assert failed.acquire(timeout=60)
    served.pages.shown = page(2, "done", complete=True)
    served.pages.look = usual  # type: ignore[method-assign]
    assert [kind for kind, _ in events] == ["message", "end"]
    assert [record.exc_text is not None for record in caplog.records].count(True) == 1


def test_a_server_ends_without_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if its last look fails."""
    failures: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", failures.append)
    served = Served(listen())
    assert ask(served)[0] == 200
    monkeypatch.setattr(served.pages, "look", lambda: {}["no page"])
    served.close()
    assert not failures


def test_pages_wait_for_the_imports(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that meets a library whose import is under way is an error, which ends the server."""
    importing, met = threading.Event(), list[bool]()

    def slow() -> None:
        importing.set()
        time.sleep(0.2)
        importing.clear()

    def look(pages: Pages) -> Shown:
        met.append(importing.is_set())
        return pages.shown

    monkeypatch.setattr(server, "warm_up", slow)
    monkeypatch.setattr(Pages, "look", look)
    served = Served(listen())
    next(iter(Events(served)))
    served.close()
    assert met and not any(met)


def test_another_server_at_the_same_port() -> None:
    """A server that ended gives its port to the next one, so that browsers find it."""
    first = Served(listen())
    assert ask(first)[0] == 200
    first.close()
    second = Served(listen(first.port))
    assert ask(second)[0] == 200
    second.close()


def test_a_port_in_use() -> None:
    with listen() as first:
        port = first.getsockname()[1]
        with pytest.raises(UsageError, match=rf"port {port} is in use: choose another --port"):
            listen(port)
        with listen() as second:
            assert second.getsockname()[1] != port

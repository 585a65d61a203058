"""The script of a live page: it follows a server, and what a reader does to the page stays."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest
from example_page import HOSTILE, example_page

from browser import Opened
from ohmcarlo.pages import charts
from ohmcarlo.pages.content import Headline, HtmlPage, Section, Tone
from ohmcarlo.pages.render import fragments, render

pytestmark = pytest.mark.verify
Open = Callable[..., Opened]


class Server:
    """A page at /, and events that a test sends at /events."""

    def __init__(self, page: HtmlPage, port: int = 0) -> None:
        self.events: queue.Queue[bytes | None] = queue.Queue()
        self.refusals = 0  # requests for events that are still to be refused
        self.text = render(page, live=True).encode()
        self.http = ThreadingHTTPServer(("127.0.0.1", port), self._handler())
        self.http.daemon_threads = True
        self.port = self.http.server_port
        self.thread = threading.Thread(
            target=self.http.serve_forever, kwargs={"poll_interval": 0.05}
        )
        self.thread.start()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                live = self.path == "/events"
                if live and server.refusals:
                    server.refusals -= 1
                    self.send_error(503)
                    return
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream" if live else "text/html")
                self.end_headers()
                self.wfile.write(b"retry: 200\n\n" if live else server.text)
                self.wfile.flush()
                while live and (event := server.events.get()) is not None:
                    self.wfile.write(event)
                    self.wfile.flush()

            def log_message(self, *args: Any) -> None:
                pass

        return Handler

    def send(self, page: HtmlPage) -> None:
        self.events.put(b"data: " + json.dumps(fragments(page)).encode() + b"\n\n")

    def end(self) -> None:
        self.events.put(b"event: end\ndata:\n\n")

    def stop(self) -> None:
        self.events.put(None)
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server(running(100))
    yield made
    made.stop()


def running(steps: int, more: bool = False) -> HtmlPage:
    """The page of a run after some steps; ``more``: with a section that came later."""
    draws = np.random.default_rng(1).normal(size=(4, 400))
    chart = charts.traces("lp", "Log-posterior", f"{steps} steps.", draws[:, :steps], axis="nat")
    chains = Section("chains", "Chains", (f"{steps} of 400 steps.",), charts=(chart,))
    later = Section("later", HOSTILE[0], ("It came later.",))
    filler = Section("filler", "Filler", ("A sentence.",) * 60)
    sections = ((later,) if more else ()) + (chains, filler)
    return HtmlPage("Run", f"{steps} steps", Headline(Tone.RUNNING, "running", ()), sections)


def says(opened: Opened, words: str) -> None:
    wait = "(words) => document.getElementById('connection').textContent.startsWith(words)"
    opened.page.wait_for_function(wait, arg=words)


KEEP = """
() => { window.kept = document.querySelector("#lp svg"); }
"""
LAST = """
(last) => [...document.querySelectorAll("#lp .role-axis-label text")].some(
  (t) => Number(t.textContent) >= last)
"""


def test_updates_keep_what_a_reader_did(browser_page: Open, server: Server) -> None:
    """Focus, scroll, open details, highlighted series and the drawing itself stay."""
    opened = browser_page(f"http://127.0.0.1:{server.port}/")
    page = opened.page
    says(opened, "Live")
    page.locator("#lp summary").click()
    page.locator("#lp .series").nth(2).click()
    page.evaluate(
        """() => { scrollTo(0, 120); window.kept = document.querySelector("#lp svg"); }"""
    )
    server.send(running(300))
    page.wait_for_function(LAST, arg=250)
    assert page.locator("#chains > p").inner_text() == "300 of 400 steps."
    assert page.locator("#lp-words").inner_text() == "300 steps."
    assert page.evaluate("document.querySelector('#lp svg') === window.kept")
    assert page.evaluate("document.activeElement.dataset.series") == "2"
    assert page.locator("#lp .series").nth(2).get_attribute("aria-pressed") == "true"
    assert page.locator("#lp details").get_attribute("open") is not None
    assert page.evaluate("scrollY") == 120
    assert opened.problems == []


def test_a_new_section_appears(browser_page: Open, server: Server) -> None:
    """A section before the others does not disturb them; its name is text."""
    opened = browser_page(f"http://127.0.0.1:{server.port}/")
    page = opened.page
    page.locator("#lp [data-zoom=in]").click()
    page.evaluate(KEEP)
    server.send(running(100, more=True))
    page.wait_for_selector("#later")
    assert page.locator("#later h2").inner_text() == HOSTILE[0]
    assert page.locator("#contents li").count() == 3
    assert page.evaluate("document.querySelector('#lp svg') === window.kept")
    assert page.evaluate("document.activeElement.dataset.zoom") == "in"
    assert page.evaluate("window.broken") is None
    server.send(running(100))
    page.wait_for_selector("#later", state="detached")


def test_the_report_takes_the_place_of_the_live_view(browser_page: Open, server: Server) -> None:
    """Other sections and charts come without a reload; then the page stops listening."""
    opened = browser_page(f"http://127.0.0.1:{server.port}/")
    server.send(example_page())
    server.end()
    opened.page.wait_for_selector("#scatter svg", state="attached")
    says(opened, "The run has ended")
    assert opened.page.locator("#lp").count() == 0
    assert opened.requests == [f"http://127.0.0.1:{server.port}/events"]
    opened.requests.clear()
    assert opened.faults() == []


def test_a_server_that_restarts(browser_page: Open) -> None:
    """The page says that the connection is lost, and follows the next server at that address."""
    server = Server(running(100))
    opened = browser_page(f"http://127.0.0.1:{server.port}/")
    says(opened, "Live")
    server.stop()
    says(opened, "Connection lost, trying again")
    second = Server(running(100), server.port)
    says(opened, "Live")
    second.send(running(200))
    opened.page.wait_for_function(LAST, arg=150)
    second.stop()


def test_a_server_that_refuses_at_first(browser_page: Open, server: Server) -> None:
    """A refusal ends the browser's own attempts; the page tries again."""
    server.refusals = 2
    opened = browser_page(f"http://127.0.0.1:{server.port}/")
    says(opened, "Live")
    assert server.refusals == 0
    server.send(running(200))
    opened.page.wait_for_function(LAST, arg=150)

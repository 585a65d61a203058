"""The server of a live view: one page, and the events that renew it.

It listens on this computer only, answers GET only, and refuses requests for any other host name, so
that a page of another origin cannot read it under a name that leads here.
"""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import os
import socket
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..errors import OhmcarloError, UsageError
from ..pages.checks import NEEDED, not_installed
from ..pages.render import fragments, render
from .view import RunView, Shown, warm_up

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

log = logging.getLogger(__name__)
HOST = "127.0.0.1"
NAMES = [HOST, "localhost"]
PORT = 8417
PORTS = 50
"""Ports that are tried, from ``PORT`` on."""
EVERY_S = 1.0
ALIVE_S = 15.0
"""Time between two signs of life to a browser."""
FINISH_S = 20.0
"""Longest time in which a server that ends sends the page of the complete run."""
RETRY_MS = 1000
"""Time after which a browser looks for a server that has ended."""
NICE = 10
PACKAGES = (*NEEDED, "starlette", "uvicorn")
"""What server and pages import."""
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


def listen(port: int | None = None) -> socket.socket:
    """A socket on this computer: at ``port``, or at the first free one from ``PORT`` on.

    Raises UsageError if ``port`` is in use, OhmcarloError if it cannot be used.
    """
    if port is not None:
        return _listen(port)
    for candidate in range(PORT, PORT + PORTS):
        try:
            return _listen(candidate)
        except UsageError:
            continue
    return _listen(0)


def _listen(port: int) -> socket.socket:
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        if os.name == "posix":  # a server that ended a moment ago does not keep its port
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((HOST, port))
        found.listen()
    except OSError as error:
        found.close()
        if error.errno == errno.EADDRINUSE:
            raise UsageError(
                f"port {port} is in use: choose another --port, or leave it out"
            ) from error
        raise OhmcarloError(
            f"port {port}: {error.strerror or error}; choose another --port, or leave it out"
        ) from error
    return found


def address_of(listening: socket.socket) -> str:
    """The address of the page behind a socket."""
    return f"http://{HOST}:{listening.getsockname()[1]}/"


class Feed:
    """The page of a run for all browsers, renewed as long as one of them looks.

    Parameters
    ----------
    view : RunView
    """

    def __init__(self, view: RunView) -> None:
        self._view = view
        self._renewed = asyncio.Condition()
        self._looking = asyncio.Lock()
        self._parts = PageParts()
        self._stopped = False
        self._listeners = 0
        self._error = ""

    async def run(self) -> None:
        """Renew the page until the task is cancelled."""
        async with self._looking:  # a page must not meet a library whose import is under way
            await asyncio.to_thread(warm_up)
        while True:
            if self._listeners and not self._stopped:
                await self._try_to_renew()
            await asyncio.sleep(EVERY_S)

    async def page(self) -> str:
        """The page now, as HTML."""
        async with self._looking:
            shown = await asyncio.to_thread(self._view.look)
        return await asyncio.to_thread(render, shown.page, live=not shown.complete)

    async def renew(self) -> None:
        """Look at the run, and wake those who wait if it has changed."""
        async with self._looking:  # or an older look could replace the page of the complete run
            shown = await asyncio.to_thread(self._view.look)
            parts = await asyncio.to_thread(self._parts.followed_by, shown)
            async with self._renewed:
                self._parts = parts
                self._renewed.notify_all()

    async def _try_to_renew(self) -> None:
        """``renew``. An error of one look must not end those that follow: the run goes on."""
        try:
            await self.renew()
        except Exception as error:
            if repr(error) != self._error:  # it may come again every second
                log.exception("the page of the run could not be renewed")
            self._error = repr(error)

    async def stop(self) -> None:
        """End the events, so that their connections close."""
        async with self._renewed:
            self._stopped = True
            self._renewed.notify_all()

    async def finish(self) -> None:
        """Wait until every browser has the page of the complete run, if it is complete."""
        await self._try_to_renew()
        until = time.monotonic() + FINISH_S
        while self._parts.complete and self._listeners and time.monotonic() < until:
            await asyncio.sleep(0.1)

    async def events(self) -> AsyncIterator[str]:
        """The page as often as it changes, as server-sent events; the last one is ``end``."""
        self._listeners += 1
        try:
            yield f"retry: {RETRY_MS}\n\n"
            await self.renew()
            seen = 0
            while not self._stopped:
                parts = self._parts
                if parts.version != seen:
                    yield await asyncio.to_thread(parts.message, seen)
                    seen = parts.version
                    if parts.complete:
                        yield "event: end\ndata: complete\n\n"
                        return
                elif not await self._wait(seen):
                    yield ": waiting\n\n"
        finally:
            self._listeners -= 1

    async def _wait(self, seen: int) -> bool:
        """Wait for a page after version ``seen``, or for the end; False after ``ALIVE_S``."""
        async with self._renewed:
            try:
                await asyncio.wait_for(
                    self._renewed.wait_for(lambda: self._parts.version != seen or self._stopped),
                    ALIVE_S,
                )
            except TimeoutError:
                return False
        return True


@dataclass(frozen=True, eq=False)
class PageParts:
    """A version of the page as JSON. Its charts, most of the bytes, are sent when they change.

    Attributes
    ----------
    version : int
        0: nothing yet.
    words : dict
        ``fragments`` without the charts.
    charts : dict
        JSON of each chart, and the version that brought it, by name.
    complete : bool
    """

    version: int = 0
    words: Mapping[str, Any] = field(default_factory=dict)
    charts: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    complete: bool = False

    def followed_by(self, shown: Shown) -> PageParts:
        """The next version, or this one if nothing has changed."""
        words = fragments(shown.page)
        version, charts = self.version + 1, {}
        for name, chart in words.pop("charts").items():
            text = _json(chart)
            before = self.charts.get(name)
            charts[name] = before if before and before[0] == text else (text, version)
        if words == self.words and charts == self.charts and shown.complete == self.complete:
            return self
        return PageParts(version, words, charts, shown.complete)

    def message(self, seen: int) -> str:
        """The event for a browser that has the charts of version ``seen``: null where it has
        them."""
        charts = ",".join(
            f"{_json(name)}:{text if since > seen else 'null'}"
            for name, (text, since) in self.charts.items()
        )
        return f'data: {_json(self.words)[:-1]},"charts":{{{charts}}}}}\n\n'


def _json(value: Any) -> str:
    return json.dumps(value, allow_nan=False, separators=(",", ":"))


def application(feed: Callable[[], Feed]) -> Starlette:
    """The web application; ``feed`` makes its feed when it starts."""
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.middleware.trustedhost import TrustedHostMiddleware
    from starlette.responses import HTMLResponse, StreamingResponse
    from starlette.routing import Route

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        app.state.feed = feed()
        task = asyncio.create_task(app.state.feed.run())
        yield
        task.cancel()

    async def page(request: Request) -> Response:
        return HTMLResponse(await request.app.state.feed.page(), headers=HEADERS)

    async def events(request: Request) -> Response:
        return StreamingResponse(
            request.app.state.feed.events(), media_type="text/event-stream", headers=HEADERS
        )

    return Starlette(
        routes=[Route("/", page, methods=["GET"]), Route("/events", events, methods=["GET"])],
        middleware=[
            Middleware(TrustedHostMiddleware, allowed_hosts=NAMES, www_redirect=False),
        ],
        lifespan=lifespan,
    )


def serve(
    view: RunView,
    listening: socket.socket,
    ready: Callable[[Any], None] = lambda server: None,
    finish: bool = False,
) -> None:
    """Serve until the process is told to end (Ctrl-C raises KeyboardInterrupt).

    ``ready`` is called with the server before it begins; its ``should_exit`` ends it. ``finish``:
    browsers first get the page of a run that has become complete.
    """
    import uvicorn

    feeds: list[Feed] = []

    class Server(uvicorn.Server):
        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            for feed in feeds:
                if finish:
                    await feed.finish()
                await feed.stop()
            await super().shutdown(sockets)

    def made() -> Feed:
        feeds.append(Feed(view))
        return feeds[-1]

    config = uvicorn.Config(
        application(made),
        log_config=None,
        access_log=False,
        lifespan="on",
        server_header=False,
        timeout_graceful_shutdown=2,
    )
    server = Server(config)
    ready(server)
    server.run(sockets=[listening])


def step_back() -> None:
    """Give the sampler the processor before this process."""
    if hasattr(os, "nice"):
        os.nice(max(0, NICE - os.nice(0)))


def require_server() -> None:
    """Raise UsageError, which names what to install, without the packages of server and pages."""
    if missing := not_installed(PACKAGES):
        raise UsageError(
            f"a live view needs a server and pages, and {', '.join(missing)} cannot be imported: "
            "pip install 'ohmcarlo[report]'"
        )

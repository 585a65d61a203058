"""Whether a scheduler of Dask answers at an address, before a client is made."""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

from ..errors import OhmcarloError, UsageError

SECONDS = 5.0
SCHEMES = ("tcp", "tls")


def require_scheduler(address: str) -> None:
    """Raise UsageError for a wrong address, OhmcarloError where no scheduler answers."""
    host, port = _host_and_port(address)
    try:
        socket.create_connection((host, port), timeout=SECONDS).close()
    except OSError as error:
        raise _absent(address, error.strerror or str(error)) from error
    try:
        kind = _identity(address).get("type")
    except TypeError as error:  # what Dask raises without certificates
        raise UsageError(
            f"{address}: Dask has no certificates for tls: set distributed.comm.tls in its "
            "configuration, or write tcp://"
        ) from error
    except (OSError, ValueError, AttributeError, EOFError, MemoryError) as error:
        raise _absent(address, "what listens there does not answer as Dask does") from error
    if kind != "Scheduler":
        raise UsageError(f"{address} is a {str(kind).lower()}: write the address of its scheduler")


def _host_and_port(address: str) -> tuple[str, int]:
    try:
        parts = urlsplit(address)
        if parts.scheme in SCHEMES and parts.hostname and parts.port:
            return parts.hostname, parts.port
    except ValueError:
        pass
    raise UsageError(f"{address!r} is not the address of a scheduler: write tcp://HOST:PORT")


def _absent(address: str, reason: str) -> OhmcarloError:
    return OhmcarloError(
        f"no Dask scheduler answers at {address} ({reason}): start one with `dask scheduler`, or "
        "leave out --scheduler"
    )


def _identity(address: str) -> dict[str, Any]:
    """The identity of the program at an address. The thread of a notebook has a loop that runs, so
    that the call needs a thread of its own."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(
            lambda: asyncio.run(asyncio.wait_for(_answer(address), SECONDS))
        ).result()


async def _answer(address: str) -> dict[str, Any]:
    from distributed import Security
    from distributed.core import connect, send_recv

    arguments = Security().get_connection_args("client")
    comm = await connect(address, timeout=SECONDS, **arguments)
    try:
        found: dict[str, Any] = await send_recv(comm, op="identity")
    finally:
        comm.abort()
    return found

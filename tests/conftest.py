"""Fixtures and settings of all tests: helper modules, isolation of the data, boards of the
firmware."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path[:0] = [str(Path(__file__).parent / name) for name in ("helpers", "reference")]

# Simulated boards are compiled once, without a profile; `make verify` compiles them with one.
os.environ.setdefault("OHMCARLO_BOARD_PROFILE", "0")

if TYPE_CHECKING:
    from link_client import Client
    from native_board import NativeBoard

# The helpers are imported inside functions, because they need the hardware tools.


@pytest.fixture(
    params=[
        pytest.param(False, id="native"),
        pytest.param(True, id="image", marks=pytest.mark.hdl),
    ]
)
def board(request: pytest.FixtureRequest) -> Iterator[NativeBoard]:
    """The firmware compiled for this machine, and the image of the board on a model of its
    processor."""
    from native_board import opened

    with opened(image=request.param) as made:
        yield made
        assert made.unsafe == 0, made.unsafe_reason


@pytest.fixture
def client(board: NativeBoard) -> Client:
    """A host with an open session with ``board``."""
    from link_client import Client

    made = Client(board)
    made.open()
    return made


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """An interrupt reaches this process, also if a shell began it in the background, with
    interrupts ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)

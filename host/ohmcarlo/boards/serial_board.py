"""A board behind a byte port: a serial port, or the simulated board."""

from __future__ import annotations

import time

from ..array.base import Array
from .hardware_board import HardwareBoard
from .link.messages import Link
from .link.remote import RemoteController
from .link.transport import LINK_TIMEOUT_S, Clock, Port


class SerialBoard(HardwareBoard):
    """``Board`` behind a byte port.

    Parameters
    ----------
    port : Port
    array, name, check :
        As for ``HardwareBoard``.
    clock : callable
        Seconds, monotonic.
    timeout_s : float
        Time after which a board that does not answer is regarded as lost.

    Raises OhmcarloError if no board of this version answers, UsageError for another array. The port
    is then closed.
    """

    def __init__(
        self,
        port: Port,
        array: Array,
        name: str,
        clock: Clock = time.monotonic,
        timeout_s: float = LINK_TIMEOUT_S,
        check: bool = True,
    ) -> None:
        self.link = Link(port, clock, timeout_s)
        super().__init__(RemoteController(self.link), array, name, check)

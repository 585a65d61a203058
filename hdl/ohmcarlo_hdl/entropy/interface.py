"""Interface of the entropy unit: payloads of its streams, and the ports that control it."""

from __future__ import annotations

from amaranth import unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ohmcarlo.spec import CODE_BITS, SYMBOL_BITS

from ..config import CoreConfig

T_BITS = 32
"""Width of t = -log u, LSB 2**-LOGLIK_FRAC."""
CLEAN_WINDOWS_BITS = 8
"""Width of the count of windows that the adaptive proportion test passed."""


def coin_code(config: CoreConfig) -> data.StructLayout:
    """Programmer → entropy unit: read-back of the ``column``-th entropy device of a row."""
    return data.StructLayout({"code": unsigned(CODE_BITS), "column": range(config.coin_devices)})


def raw_symbol(config: CoreConfig) -> data.StructLayout:
    """Tap on the raw bits: one symbol, in the order of the read-backs, per clock with ``valid``.

    There is no back-pressure: the receiver takes the symbol in that clock.
    """
    return data.StructLayout(
        {
            "valid": unsigned(1),
            "symbol": unsigned(SYMBOL_BITS),
            "column": range(config.coin_devices),
        }
    )


class Coin(wiring.Signature):
    """Control of the entropy unit by the step controller.

    Attributes
    ----------
    begin : Out(1)
        Discard the rest of the last coin.
    restart : Out(1)
        Begin the start-up test.
    ready : In(1)
        The word of the coin is complete.
    settled : In(1)
        No code is under way inside the unit.
    alarm : In(1)
        A health test failed since ``restart``.
    clean_windows : In(CLEAN_WINDOWS_BITS)
        Windows without an alarm since ``restart``.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "begin": Out(1),
                "restart": Out(1),
                "ready": In(1),
                "settled": In(1),
                "alarm": In(1),
                "clean_windows": In(CLEAN_WINDOWS_BITS),
            }
        )

"""Read-backs of a proposal: to the coin, or to price and sample memory."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Mux, Signal

from ..programmer import Reader
from .parts import Parts


class ReadBacks:
    """Distributes the read-backs of the programmed devices.

    A read-back of the coin goes to the entropy unit. A read-back of the sample goes to the pricing
    and into the bank of the proposal.

    Parameters
    ----------
    m : Module
        The module that holds the logic.
    ports : StepController
        Streams ``coin_codes`` and ``programmed``, and settings.

    Attributes
    ----------
    clear : Signal
        Discard earlier read-backs; driven by the state machine.
    all_valid : Signal
        Every code since ``clear`` was in the valid window.
    all_back : Signal
        The ``last`` device was read back.
    """

    def __init__(self, m: Module, ports: Any, parts: Parts) -> None:
        config, settings = ports.config, ports.settings
        blocks, turn, current = parts.blocks, parts.turn, parts.current
        memory = blocks.memory
        back = blocks.router.read_backs
        tag, code = back.payload.tag, back.payload.code
        is_coin = tag.reader == Reader.COIN
        self.clear = Signal(name="clear_back")
        self.all_valid = Signal()
        self.all_back = Signal()
        code_valid = Signal()
        group_row = Signal(config.group_row_bits)
        m.d.comb += [
            code_valid.eq((code >= settings.valid_lo) & (code <= settings.valid_hi)),
            group_row.eq(tag.row - blocks.rows.row),
            ports.coin_codes.payload.code.eq(code),
            ports.coin_codes.payload.column.eq(tag.device - 2 * config.max_features),
            ports.coin_codes.valid.eq(back.valid & is_coin),
            ports.programmed.payload.old.eq(tag.old),
            ports.programmed.payload.new.eq(code),
            ports.programmed.payload.centre.eq(tag.centre),
            ports.programmed.payload.odd.eq(tag.device[0]),
            ports.programmed.payload.last.eq(tag.last),
            ports.programmed.valid.eq(back.valid & ~is_coin),
            back.ready.eq(Mux(is_coin, ports.coin_codes.ready, ports.programmed.ready)),
            memory.write.eq(back.valid & back.ready & ~is_coin),
            memory.write_place.region.eq(turn.region),
            memory.write_place.bank.eq(~current.bank),
            memory.write_place.group_row.eq(group_row),
            memory.write_place.pair.eq(tag.device >> 1),
            memory.write_odd.eq(tag.device[0]),
            memory.write_code.eq(code),
        ]
        if config.digital_dots:
            kept = ports.kept.payload
            m.d.comb += [
                ports.kept.valid.eq(memory.write),
                kept.row.eq(tag.row),
                kept.device.eq(tag.device),
                kept.code.eq(code),
            ]
        with m.If(self.clear):
            m.d.sync += [self.all_valid.eq(1), self.all_back.eq(0)]
        with m.Elif(back.valid & back.ready):
            m.d.sync += [
                self.all_valid.eq(self.all_valid & code_valid),
                self.all_back.eq(tag.last),
            ]

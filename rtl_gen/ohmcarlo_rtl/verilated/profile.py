"""A program for the board; the profile of its run guides the compiler."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ohmcarlo_hdl.regs.map import RegisterMap, register_map

from ..controller.images import table_words
from ..firmware.image import link_program

if TYPE_CHECKING:
    from ohmcarlo_hdl.config import CoreConfig

POINTS, STEPS = 64, 400
HIDDEN = 3

MAIN = """\
#include "hal.h"

// Address within the controller's map, and word; WAIT: wait until the controller is idle
#define WAIT 0xffffffffu
#define MOVES (CORE_STATE(BUSY) | CORE_STATE(EMULATOR_IDLE))
static const uint32_t SCRIPT[][2] = {
@
};

static uint8_t bytes[256];

static uint32_t churn(uint32_t seed)
{
    for (uint32_t i = 0; i < sizeof bytes; i++) {
        seed = seed * 1664525u + 1013904223u;
        bytes[i] = (uint8_t)(bytes[(i * 7u) % sizeof bytes] ^ (seed >> (seed & 7u)));
        board_write(OHMCARLO_BOARD__CRC__BYTE_addr, bytes[i] | 0x100u);
    }
    return seed ^ board_read(OHMCARLO_BOARD__CRC__VALUE_addr);
}

static void drain(void)
{
    uint32_t taken = board_read(OHMCARLO_BOARD__RECORDS__TAKEN_addr);
    uint32_t put = board_read(OHMCARLO_BOARD__UART__PUT_addr);
    for (; taken != board_read(OHMCARLO_BOARD__RECORDS__RECEIVED_addr); taken++) {
        board_write(RING_AT(TX, put), board_read(RING_AT(RECORDS_RING, taken)) & 0xffu);
        board_write(OHMCARLO_BOARD__UART__PUT_addr, ++put);
        board_write(OHMCARLO_BOARD__RECORDS__TAKEN_addr, taken + 1u);
    }
}

int main(void);

int main(void)
{
    uint32_t seed = 1u;
    for (uint32_t i = 0; i < sizeof SCRIPT / sizeof SCRIPT[0]; i++) {
        if (SCRIPT[i][0] != WAIT) {
            core_write(SCRIPT[i][0], SCRIPT[i][1]);
            continue;
        }
        do
            drain();
        while ((core_state() & MOVES) != CORE_STATE(EMULATOR_IDLE));
        drain();
    }
    for (;;)
        seed = churn(seed);
}
"""


def profile_image(config: CoreConfig) -> bytes:
    """Image of the program, for a board of this configuration."""
    script = [*load_script(config), *_chains(config)]
    return link_program(config, MAIN.replace("@", c_words(script))).image


WAIT = (0xFFFFFFFF, 0)


def c_words(script: Iterable[tuple[int, int]]) -> str:
    """Elements of a C array of pairs of words."""
    return ",\n".join(f"{{{at:#x}u, {word & 0xFFFFFFFF:#x}u}}" for at, word in script)


def load_script(config: CoreConfig) -> Iterable[tuple[int, int]]:
    """Address and word of each write that loads tables, random data and a model for them."""
    layout = register_map(config, emulator=True)
    features, points = config.max_features, min(POINTS, config.max_points)
    rng = random.Random(0)
    yield from _window(layout, "bad_rows", [0] * config.geometry.rows)
    yield from _window(layout, "order", range(points))
    for name, words in table_words().items():
        yield from _window(layout, name, words)
    data = []
    for _ in range(points):
        row = [rng.randrange(2) << 16, *(rng.randrange(1 << 32) for _ in range(-(-features // 4)))]
        data += row + [0] * (config.point_words - len(row))
    yield from _window(layout, "points", data)
    yield from _set(layout, "model.points", value=points)
    yield from _set(layout, "model.features", value=features)
    yield from _set(layout, "proposal.rho", value=205)
    for name, shift in (("logit", 16), ("weight", 14), ("common", 14)):
        yield from _set(layout, f"proposal.{name}", mantissa=1 << 15, shift=shift)
    yield from _set(layout, "model.options", early_reject=1, hastings=1, stream=1, record_steps=1)


def _chains(config: CoreConfig) -> Iterable[tuple[int, int]]:
    layout = register_map(config, emulator=True)
    for hidden in (0, HIDDEN) if config.max_group_rows > HIDDEN else (0,):
        yield from _set(layout, "control.command", reset_state=1)
        yield from _set(layout, "control.command", emulator_restart=1)
        yield WAIT
        yield from _set(layout, "model.hidden", value=hidden)
        yield from _set(layout, "model.region_groups", value=config.geometry.rows // (hidden + 1))
        yield from _set(layout, "control.command", start=1)
        yield WAIT
        yield from _set(layout, "control.steps", value=STEPS)
        yield from _set(layout, "control.command", run=1)
        yield WAIT


def _set(layout: RegisterMap, name: str, **fields: int) -> Iterable[tuple[int, int]]:
    register = layout[name]
    yield register.address, sum(fields.get(f.name, 0) << f.low for f in register.fields)


def _window(layout: RegisterMap, name: str, words: Iterable[int]) -> Iterable[tuple[int, int]]:
    first = layout.window(name).address
    for index, word in enumerate(words):
        yield first + 4 * index, word

"""``python -m ohmcarlo_rtl.driver.first_run``: a first run as a script for an AXI4-Lite master."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from copy import deepcopy
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from ohmcarlo.boards import ModelBoard
from ohmcarlo.boards.memory.words import packed
from ohmcarlo.errors import OhmcarloError, UsageError
from ohmcarlo.spec.link import SAMPLE_CURRENT_BIT
from ohmcarlo_hdl.regs.map import Register, RegisterMap, register_map

from ..controller.images import readmemh
from ..processes import INTERRUPTED, interruptible
from .__main__ import job_of, parser
from .job import POINTS, Job, settings_of

CODE_SHIFT = 28
WORD_BITS = 32
MASK = (1 << WORD_BITS) - 1
STEPS = 200
MAX_STEPS = 1000
"""Steps of a first run: it proves that a design works, and needs few."""


DESCRIPTION = """Write a first run as a script for the AXI4-Lite master of
rtl_gen/examples/axi_first_run. The script identifies an IP core, loads a training job, runs it, and
compares the samples with those of the golden model."""


class Code(IntEnum):
    """Instruction of the master: see ``axi_lite_script.v``."""

    END = 0
    WRITE = 1
    POLL = 2
    EXPECT = 3
    IRQ = 4
    SAMPLES = 5


class Script:
    """A script that is being written, for a core with this register map."""

    def __init__(self, layout: RegisterMap) -> None:
        self.layout = layout
        self.words: list[int] = []

    def write(self, address: int, words: Sequence[int] | NDArray[np.uint32]) -> None:
        """Write words from a byte address on."""
        self.words += [Code.WRITE << CODE_SHIFT | len(words), address, *map(int, words)]

    def set(self, name: str, value: int) -> None:
        """Write a register."""
        self.write(self.layout[name].address, [value])

    def flags(self, name: str, *fields: str) -> None:
        """Write a register with these one-bit fields set."""
        self.set(name, mask_of(self.layout[name], fields))

    def command(self, name: str) -> None:
        """Give a command to the controller."""
        self.flags("control.command", name)

    def expect(self, name: str, value: int, mask: int = MASK) -> None:
        """Stop unless the register has this value under the mask."""
        self._compare(Code.EXPECT, name, value, mask)

    def poll(self, name: str, field: str) -> None:
        """Wait until a one-bit field is set."""
        mask = mask_of(self.layout[name], [field])
        self._compare(Code.POLL, name, mask, mask)

    def run(self, command: str) -> None:
        """Give a command that takes time, and wait for the interrupt of its end."""
        self.command(command)
        self.words.append(Code.IRQ << CODE_SHIFT)
        cause = self.layout["interrupt.cause"]
        ended = mask_of(cause, ["run_ended"])
        self.expect("interrupt.cause", ended, mask_of(cause, ["run_ended", "fault", "alarm"]))
        self.flags("interrupt.clear", "run_ended")

    def samples(self, count: int, checksum: int) -> None:
        """Wait for the samples, and stop unless their checksum is right."""
        self.words += [Code.SAMPLES << CODE_SHIFT, count, checksum]

    def end(self) -> None:
        """End with ``pass``."""
        self.words.append(Code.END << CODE_SHIFT)

    def _compare(self, code: Code, name: str, value: int, mask: int) -> None:
        self.words += [code << CODE_SHIFT, self.layout[name].address, mask, value]


def mask_of(register: Register, fields: Sequence[str]) -> int:
    """The bits of these one-bit fields."""
    bits = {field.name: 1 << field.low for field in register.fields}
    return sum(bits[name] for name in fields)


def first_run(job: Job) -> list[int]:
    """The words of the script for ``job``."""
    layout = register_map(job.config, True, ip=True)
    script = Script(layout)
    _identify(script, layout)
    _load(script, job)
    script.flags("records.options", "to_stream")
    script.flags("interrupt.enable", "run_ended", "fault", "alarm")
    script.run("start")
    state = layout["status.state"]
    good = mask_of(state, ["started"])
    script.expect("status.state", good, good | mask_of(state, ["busy", "fault", "alarm"]))
    script.set("control.steps", job.steps)
    script.run("run")
    script.expect("status.steps_done", job.steps)
    script.run("flush")
    script.samples(*expected_samples(job))
    script.end()
    return script.words


def _identify(script: Script, layout: RegisterMap) -> None:
    for name in ("id.magic", "ip.magic"):
        script.expect(name, layout[name].fields[0].reset)
    script.expect("ip.map_hash", int(layout.hash[:8], 16))


def _load(script: Script, job: Job) -> None:
    image = job.image()
    script.command("reset_state")
    for address, value in settings_of(image, script.layout).items():
        script.write(address, [value])
    for name, words in image.windows.items():
        script.write(script.layout.window(name).address, words)
    script.set(POINTS.removesuffix(".value"), image.fields[POINTS])
    for command in ("clear_fault", "reset_state", "emulator_restart"):
        script.command(command)
    script.poll("status.state", "emulator_idle")


def expected_samples(job: Job) -> tuple[int, int]:
    """Number and checksum of the samples of the golden model, the current ones last."""
    board = ModelBoard(deepcopy(job.array))
    board.configure(job.registers, job.points)
    board.start()
    block = board.run(job.steps // job.registers.geometry.regions)
    codes, multiplicity, log_posterior = board.current()
    current = np.arange(len(codes)) | 1 << SAMPLE_CURRENT_BIT
    heads = np.concatenate([block.sample_chain.astype(np.int64), current])
    words = np.column_stack(
        [
            heads,
            np.concatenate([block.multiplicity, multiplicity]).astype(np.int64),
            np.concatenate([block.sample_log_posterior, log_posterior]) & MASK,
            packed(np.concatenate([block.codes, codes])),
        ]
    )
    return len(words), checksum_of(words.ravel())


def checksum_of(words: NDArray[np.int64]) -> int:
    """The checksum of ``sample_reader.v``: rotate to the left by one bit, exclusive or of a word.

    >>> hex(checksum_of(np.array([0x80000001, 2])))
    '0x1'
    """
    checksum = 0
    for word in words.tolist():
        checksum = (checksum << 1 | checksum >> WORD_BITS - 1) & MASK ^ word
    return checksum


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0: done; 2: bad use; 130: interrupted."""
    made = parser(STEPS, "FILE", "file of the script, in hexadecimal")
    made.prog = "python -m ohmcarlo_rtl.driver.first_run"
    made.description = DESCRIPTION
    options = made.parse_args(arguments)
    try:
        if options.steps * options.chains > MAX_STEPS:
            raise UsageError(
                f"{options.steps * options.chains} steps, a first run has at most {MAX_STEPS}: "
                "use --steps"
            )
        with interruptible():
            words = first_run(job_of(options))
        options.out.write_text(readmemh(words), encoding="utf-8", newline="\n")
    except KeyboardInterrupt:
        print(f"{made.prog}: interrupted", file=sys.stderr)
        return INTERRUPTED
    except OSError as error:
        print(f"{made.prog}: {options.out}: {error.strerror}", file=sys.stderr)
        return 2
    except OhmcarloError as error:
        print(f"{made.prog}: {error}", file=sys.stderr)
        return error.exit_code
    print(f"{options.out}: {len(words)} words; WORDS_LOG2 is at least {len(words).bit_length()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

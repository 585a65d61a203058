"""What a shell offers for an argument when the user presses Tab.

Each function gets the word so far, and returns the words that it can become. They import what they
need when they are called, so that ``--help`` is as fast as without them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from ..readable import listed

BOARDS = (
    "ulx3s-85f", "ecpix5-85f", "ulx3s-12f", "icepi-zero", "tang-nano-20k", "tang-primer-20k",
    "gatemate-evb", "icebreaker", "hx8k", "arty-a7",
)  # fmt: skip
"""The boards of ``build``; ``ohmcarlo_hdl.boards`` describes them and needs its tools."""
BOARD_HELP = f"{listed(BOARDS)}."
BUSES = ("axi4-lite", "apb4", "wishbone", "native")
EXPORTED_ARRAYS, BUILT_ARRAYS = ("emulator", "ports", "phy"), ("emulator", "phy")
DEPTH = 2
"""Levels of folders below the present one in which runs are looked for."""
MOST_FOLDERS = 2000
Words = list[tuple[str, str]]


def _beginning(word: str, known: Iterable[tuple[str, str]]) -> Words:
    return [(name, meaning) for name, meaning in known if name.startswith(word)]


def _plain(word: str, names: Iterable[str]) -> Words:
    return _beginning(word, ((name, "") for name in names))


def tasks(incomplete: str) -> Words:
    """Tasks; the shell itself offers files where none begins so."""
    from ..tasks import TASKS

    return _beginning(incomplete, ((name, task.description) for name, task in TASKS.items()))


def tasks_with_data(incomplete: str) -> Words:
    """Tasks whose points can be exported."""
    from ..tasks import TASKS

    known = ((name, task.description) for name, task in TASKS.items() if task.dataset)
    return _beginning(incomplete, known)


def presets(incomplete: str) -> Words:
    """Device presets of the project."""
    from ..array.presets import PRESET_NAMES

    return _plain(incomplete, PRESET_NAMES)


def arrays(incomplete: str) -> Words:
    """Arrays; those that need a file end in a colon."""
    return _beginning(
        incomplete,
        (
            ("emulator", "integers, as in the FPGA"),
            ("physics", "device model"),
            ("measured:", "replay of measured cells in a file"),
            ("veriloga:", "constants of a compact model in a file"),
            ("phy", "a die on a daughterboard"),
        ),
    )


def backends(incomplete: str) -> Words:
    """Boards: simulated ones, serial ports and devices of this computer."""
    from ..boards import MODEL, RTL, SERIAL, SMALL

    known = [
        (MODEL, "the bit-exact reference, on this computer"),
        (RTL, "simulated hardware"),
        (f"{SMALL}{RTL}", "simulated board without a processor"),
    ]
    known += [(f"{kind}{port}", about) for kind in (SERIAL, SMALL) for port, about in _ports()]
    known += [(f"mmio:{path}", "IP core on a bus") for path in sorted(Path("/dev").glob("uio*"))]
    before, comma, _ = incomplete.rpartition(",")  # further ones of several boards
    return _beginning(incomplete, [(f"{before}{comma}{name}", about) for name, about in known])


def _ports() -> list[tuple[str, str]]:
    from serial.tools.list_ports import comports

    return [(str(port.device), str(port.description)) for port in comports()]


def kernels(incomplete: str) -> Words:
    """Kernels of a chain."""
    from ..golden import KERNELS

    return _plain(incomplete, KERNELS)


def likelihoods(incomplete: str) -> Words:
    """Likelihoods of several classes."""
    from ..datasets.several_classes import MULTI_CLASS

    return _plain(incomplete, MULTI_CLASS)


def dot_products(incomplete: str) -> Words:
    """Where dot products are computed."""
    from ..array.read_noise import ARRAY, CODES

    return _plain(incomplete, (ARRAY, CODES))


def boards(incomplete: str) -> Words:
    """Boards of ``build``."""
    return _plain(incomplete, BOARDS)


def built_arrays(incomplete: str) -> Words:
    """Arrays of a bitstream."""
    return _plain(incomplete, BUILT_ARRAYS)


def exported_arrays(incomplete: str) -> Words:
    """Arrays of an IP core."""
    return _plain(incomplete, EXPORTED_ARRAYS)


def buses(incomplete: str) -> Words:
    """Buses of an IP core."""
    return _plain(incomplete, BUSES)


def figures(incomplete: str) -> Words:
    """Figures of ``reproduce``."""
    from ..reproduce.catalogue import ENTRIES

    known = [(name, entry.description) for name, entry in ENTRIES.items()]
    return _beginning(incomplete, [*known, ("all", "the figures of the paper")])


def data_sets(incomplete: str) -> Words:
    """Data sets that can be fetched."""
    from ..datasets.fetch import SOURCES

    return _beginning(incomplete, ((name, s.description) for name, s in SOURCES.items()))


def runs(incomplete: str) -> Words:
    """Run folders below the folder that the word so far names."""
    from ..runs.stored import MANIFEST, RESULT

    base = Path(incomplete) if incomplete.endswith("/") else Path(incomplete).parent
    known = (
        (str(folder), "complete" if (folder / RESULT).is_file() else "not complete")
        for folder in _folders(base, DEPTH)
        if (folder / MANIFEST).is_file()
    )
    return _beginning(incomplete, known)


def settings(incomplete: str) -> Words:
    """Files and runs for ``--config``."""
    base = Path(incomplete) if incomplete.endswith("/") else Path(incomplete).parent
    files = ((str(path), "settings") for path in sorted(base.glob("*.toml")))
    return [*_beginning(incomplete, files), *runs(incomplete)]


def sweep_files(incomplete: str) -> Words:
    """Sweep files below the folder that the word so far names."""
    base = Path(incomplete) if incomplete.endswith("/") else Path(incomplete).parent
    return _plain(incomplete, (str(path) for path in sorted(base.glob("*.toml"))))


def _folders(base: Path, depth: int) -> Iterator[Path]:
    """Folders below ``base``, ``MOST_FOLDERS`` at most; those that cannot be read are empty."""
    level, seen = [base], 0
    for _ in range(depth):
        below: list[Path] = []
        for folder in level:
            try:
                own = sorted(p for p in folder.iterdir() if p.is_dir() and p.name[0] != ".")
            except OSError:
                continue
            for path in own:
                seen += 1
                if seen > MOST_FOLDERS:
                    return
                yield path
                below.append(path)
        level = below

"""A training job as C: settings, tables, data, and a held-out half to predict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ohmcarlo.array.emulated import EmulatedArray
from ohmcarlo.boards.memory.identity import require_fit
from ohmcarlo.boards.memory.image import Image, controller_image, emulator_image, point_words
from ohmcarlo.boards.memory.layout import Layout
from ohmcarlo.errors import UsageError
from ohmcarlo.golden import Registers
from ohmcarlo.runs.config import TrainConfig
from ohmcarlo.runs.supervised.experiment import build_supervised
from ohmcarlo.spec import Points
from ohmcarlo.spec.link import ACCEPTED_WORDS, PREDICTION_WORDS, SAMPLE_HEADER_WORDS
from ohmcarlo_hdl.config import CoreConfig
from ohmcarlo_hdl.regs.map import RegisterMap, register_map

HEADER, SOURCE = "job.h", "job.c"
POINTS = "model.points.value"
WORDS_A_LINE = 8
Words = NDArray[np.uint32]


@dataclass(frozen=True, eq=False)
class Job:
    """A chain that a core is loaded with.

    Attributes
    ----------
    config : CoreConfig
        The core.
    name : str
        Name of the data, for comments.
    registers : Registers
    points : Points
        The points to learn from.
    array : EmulatedArray
        The emulated array before its first step.
    steps : int
        Steps of all chains together.
    test_points : Points
        The held-out half, without labels.
    test_labels : int (n,)
        0/1, their labels.
    class_names : tuple of str
        Names of the labels 0 and 1.
    """

    config: CoreConfig
    name: str
    registers: Registers
    points: Points
    array: EmulatedArray
    steps: int
    test_points: Points
    test_labels: NDArray[np.integer[Any]]
    class_names: tuple[str, ...]

    def image(self) -> Image:
        """Fields and windows to load, those of the emulator among them.

        Raises UsageError with both values unless the chain fits the core.
        """
        layout = layout_of(self.config)
        _require_room(self.points, self.config)
        require_fit(self.registers, self.points, layout, "the core")
        image = controller_image(self.registers, self.points, self.array, layout.geometry)
        array = emulator_image(self.array, int(self.array.state.counter[0]))
        return Image(image.fields | array.fields, image.windows | array.windows)

    @property
    def record_words(self) -> int:
        """Words of the longest record."""
        sample = SAMPLE_HEADER_WORDS + self.registers.sample_devices // 2
        return 1 + max(ACCEPTED_WORDS, PREDICTION_WORDS, sample)


def _require_room(points: Points, config: CoreConfig) -> None:
    """Raise UsageError unless the data memory of the core holds the points."""
    if len(points) > config.max_points:
        raise UsageError(
            f"{len(points)} data points (those of a whitened prior included) do not fit: the core "
            f"has room for {config.max_points}; use --max-points "
            f"{1 << (len(points) - 1).bit_length()}"
        )


def layout_of(config: CoreConfig) -> Layout:
    """The sizes of a core with the emulated array."""
    g = config.geometry
    return Layout(
        rows=g.rows,
        pairs=g.pairs,
        entropy_pairs=g.entropy_pairs,
        access_bits=config.access_bits,
        tile_pairs=config.tile_pairs,
        dot_bits=g.dot_bits,
        dot_shift=g.dot_shift,
        max_points=config.max_points,
        max_group_rows=config.max_group_rows,
        max_regions=config.max_regions,
        device_calibration=config.device_calibration,
        emulator=True,
        digital=config.digital_dots,
        repeats=config.repeats,
    )


def training_job(config: CoreConfig, train: TrainConfig) -> Job:
    """The job of ``ohmcarlo train`` with these settings, with the weights whitened by a fit here.

    ``train`` has the rows and pairs of the core and the emulated array. Raises UsageError for a
    request that cannot be met.

    >>> from ohmcarlo_rtl.configs import config_of
    >>> small = TrainConfig("toy2d", rows=64, pairs=16, steps=100, whiten=True)
    >>> job = training_job(config_of("compact"), small)
    >>> job.steps, job.record_words
    (100, 8)
    """
    made = build_supervised(train)
    try:
        array = made.setup.array
        if not isinstance(array, EmulatedArray):
            raise UsageError(f"a job needs the emulated array, not {array.name}: leave out --array")
        registers = with_accesses_of(config, made.setup.registers)
        job = Job(
            config=config,
            name=train.task,
            registers=registers,
            points=made.setup.points,
            array=array,
            steps=train.steps * registers.geometry.regions,
            test_points=made.test_points,
            test_labels=made.test_labels,
            class_names=tuple(made.dataset.class_names),
        )
        job.image()
    finally:
        made.close()
    return job


def with_accesses_of(config: CoreConfig, registers: Registers) -> Registers:
    """The registers for a core that applies inputs in other parts, which changes no decision.

    Raises UsageError for a core whose DOT converter rounds.
    """
    g = config.geometry
    if g.dot_bits:
        raise UsageError(
            f"the core has a DOT converter of {g.dot_bits} bits, a job needs exact dot products: "
            "use a core with dot_bits = 0"
        )
    accesses = replace(registers.geometry, access_bits=g.access_bits, tile_pairs=g.tile_pairs)
    return replace(registers, geometry=accesses)


def settings_of(image: Image, layout: RegisterMap) -> dict[int, int]:
    """Byte address → value of every register that the image sets, but the number of points.

    Fields that the image does not set keep their values after a reset.
    """
    left = {name: value for name, value in image.fields.items() if name != POINTS}
    settings = {}
    for register in layout.registers:
        fields = {f"{register.name}.{field.name}": field for field in register.fields}
        if not left.keys() & fields.keys():
            continue
        values = {name: left.pop(name, field.reset) for name, field in fields.items()}
        settings[register.address] = sum(v << fields[name].low for name, v in values.items())
    if left:
        raise UsageError(f"the core has no register field {', '.join(sorted(left))}")
    return settings


# -- C -------------------------------------------------------------------------------------------


def job_files(job: Job) -> Mapping[str, str]:
    """``job.h`` and ``job.c``."""
    return {HEADER: _header(job), SOURCE: _source(job)}


def _title(job: Job) -> str:
    g = job.registers.geometry
    name = "".join(c if c.isprintable() and c != "\\" else "?" for c in job.name)
    return (
        f"// Generated by ohmcarlo_rtl.driver: {name}, {len(job.points)} points, "
        f"{job.registers.features} inputs, {g.regions} chain(s)"
    )


def _header(job: Job) -> str:
    test = len(job.test_points)
    lines = [
        _title(job),
        "#ifndef JOB_H",
        "#define JOB_H",
        "",
        '#include "ohmcarlo_driver.h"',
        "",
        f"#define JOB_STEPS {job.steps}u // all chains together",
        f"#define JOB_RECORD_WORDS {job.record_words}u",
        f"#define JOB_TEST_POINTS {test}u",
        "",
        "extern const struct ohmcarlo_image job;",
        "extern const char *const job_class_names[2];",
        "// Points that the chain does not learn from, and their labels",
        "extern const uint32_t job_test_words[];",
        "extern const uint8_t job_test_labels[];",
        "",
        "#endif // JOB_H",
        "",
    ]
    return "\n".join(lines)


def _source(job: Job) -> str:
    image = job.image()
    layout = register_map(job.config, True, ip=True)
    settings = settings_of(image, layout)
    windows = {n: w for n, w in image.windows.items() if n not in ("points", "order")}
    lines = [
        _title(job),
        f'#include "{HEADER}"',
        "",
        f"#if OHMCARLO__MAP_HASH != 0x{layout.hash[:8]}",
        '#error "job.c was made for another core than ohmcarlo.h: make both again"',
        "#endif",
        "",
        *_settings(settings, layout),
        *_windows(windows, layout),
        *_array("static const uint32_t POINTS", image.windows["points"]),
        *_image(job, layout, len(settings), len(windows)),
        *_test_points(job),
    ]
    return "\n".join(lines)


def _settings(settings: Mapping[int, int], layout: RegisterMap) -> list[str]:
    names = {register.address: register.name for register in layout.registers}
    return [
        f"static const struct ohmcarlo_setting SETTINGS[{len(settings)}] = {{",
        *(f"    {{{a:#06x}u, {v:#010x}u}}, // {names[a]}" for a, v in settings.items()),
        "};",
        "",
    ]


def _windows(windows: Mapping[str, Words], layout: RegisterMap) -> list[str]:
    """The words of each window, and the table of the windows."""
    lines = []
    for name, words in windows.items():
        lines += _array(f"static const uint32_t {name.upper()}", words)
    lines.append(f"static const struct ohmcarlo_window WINDOWS[{len(windows)}] = {{")
    for name, words in windows.items():
        address = layout.window(name).address
        lines.append(f"    {{{address:#x}u, {len(words)}u, {name.upper()}}},")
    return [*lines, "};", ""]


def _image(job: Job, layout: RegisterMap, settings: int, windows: int) -> list[str]:
    return [
        "const struct ohmcarlo_image job = {",
        f"    .map_hash = 0x{layout.hash[:8]}u,",
        f"    .record_words = {job.record_words}u,",
        f"    .points = {len(job.points)}u,",
        "    .point_words = POINTS,",
        "    .settings = SETTINGS,",
        f"    .setting_count = {settings}u,",
        "    .windows = WINDOWS,",
        f"    .window_count = {windows}u,",
        "    .emulator = true,",
        "};",
        "",
    ]


def _test_points(job: Job) -> list[str]:
    names = ", ".join(c_string(name) for name in job.class_names)
    words = point_words(job.test_points, layout_of(job.config).geometry)
    return [
        f"const char *const job_class_names[2] = {{{names}}};",
        "",
        *_array("const uint32_t job_test_words", words),
        *_array("const uint8_t job_test_labels", job.test_labels.astype(np.uint32)),
    ]


def _array(declaration: str, words: Words) -> list[str]:
    """An array of words; C has no empty one, so that it gets a zero."""
    values = [int(word) for word in words] or [0]
    return [f"{declaration}[{len(values)}] = {{", *_rows(values), "};", ""]


def _rows(values: Sequence[int]) -> Iterator[str]:
    for first in range(0, len(values), WORDS_A_LINE):
        row = ", ".join(f"{value:#x}u" for value in values[first : first + WORDS_A_LINE])
        yield f"    {row},"


def c_string(text: str) -> str:
    r"""A string literal in ASCII with the bytes of ``text`` in UTF-8.

    >>> print(c_string('a "b" µ'))
    "a \042b\042 \302\265"
    """
    plain = set(range(0x20, 0x7F)) - set(b'"\\?')
    inside = "".join(chr(b) if b in plain else f"\\{b:03o}" for b in text.encode())
    return f'"{inside}"'

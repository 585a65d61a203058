"""Tables of other shapes, written from one seeded set of conductances, and kinds without pulses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from written_measurements import conductances, recorded, refused

DEVICES, CYCLES, LEVELS = 4, 5, (50, 100, 150)
RNG = np.random.default_rng(8)
G = np.round(np.array(LEVELS) * (1 + 0.08 * RNG.standard_normal((DEVICES, CYCLES, 3))), 3)
"""Conductances in µS, (device, cycle, level)."""


def long_lines(header: tuple[str, ...], scale: float = 1.0, mark: str = ",") -> str:
    rows = [
        (f"c{d}", f"{LEVELS[t]:g}", f"{G[d, c, t] * scale:.6g}")
        for d in range(DEVICES)
        for c in range(CYCLES)
        for t in range(3)
    ]
    return "\n".join(mark.join(row) for row in (*([header] if header else []), *rows)) + "\n"


def stacked(*, outer: str = "level", merged: bool = False, mark: str = ",") -> str:
    """Levels above devices, or devices above levels."""
    pairs = [(t, d) for t in range(3) for d in range(DEVICES)]
    if outer == "device":
        pairs = [(t, d) for d in range(DEVICES) for t in range(3)]
    levels, devices = [str(LEVELS[t]) for t, _ in pairs], [f"c{d}" for _, d in pairs]
    rows = [["target (uS)", *levels], ["device", *devices], ["cycle", *[""] * len(pairs)]]
    if outer == "device":
        rows[:2] = rows[1::-1]
    if merged:
        rows[0] = [c if k < 2 or c != rows[0][k - 1] else "" for k, c in enumerate(rows[0])]
    rows += [[str(c), *(f"{G[d, c, t]}" for t, d in pairs)] for c in range(CYCLES)]
    text = "\n".join(mark.join(row) for row in rows) + "\n"
    return text.replace(".", ",") if mark == ";" else text


def blocks(heading: str, *, resistance: bool = False, names: bool = True) -> str:
    out = ["read-back of chip 3, R (kOhm)" if resistance else "# read-back of chip 3", ""]
    for t, level in enumerate(LEVELS):
        out.append(heading.format(level))
        if names:
            out.append("cycle\t" + "\t".join(f"c{d}" for d in range(DEVICES)))
        for c in range(CYCLES):
            cells = [f"{1e3 / g:.8g}" if resistance else f"{g}" for g in G[:, c, t]]
            out.append("\t".join([str(c), *cells] if names else cells))
        out.append("")
    return "\n".join(out)


@pytest.mark.parametrize(
    ("text", "rel"),
    [
        ("device,target,g\n,uS,uS\n" + long_lines(()), 1e-9),
        ("device\ttarget\tG\n-\t[uS]\t[S]\n" + long_lines((), 1e-6, "\t"), 1e-5),
        ("Long Name\tdevice\ttarget\tG\nUnits\t\tuS\tmS\nComments\t\tset\tread\n"
         + "".join(f"\t{line}\n" for line in long_lines((), 1e-3, "\t").splitlines()), 1e-5),
    ],
)  # fmt: skip
def test_units_below_the_names(tmp_path: Path, text: str, rel: float) -> None:
    assert conductances(recorded(tmp_path, text), DEVICES, CYCLES) == pytest.approx(G, rel=rel)


@pytest.mark.parametrize("outer", ["level", "device"])
@pytest.mark.parametrize("merged", [False, True])
@pytest.mark.parametrize("mark", [",", ";"])
def test_a_stacked_header(tmp_path: Path, outer: str, merged: bool, mark: str) -> None:
    recording = recorded(tmp_path, stacked(outer=outer, merged=merged, mark=mark))
    assert recording.format == "stacked header" and recording.devices == ("c0", "c1", "c2", "c3")
    assert conductances(recording, DEVICES, CYCLES) == pytest.approx(G, rel=1e-9)


def test_a_level_with_its_unit_needs_no_name(tmp_path: Path) -> None:
    text = stacked().replace("target (uS)", "")
    assert "write one into its first cell" in refused(tmp_path, text)
    for level in LEVELS:
        text = text.replace(f",{level},", f",{level} uS,").replace(f",{level},", f",{level} uS,")
        text = text.replace(f",{level}\n", f",{level} uS\n")
    assert conductances(recorded(tmp_path, text), DEVICES, CYCLES) == pytest.approx(G, rel=1e-9)


@pytest.mark.parametrize(
    "heading", ["Target: {} uS", "# target = {} uS", "[target_us {}]", "target (uS),{},,"]
)
def test_blocks(tmp_path: Path, heading: str) -> None:
    recording = recorded(tmp_path, blocks(heading))
    assert recording.format == "blocks" and recording.swept == "target"
    assert conductances(recording, DEVICES, CYCLES) == pytest.approx(G, rel=1e-9)


def test_blocks_of_resistances_over_a_voltage(tmp_path: Path) -> None:
    text = blocks("V_WL = {} mV", resistance=True, names=False)
    recording = recorded(tmp_path, text)
    assert recording.swept == "word line"
    assert np.unique(recording.level).tolist() == [0.05, 0.1, 0.15]
    assert conductances(recording, DEVICES, CYCLES) == pytest.approx(G, rel=1e-6)


def test_a_bad_cell_of_a_shape_keeps_its_line(tmp_path: Path) -> None:
    text = stacked().replace(f"{G[1, 2, 0]}", "9.9e37").replace(f"{G[3, 4, 2]}", "n/a")
    recording = recorded(tmp_path, text)
    left = {left.reason: (left.device, left.lines) for left in recording.left_out}
    assert left == {"instrument overload": ("c1", (6,)), "no value": ("c3", (8,))}


def endurance(header: str, line: str, mark: str = ",") -> str:
    """A line a cycle; currents at 0.1 V, an HRS of 1 / 20 of the LRS, and I_C = G · 0.5 V."""
    rows = [
        line.format(
            d=d, c=c, icc=LEVELS[t] * 0.5, ion=0.1 * G[d, c, t], ioff=0.005 * G[d, c, t],
            ron=1e3 / G[d, c, t], roff=2e4 / G[d, c, t],
        )
        for d in range(DEVICES) for t in range(3) for c in range(CYCLES)
    ]  # fmt: skip
    return "\n".join([header, *rows]) + "\n"


@pytest.mark.parametrize(
    ("header", "line", "vread"),
    [
        ("device,cycle,Icc (uA),I_LRS (uA),I_HRS (uA),V_read (V)",
         "c{d},{c},{icc},{ion:.8g},{ioff:.8g},0.1", None),
        ("device,cycle,Icc_uA,ILRS (uA),IHRS (uA),VSET", "c{d},{c},{icc},{ion:.8g},{ioff:.8g},0.9",
         "0.1"),
        ("dut,run,compliance (uA),Ron (kOhm),Roff (kOhm)",
         "c{d},{c},{icc},{ron:.8g},{roff:.8g}", None),
    ],
)  # fmt: skip
def test_endurance_tables(tmp_path: Path, header: str, line: str, vread: str | None) -> None:
    where = {} if vread is None else {"vread": vread}
    recording = recorded(tmp_path, endurance(header, line), **where)
    assert recording.format == "endurance table"
    assert conductances(recording, DEVICES, CYCLES) == pytest.approx(G, rel=1e-6)
    assert recording.before_us == pytest.approx(recording.after_us / 20, rel=1e-6)


def test_an_endurance_table_of_currents_needs_the_read_voltage(tmp_path: Path) -> None:
    text = endurance("device,Icc (uA),ILRS,IHRS", "c{d},{icc},{ion}e-6,{ioff}e-6")
    assert "add --where vread=0.1" in refused(tmp_path, text)
    assert conductances(recorded(tmp_path, text, vread="0.1"), DEVICES, CYCLES) == pytest.approx(
        G, rel=1e-6
    )


def test_groups_above_the_names_of_an_endurance_table(tmp_path: Path) -> None:
    # as Clarius exports it: empty columns of the other polarity, no empty cells at the end
    head = "Cycle\tSET_negative#1\tSET_negative#1\tSET_positive#1\tSET_positive#1\tCVS#1\tCVS#1\n"
    text = head + endurance(
        "Index\tILRS\tIHRS\tILRS\tIHRS\tICOMP\tNORM",
        "{c}\t{ion:.8g}E-6\t{ioff:.8g}E-6\t\t\t{icc}E-6",
    )
    recording = recorded(tmp_path, text, vread="0.1")
    assert recording.devices == ("table",) and len(recording) == G.size
    assert recording.after_us == pytest.approx(G.transpose(0, 2, 1).ravel(), rel=1e-6)


def test_an_endurance_table_of_one_level_is_refused_with_what_was_read(tmp_path: Path) -> None:
    text = endurance("device,R_LRS (kOhm),R_HRS (kOhm)", "c{d},{ron},{roff}")
    message = refused(tmp_path, text)
    assert "60 SETs of 4 devices at a single setting" in message
    assert f"LRS {np.median(G):.3g}" in message


RAMP = 1.6e-4 + 1e-4 * np.linspace(0, 1, 100) ** 0.7
NOISE = np.random.default_rng(2).standard_normal((100, 3))


def table_of(header: str, columns: np.ndarray) -> str:
    return "\n".join([*([header] if header else []),
                      *(",".join(f"{v:.6g}" for v in row) for row in columns)])  # fmt: skip


@pytest.mark.parametrize(
    ("text", "words"),
    [
        # currents of ramps side by side, as CrossSim's example of a lookup table has them
        (table_of("rmp1,rmp2,rmp3", RAMP[:, None] + 3e-7 * NOISE), "trains of equal pulses"),
        # up and down, as aihwkit's example of a fit has them
        (table_of("", np.stack([RAMP, RAMP[::-1]], axis=1) + 3e-7 * NOISE[:, :2]), "aihwkit"),
        # potentiation and depression in one column
        (table_of("g1", np.concatenate([RAMP, RAMP[::-1]])[:, None]), "trains of equal pulses"),
        ("device,pulse number,g_us\n" + "\n".join(f"0,{k},{g * 1e6}" for k, g in enumerate(RAMP)),
         "no pulse has a level of its own"),
        ("target_us,g_us,percentile\n50,48,10\n50,50,50\n100,99,50\n", "a distribution"),
        ("target_us,bin,counts\n50,48,10\n50,50,50\n100,99,50\n", "neither devices nor cycles"),
        ("target_us,mean_us,sigma_us\n50,49,4\n100,99,6\n150,149,7\n", "a table of moments"),
    ],
)  # fmt: skip
def test_kinds_without_pulses_to_levels_are_refused_by_name(
    tmp_path: Path, text: str, words: str
) -> None:
    assert words in refused(tmp_path, text)


def test_a_table_of_pulses_is_none_of_these(tmp_path: Path) -> None:
    # the same columns with a level or a device are pulses
    text = long_lines(("device", "target_us", "g_us"))
    assert conductances(recorded(tmp_path, text), DEVICES, CYCLES) == pytest.approx(G, rel=1e-9)
    slow = np.convolve(NOISE[:, 0], [1.0, 0.2], "same")
    for other in (
        table_of("r1,r2,r3", 100 + 5 * NOISE),
        table_of("r1", np.where(np.arange(100) % 9, 0.02 * slow, slow)[:, None]),
        table_of("", np.stack([np.linspace(0, 1, 100), 1e-4 * RAMP], axis=1)),  # an axis
    ):
        assert "equal pulses" not in refused(tmp_path, other)

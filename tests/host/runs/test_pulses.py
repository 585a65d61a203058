"""Lists of the operations of a run: complete, equal to the stored chain, and checked."""

from __future__ import annotations

import csv
import gzip
import json
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ohmcarlo.array.characterize.fit import fit_file
from ohmcarlo.array.physics import PhysicsArray
from ohmcarlo.array.presets import get_preset
from ohmcarlo.cli import app as cli
from ohmcarlo.measurements.reading import read_recording
from ohmcarlo.runs import stored
from ohmcarlo.runs.chain_run import Silence
from ohmcarlo.runs.config import TrainConfig
from ohmcarlo.runs.pulses.checker import check_pulses
from ohmcarlo.runs.pulses.columns import COLUMNS, _targets_of
from ohmcarlo.runs.pulses.listing import list_pulses
from ohmcarlo.runs.train import Outputs, train_run
from ohmcarlo.spec import Geometry

ROWS, PAIRS, STEPS, CHAINS = 12, 6, 12, 2
SMALL = {
    "task": "toy2d", "rows": ROWS, "pairs": PAIRS, "entropy_pairs": 3, "chains": CHAINS,
    "steps": STEPS, "whiten": True,
}  # fmt: skip
PAGE = Path(__file__).parents[3] / "docs" / "pulses.md"
Line = dict[str, str]
Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(capfd: pytest.CaptureFixture[str]) -> Call:
    """Run the command line in this process: exit code, standard output, standard error."""

    def run(*arguments: object) -> tuple[int, str, str]:
        code = cli.main([str(a) for a in arguments])
        out, err = capfd.readouterr()
        return code, out, err

    return run


def trained(path: Path, **options: object) -> Path:
    train_run(TrainConfig(**(SMALL | options)), Outputs(path), Silence())  # type: ignore[arg-type]
    return path


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose devices are measured first."""
    return trained(tmp_path_factory.mktemp("runs") / "physics", array="physics")


@pytest.fixture(scope="module")
def listed(measured: Path) -> Path:
    """Its list, with the lines of DOT."""
    path = measured.parent / "physics.csv"
    list_pulses(measured, path, Silence(), dots=True)
    return path


def lines_of(text: str) -> list[Line]:
    """The lines of a list, read without the program."""
    return list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))


def counts_of(run: Path) -> dict[str, int]:
    """What the array counted while the run was made."""
    return dict(stored.read_result(run)["pulses"])


def test_every_operation_that_the_array_counted(measured: Path, listed: Path) -> None:
    """SET pulses of every device, RESETs and accesses are those of the ledger of the run, which
    was made without a list."""
    lines = lines_of(listed.read_text())
    assert tuple(lines[0]) == tuple(COLUMNS)
    wear = stored.read_arrays(measured / stored.EVALUATION)["wear"]
    sets = Counter(int(line["device"]) for line in lines if line["operation"] == "SET")
    assert [sets[device] for device in range(wear.size)] == wear.ravel().tolist()
    kinds = Counter(line["operation"] for line in lines)
    result = stored.read_result(measured)
    assert kinds["SET"] == result["pulses"]["set"]
    assert kinds["RESET"] * 2 * PAIRS == result["pulses"]["reset"]
    assert kinds["SET"] + kinds["READ"] == result["pulses"]["read"]
    numbers = [int(line["number"]) for line in lines if line["number"]]
    assert numbers == list(range(1, len(numbers) + 1))
    assert next(line for line in lines if not line["number"])["operation"] == "DOT"
    accesses = sum(int(line["accesses"]) for line in lines if line["operation"] == "DOT")
    assert accesses == result["pulses"]["dot"] > 0


def test_the_samples_are_the_last_read_backs_of_an_accepted_step(
    measured: Path, listed: Path
) -> None:
    """The stored trace follows from the list: a tester needs nothing else of the run."""
    trace = stored.read_trace(measured)
    devices = trace.codes.shape[1]
    read_back: dict[tuple[int, int], list[int]] = {}
    for line in lines_of(listed.read_text()):
        if line["phase"] == "sample" and line["operation"] == "SET":
            key = int(line["chain"]), int(line["step"])
            read_back.setdefault(key, []).append(int(line["code"]))
    assert sorted(read_back) == [(c, k) for c in range(CHAINS) for k in range(STEPS + 1)]
    draws, accepted = trace.draws(), trace.accepted_by_chain()
    assert accepted.any()
    for chain, step in zip(*np.nonzero(accepted), strict=True):
        sample = trace.codes[draws[chain, step]].tolist()
        assert read_back[chain, step + 1][-devices:] == sample
    for chain in range(CHAINS):  # the first sample of each chain
        first = np.flatnonzero(trace.sample_chain == chain)[0]
        assert read_back[chain, 0][-devices:] == trace.codes[first].tolist()


def test_units_of_the_columns(listed: Path) -> None:
    """Volts and targets are those of the preset, addresses and conductances those of the codes."""
    head = [line for line in listed.read_text().splitlines() if line.startswith("#")]
    assert head[0] == "# ohmcarlo pulses 1"
    assert "# gate_v: preset rram-1t1r" in head and "# width_ns: preset rram-1t1r" in head
    lines = [line for line in lines_of(listed.read_text()) if line["operation"] == "SET"]
    for line in lines[:: len(lines) // 50]:
        row, pair, side = int(line["row"]), int(line["pair"]), line["side"]
        assert int(line["device"]) == row * 2 * PAIRS + 2 * pair + (side == "minus")
        assert float(line["g_us"]) == 0.25 * int(line["code"])
        # constraints/daughterboard.md: 2.10 V + code × 0.87 V / 4095
        assert float(line["gate_v"]) == pytest.approx(2.10 + 0.87 * int(line["dac"]) / 4095, 1e-5)
        assert line["width_ns"] == "100"
    codes, targets = (
        np.array([float(line[name]) for line in lines]) for name in ("dac", "target_us")
    )
    order = np.argsort(codes)
    assert (np.diff(targets[order]) >= 0).all() and targets.min() > 30 and targets.max() < 230


def test_targets_of_the_codes_at_the_ends() -> None:
    """Targets beyond 64 µS and 192 µS have the first and the last code, which stand for these."""
    nodes = np.arange(257.0)  # µS, one apart
    table = np.clip(np.rint((nodes - 64) / 128 * 4095), 0, 4095)
    array = SimpleNamespace(dac_of_target=lambda: table)
    found = _targets_of(array, np.array([0, 2048, 4095]))  # type: ignore[arg-type]
    assert found == pytest.approx([64, 128, 192], abs=0.1)


def test_the_page_has_the_columns() -> None:
    page = PAGE.read_text(encoding="utf-8")
    table = page.partition("<!-- table columns -->")[2].partition("<!-- end -->")[0]
    rows = [f"| `{name}` | {meaning} |" for name, meaning in COLUMNS.items()]
    assert table.split("\n") == ["", "| column | meaning |", "|---|---|", *rows, ""]


def test_a_part_of_the_steps(measured: Path, listed: Path, call: Call, tmp_path: Path) -> None:
    code, out, err = call("pulses", measured, "--from-step", 5, "--steps", 3)
    assert (code, err) == (0, "")
    whole = lines_of(listed.read_text())
    wanted = [
        {name: line[name] for name in line if name != "accesses"}
        for line in whole
        if line["phase"] == "sample" and 5 <= int(line["step"]) <= 7 and line["operation"] != "DOT"
    ]
    assert lines_of(out) == wanted
    part = tmp_path / "part.csv"
    part.write_text(out)
    assert check_pulses(part, measured, Silence()).operations == len(wanted)
    code, out, _ = call("pulses", measured, "--steps", 2)
    assert {line["phase"] for line in lines_of(out)} == {"characterise", "sample"}
    assert max(int(line["step"]) for line in lines_of(out) if line["phase"] == "sample") == 2


# -- a list as a measurement ----------------------------------------------------------------------


def test_a_list_is_a_measurement(measured: Path, listed: Path, tmp_path: Path, call: Call) -> None:
    """Its SETs are those of a recording, and an array of the recorded cells can be listed."""
    recording = read_recording(listed, {"phase": "characterise"})
    sets = [
        line
        for line in lines_of(listed.read_text())
        if line["phase"] == "characterise" and line["operation"] == "SET"
    ]
    assert len(recording) == len(sets) and recording.swept == "target"
    assert recording.conditions["width_ns"] == 100
    names = [recording.devices[i] for i in recording.device]
    levels = recording.level.round(4).tolist()
    pulses = sorted(zip(names, levels, recording.after_us.tolist(), strict=True))
    wanted = [
        (f"{s['row']}:{s['device']}", round(float(s["target_us"]), 4), float(s["g_us"]))
        for s in sets
    ]
    assert pulses == sorted(wanted)
    low, high = min(levels), max(levels)
    assert len(set(levels)) == 7 and (np.bincount(recording.device) == 7 * 20).all()

    run = trained(tmp_path / "run", array=f"measured:{listed},phase=characterise", steps=2)
    code, out, _ = call("pulses", run, "--from-step", 1)
    lines = [line for line in lines_of(out) if line["operation"] == "SET"]
    targets = np.array([float(line["target_us"]) for line in lines])
    assert code == 0 and {line["gate_v"] for line in lines} == {""}
    assert low - 0.01 <= targets.min() < targets.max() <= high + 0.01


@pytest.mark.verify
def test_the_replay_of_the_page(measured: Path, listed: Path, call: Call, tmp_path: Path) -> None:
    """Other devices give other read-backs: a measurement of them, and not the chain of the run."""
    code = PAGE.read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    names: dict[str, Any] = {}
    exec(code, names)
    geometry = Geometry(rows=ROWS, pairs=PAIRS, entropy_pairs=3)
    other = tmp_path / "other.csv"
    names["replay"](listed, other, PhysicsArray(geometry, "rram-1t1r", 1))
    given, taken = (read_recording(p, {"phase": "characterise"}) for p in (listed, other))
    assert (given.level == taken.level).all() and given.devices == taken.devices
    assert (given.after_us != taken.after_us).mean() > 0.9
    code, _, err = call("pulses", measured, "--check", other)
    assert code == 1 and f"{other}, line 3: the read-backs differ from those of the run" in err


@pytest.mark.verify
@pytest.mark.stats
def test_the_law_of_the_devices_is_found_in_a_list(tmp_path: Path) -> None:
    """The preset of the array lies in the intervals of a fit to the list of a run on it; another
    preset does not."""
    law = get_preset("rram-1t1r").constants()
    other = "rram-1t1r,slow_share=0.1,d2d_max_us=8"
    for number, (preset, holds) in enumerate([("rram-1t1r", True), (other, False)]):
        run = trained(tmp_path / str(number), array="physics", preset=preset, rows=32, steps=2)
        path = tmp_path / f"{number}.csv"
        list_pulses(run, path, Silence())
        _, found = fit_file(path, where={"phase": "characterise"})
        for name in ("slow_share", "d2d_max_us"):
            assert found.constants[name].covers(law[name].value) == holds, found.constants[name]


# -- checks ------------------------------------------------------------------------------------


def changed(listed: Path, path: Path, at: int, **cells: object) -> Path:
    """A copy of a list in which some cells of a line are others."""
    text = listed.read_text().splitlines()
    names = next(line for line in text if not line.startswith("#")).split(",")
    line = text[at - 1].split(",")
    for name, cell in cells.items():
        line[names.index(name)] = str(cell)
    text[at - 1] = ",".join(line)
    path.write_text("\n".join(text) + "\n")
    return path


def first_line(listed: Path, **cells: str) -> int:
    """Number of the first line of a list with these cells."""
    text = listed.read_text().splitlines()
    head = sum(line.startswith("#") for line in text)
    for at, line in enumerate(lines_of(listed.read_text())):
        if all(line[name] == cell for name, cell in cells.items()):
            return head + 2 + at
    raise AssertionError(cells)


def test_a_list_is_checked(measured: Path, listed: Path, call: Call, tmp_path: Path) -> None:
    operations = sum(line["operation"] != "DOT" for line in lines_of(listed.read_text()))
    code, out, _ = call("pulses", measured, "--check", listed)
    assert code == 0 and out == (
        f"{listed}: {operations:,} operations, as the controller requests them; the chain is that "
        f"of {measured}\n"
    )
    copy = tmp_path / "copy.csv"
    at = first_line(listed, phase="sample", step="3", operation="SET")
    steps = {
        "another code of the DAC": ({"dac": 77}, "controller requests SET .* the list has SET .* "
                                    "to DAC code 77"),
        "no kind": ({"operation": "ERASE"}, "the list has an operation that is unknown"),
        "no code": ({"code": ""}, "column code: it is empty"),
        "too large": ({"code": 1024}, "column code: it is 1024"),
    }  # fmt: skip
    for what, (cells, message) in steps.items():
        changed(listed, copy, at, **cells)
        code, out, err = call("pulses", measured, "--check", copy)
        (line,) = err.splitlines()
        assert code != 0 and not out, what
        assert f"{copy}, line {at}" in line and _matches(message, line), (what, line)


def _matches(pattern: str, text: str) -> bool:
    import re

    return re.search(pattern, text) is not None


def test_other_read_backs_make_another_chain(
    measured: Path, listed: Path, call: Call, tmp_path: Path
) -> None:
    """A read-back decides where the next proposal is: the first difference and its cause."""
    trace = stored.read_trace(measured)
    chain, step = np.argwhere(trace.accepted_by_chain())[0]
    at = first_line(
        listed, phase="sample", chain=str(chain), step=str(step + 1), operation="SET", pair="0"
    )
    copy = changed(listed, tmp_path / "die.csv", at, code=520)
    code, _, err = call("pulses", measured, "--check", copy)
    (line,) = err.splitlines()
    assert code == 1 and "the controller requests" in line
    assert line.endswith(
        f"the read-backs differ from those of the run from line {at} on, so that the chain "
        "differs, too"
    )


def test_a_last_read_back_that_is_another_one(
    measured: Path, listed: Path, call: Call, tmp_path: Path
) -> None:
    """No operation follows from the last proposal: the chain itself is compared, too."""
    trace = stored.read_trace(measured)
    text = listed.read_text().splitlines()
    last = max(i for i, line in enumerate(text) if f",sample,1,{STEPS},SET," in line)
    accepted = bool(trace.accepted_by_chain()[1, -1])
    names = next(line for line in text if not line.startswith("#")).split(",")
    code = int(text[last].split(",")[names.index("code")])
    other = changed(listed, tmp_path / "last.csv", last + 1, code=code + 1)
    found, out, err = call("pulses", measured, "--check", other)
    if accepted:
        assert found == 1 and f"those of the run from line {last + 1} on" in err
    else:
        assert found == 0 and f"the read-back of line {last + 1} differs" in out


def test_a_list_that_is_cut_or_goes_on(
    measured: Path, listed: Path, call: Call, tmp_path: Path
) -> None:
    text = listed.read_text().splitlines(keepends=True)
    cut = tmp_path / "cut.csv"
    cut.write_text("".join(text[:900]))
    code, _, err = call("pulses", measured, "--check", cut)
    assert code == 1 and f"{cut} ends after line 900, but the run continues with" in err
    at = first_line(listed, operation="SET", number="900") - 1
    cut.write_text("".join(text[:at]) + text[at].rpartition(",SET,")[0] + ",SET,9")
    code, _, err = call("pulses", measured, "--check", cut)
    assert code == 1 and f"{cut} ends after line {at + 1}, " in err and "the list is cut" in err
    cut.write_text("".join(text) + text[-2])
    code, _, err = call("pulses", measured, "--check", cut)
    assert code == 1 and f"{cut}, line {len(text) + 1}: the run ends" in err
    packed = tmp_path / "cut.csv.gz"
    packed.write_bytes(gzip.compress(listed.read_bytes())[:-2000])
    code, _, err = call("pulses", measured, "--check", packed)
    assert code == 1 and f"{packed} cannot be read" in err


# -- other runs --------------------------------------------------------------------------------


def test_an_emulated_array_behind_a_board(tmp_path: Path, call: Call, measured: Path) -> None:
    """The emulated array runs in one compiled loop without a list, and with one in steps. A board
    with an emulated array has the chain of the model."""
    run = trained(tmp_path / "run", rows=32, adapt=True, early_reject=True, seed=5)
    manifest, result = (stored.read_json(run / name) for name in (stored.MANIFEST, stored.RESULT))
    manifest["config"]["backend"] = "rtl"
    rewritten(run, manifest, result)
    packed = tmp_path / "a.csv.gz"
    code, _, err = call("pulses", run, "--out", packed)
    assert code == 0 and f"wrote {packed}: " in err
    text = gzip.decompress(packed.read_bytes()).decode()
    lines = lines_of(text)
    kinds = Counter(line["operation"] for line in lines)
    assert kinds["SET"] == stored.read_result(run)["pulses"]["set"] and not kinds["READ"]
    assert {line["gate_v"] for line in lines} == {""}
    stages = len(stored.read_result(run)["adaptation"]["stages"])
    phases = [f"adapt-{k + 1}" for k in range(stages)]
    assert list(dict.fromkeys(line["phase"] for line in lines)) == [*phases, "sample"]
    # the DAC of the emulated array is linear: 256 µS at 4096
    assert all(float(line["target_us"]) == int(line["dac"]) / 16 for line in lines if line["dac"])
    refused(call("pulses", measured, "--check", packed), 2, "is the list of another run")
    # as a spreadsheet saves it
    saved = tmp_path / "saved.csv"
    saved.write_text(text.replace(",", ";"), encoding="utf-8-sig", newline="\r\n")
    code, out, _ = call("pulses", run, "--check", saved)
    assert code == 0 and f"{len(lines):,} operations" in out
    manifest["config"] |= {"array": "phy", "backend": "serial:/dev/ttyUSB0"}
    rewritten(run, manifest, result)
    refused(call("pulses", run), 2, "uses a die")


def test_parquet(measured: Path, listed: Path, call: Call, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "list.parquet"
    code, _, _ = call("pulses", measured, "--out", path, "--dot")
    assert code == 0
    rows = parquet.read_table(path).to_pylist()
    for row, line in zip(rows, lines_of(listed.read_text()), strict=True):
        for name, cell in line.items():
            expected = None if cell == "" else cell
            found = row[name]
            if isinstance(found, float):
                assert found == pytest.approx(float(cell), rel=1e-5)
            else:
                assert (found if found is None else str(found)) == expected
    code, out, _ = call("pulses", measured, "--check", path)
    assert code == 0 and "as the controller requests them" in out


@pytest.mark.verify
@pytest.mark.parametrize(
    "options",
    [
        {"array": "physics", "adapt": True, "dot_products": "codes", "repeats": 4},
        {"array": "physics", "hidden": 2, "rows": 48, "whiten": False, "rho": 0.97, "pilot": True},
        {"preset": "rram-1t1r", "adapt": True},
        {"task": "cartpole", "pairs": 10, "whiten": False, "steps": 4, "chains": 1},
    ],
)
def test_kinds_of_runs(options: dict[str, object], tmp_path: Path) -> None:
    run = trained(tmp_path / "run", **options)
    path = tmp_path / "list.csv"
    list_pulses(run, path, Silence())
    lines = lines_of(path.read_text())
    result = stored.read_result(run)["pulses"]
    kinds = Counter(line["operation"] for line in lines)
    assert kinds["SET"] == result["set"] and kinds["SET"] + kinds["READ"] == result["read"]
    assert check_pulses(path, run, Silence()).operations == len(lines)


@pytest.mark.verify
def test_several_classes_give_a_list_each(call: Call, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(90, 2)) + np.repeat(np.eye(3, 2) * 2, 30, axis=0)
    table = [f"{a:.3f},{b:.3f},{'uvw'[i // 30]}" for i, (a, b) in enumerate(x)]
    data = tmp_path / "three.csv"
    data.write_text("\n".join(["a,b,label", *table, ""]))
    run, out = tmp_path / "run", tmp_path / "list.csv.gz"
    small = ["--rows", 32, "--pairs", 10, "--chains", 2, "--steps", 20]
    assert call("train", data, "--out", run, "--pulses", out, *small)[0] == 0
    code, _, err = call("pulses", run)
    assert code == 2 and "2 problems: give --out FILE" in err
    code, _, err = call("pulses", run, "--out", out)
    assert code == 2 and "list-problem-1.csv.gz exists" in err
    for k in (1, 2):
        path = tmp_path / f"list-problem-{k}.csv.gz"
        assert call("pulses", run, "--check", path)[0] == 0
        assert call("pulses", run / f"problem-{k}", "--check", path)[0] == 0
    other = tmp_path / "list-problem-2.csv.gz"
    assert call("pulses", run / "problem-1", "--check", other)[0] == 2


# -- bad requests ------------------------------------------------------------------------------


def refused(answer: tuple[int, str, str], code: int, *words: str) -> None:
    got, out, err = answer
    assert got == code and out == "" and len(err.splitlines()) == 1, answer
    for word in words:
        assert word in err


def test_bad_requests(measured: Path, call: Call, tmp_path: Path) -> None:
    there = tmp_path / "there.csv"
    there.write_text("mine")
    refused(call("pulses", tmp_path), 2, "holds no run")
    refused(call("pulses", measured, "--out", there), 2, "exists: choose another name")
    assert there.read_text() == "mine"
    refused(call("pulses", measured, "--out", tmp_path / "list.txt"), 2, ".csv.gz, .parquet")
    refused(call("pulses", measured, "--out", tmp_path / "no" / "list.csv"), 2, "does not exist")
    refused(call("pulses", measured, "--from-step", STEPS + 1), 2, f"steps 1 to {STEPS}")
    refused(call("pulses", measured, "--steps", 0), 2, "at least one step")
    refused(call("pulses", measured, "--check", there, "--dot"), 2, "leave out")
    refused(call("pulses", measured, "--check", tmp_path / "none.csv"), 2, "is not a file")
    refused(call("pulses", measured, "--check", there), 2, "there is no column")
    train = ("train", "toy2d", "--pulses", tmp_path / "list.csv")
    refused(call(*train), 2, "add --out RUN")
    die = ("--array", "phy", "--backend", "serial:none", "--out", tmp_path / "run")
    refused(call(*train, *die), 2, "list the run of a model")
    newer = tmp_path / "newer.csv"
    newer.write_text("# ohmcarlo pulses 2\n# ohmcarlo: 9.9\n")
    refused(call("pulses", measured, "--check", newer), 2, "has version 2", "use ohmcarlo 9.9")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk(measured: Path, call: Call) -> None:
    code, _, err = call("pulses", measured, "--steps", 1, "--out", "/dev/full")
    assert code == 1 and "/dev/full: No space left on device" in err.splitlines()[-1]


def test_a_run_that_cannot_be_made_again(measured: Path, call: Call, tmp_path: Path) -> None:
    """An unfinished run, one of another version, one whose chain is another."""
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in measured.iterdir():
        os.link(path, copy / path.name)
    (copy / stored.RESULT).unlink()
    refused(call("pulses", copy), 2, "is not complete", f"`ohmcarlo resume {copy}` finishes it")
    manifest = json.loads((copy / stored.MANIFEST).read_text())
    manifest["versions"]["ohmcarlo"] = "0.0.1"
    rewritten(copy, manifest, stored.read_json(measured / stored.RESULT))
    code, out, err = call("pulses", copy)
    assert code == 1 and out == "" and "ohmcarlo 0.0.1 began this run" in err


def rewritten(run: Path, manifest: dict[str, object], result: dict[str, object]) -> None:
    """Give a run another manifest, and a result that belongs to it."""
    for name, values in ((stored.MANIFEST, manifest), (stored.RESULT, result)):
        values.pop(stored.SEAL, None)
        (run / name).unlink(missing_ok=True)
        if name == stored.RESULT:
            seal = stored.read_json(run / stored.MANIFEST)[stored.SEAL]
            result[stored.PROVENANCE][stored.MANIFEST] = seal  # type: ignore[index]
        stored.write_json(run / name, stored.sealed(values))

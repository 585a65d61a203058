"""The harness: reports of failures, stalls that must happen, waves, seeds, cached builds."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import cocotb
import pytest

from ohmcarlo_hdl.lib.fifo import StreamFifo
from verif.harness import BenchFailure, bench, cache, case_parameters, run_bench, seed_of
from verif.harness.seeds import SEED
from verif.harness.streams import Clocked, Sink, Source, Stalls, check_stalls, start_clock

WIDTH, DEPTH = 4, 2


@cocotb.test()
async def passes(dut) -> None:  # type: ignore[no-untyped-def]
    await start_clock(dut)
    source, sink = Source(dut, "input", WIDTH, range(9)), Sink(dut, "output", WIDTH)
    await Clocked(dut, source, sink).start().until(lambda: len(sink.items) == 9, 100)
    assert case_parameters().get("number", 1) != 2, "case two is wrong"


@cocotb.test()
async def forgets_to_stall(dut) -> None:  # type: ignore[no-untyped-def]
    """A driver that is told to stall, and does not."""
    await start_clock(dut)
    source, sink = Source(dut, "input", WIDTH, range(9), 0.9), Sink(dut, "output", WIDTH)
    source.rng.random = lambda: 1.0  # type: ignore[method-assign]
    await Clocked(dut, source, sink).start().until(lambda: len(sink.items) == 9, 100)


def simulate(*cases: dict[str, int], test: str = "passes") -> None:
    run_bench(StreamFifo(WIDTH, DEPTH), __name__, cases, testcase=test)


def test_failure_is_told_in_its_own_words() -> None:
    with pytest.raises(BenchFailure, match=r"(?s)^passes\[1\]: case two is wrong.*; see ") as found:
        simulate({"number": 1}, {"number": 2}, {"number": 3})
    assert "more tests" not in str(found.value)


def test_bench_without_its_stalls_fails() -> None:
    with pytest.raises(BenchFailure, match="forgets_to_stall: input never stalled"):
        simulate({}, test="forgets_to_stall")


def test_test_that_is_not_there() -> None:
    with pytest.raises(AssertionError, match="no results"):
        simulate({}, test="misspelt")


@pytest.mark.parametrize(
    ("draws", "happened", "fails"), [(2, 0, False), (9, 1, False), (9, 0, True)]
)
def test_stalls_are_missed_when_they_were_certain(draws: int, happened: int, fails: bool) -> None:
    Stalls.made.clear()
    stalls = Stalls("samples")
    for _ in range(draws):
        stalls.chance(0.95)
    stalls.happened = happened
    if fails:
        with pytest.raises(AssertionError, match="samples never stalled"):
            check_stalls()
    else:
        check_stalls()
    assert not Stalls.made


@pytest.mark.parametrize("has_fst", [False, pytest.param(True, marks=pytest.mark.verify)])
def test_waves(has_fst: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A file that a viewer reads: VCD where FST cannot be compiled."""
    if has_fst and not bench.fst_compiles():
        pytest.skip("no lz4.h and zlib.h: apt install liblz4-dev zlib1g-dev")
    monkeypatch.setenv("WAVES", "1")
    monkeypatch.setattr(bench, "BUILDS", tmp_path)
    monkeypatch.setattr(bench, "fst_compiles", lambda: has_fst)
    written = list(bench.waves_written)
    simulate({})
    (file,) = [path for path in bench.waves_written if path not in written]
    assert file.suffix == (".fst" if has_fst else ".vcd")
    assert file.stat().st_size > 500
    if not has_fst:
        text = file.read_text()
        assert "$enddefinitions" in text and "input__payload" in text


def test_waves_of_an_unknown_format(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAVES", "png")
    with pytest.raises(AssertionError, match="WAVES=png: use 1, fst or vcd"):
        simulate({})


def test_seed_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SEED, raising=False)
    assert seed_of(5) == 5
    seeds = []
    for chosen in ("1", "2"):
        monkeypatch.setenv(SEED, chosen)
        seeds += [seed_of(5), seed_of(6), seed_of((7 << 40) + 5)]
        assert seed_of(5) == seed_of(5)
    assert len(set(seeds)) == 6
    assert seeds[2] >> 40 == 7


def fill(folder: Path) -> None:
    (folder / "data").write_bytes(random.Random(1).randbytes(1000))


def test_cache_is_bounded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The entry that was unused longest is removed first; entries of the last hour stay."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(cache, "LIMIT", 2500)
    first, second = (cache.published(name, fill) for name in ("first", "second"))
    for age, folder in ((7200, first), (9000, second)):
        os.utime(folder, (time.time() - age,) * 2)
    cache.published("first", pytest.fail)  # it exists, and is used now
    cache.published("third", fill)
    assert sorted(p.name for p in cache.cache_folder().iterdir() if p.is_dir()) == [
        "first",
        "third",
    ]
    cache.published("fourth", fill)
    assert first.is_dir()


def test_entry_that_was_not_finished_is_made_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    def breaks(folder: Path) -> None:
        fill(folder)
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="disk"):
        cache.published("entry", breaks)
    assert (cache.published("entry", fill) / "data").stat().st_size == 1000

"""The coverage report: its parser, the lines that it counts, and a real build."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import cocotb
import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from cocotb.triggers import RisingEdge

from verif import coverage
from verif.harness import bench, run_bench, start_clock
from verif.harness.verilog import verilog_of

VERILOG = r"""module dut(clk, rst, a, x);
  wire \$1 ;
  assign \$1  = a & x;
  always @* begin
    if (\$auto$verilog_backend.cc:2355:dump_module$1 ) begin end
    y = 1'h0;
    casez (a)
      1'h0:
          /* empty */;
      1'h1:
          if (\$1 ) begin
            y = 1'h1;
          end else begin
            y = 1'h0;
          end
    endcase
    if (rst) begin
      y = 1'h0;
    end
  end
  assign z = a == y ? x : y;
endmodule
"""


def point(
    kind: str,
    what: str,
    line: int,
    count: int,
    lines: str = "",
    module: str = "dut",
    column: int = 1,
) -> str:
    keys = {"f": "dut.v", "l": line, "n": column, "t": kind, "page": f"v_{kind}/{module}"}
    keys |= {"o": what, "S": lines, "h": "top"}
    text = "".join(f"\1{key}\2{value}" for key, value in keys.items() if value != "")
    return f"C '{text}' {count}"


def data(visits: int = 0, reset: int = 1) -> list[str]:
    return [
        "# SystemC::Coverage-3",
        point("line", "block", 4, 9, "4,6"),
        point("branch", "if", 5, 0, "5"),
        point("branch", "else", 5, 9, column=2),
        point("line", "case", 8, 0, "8"),
        point("line", "case", 10, 1, "10"),
        point("branch", "if", 11, visits, "11-12"),
        point("branch", "else", 11, 1, "13-14", column=2),
        point("branch", "if", 17, reset, "17-18"),
        point("branch", "else", 17, 9, column=2),
        point("branch", "cond_then", 21, 0, "21"),
        point("branch", "cond_else", 21, 4, "21", column=2),
        point("toggle", "x[0]:0->1", 1, 3),
        point("toggle", "x[0]:1->0", 1, 0, column=2),
        point(
            "toggle",
            "__024auto__024verilog_backend__02ecc__03a2355__03adump_module__0241:0->1",
            1,
            0,
        ),
    ]


def measured(*runs: list[str]) -> tuple[coverage.Figures, list[coverage.Missed]]:
    counts: Counter[coverage.Point] = Counter()
    for run in runs:
        counts.update(coverage.parse(run))  # a sum would drop zeros
    figures, missed = coverage.measure(counts, coverage.Source(VERILOG))
    return figures["dut"], missed


def test_arms_count_and_nothing_else() -> None:
    """Four arms; empty, unconditional or Yosys's own code and covered resets do not count."""
    figures, missed = measured(data())
    assert (figures.lines, figures.toggles, figures.resets) == ([2, 4], [1, 2], 1)
    assert missed == [
        ("dut", r"casez (a) / 1'h1 / if (\$1 )  [\$1 = a & x]", ["12: y = 1'h1;"]),
        ("dut", "?: then", ["21: assign z = a == y ? x : y;"]),
    ]


def test_runs_are_merged() -> None:
    """An arm is covered if either run covers it."""
    for runs in ([data(2), data()], [data(), data(2)]):
        figures, missed = measured(*runs)
        assert figures.lines == [3, 4]
        assert [m.condition for m in missed] == ["?: then"]


def test_reset_that_was_not_taken_is_named() -> None:
    figures, missed = measured(data(reset=0))
    assert (figures.lines, figures.resets) == ([2, 5], 0)
    assert ("dut", "if (rst)", ["18: y = 1'h0;"]) in missed


def test_else_is_named_by_what_was_always_true() -> None:
    counts = coverage.parse([point("branch", "else", 11, 0, "13-14", column=2)])
    ((_, condition, lines),) = coverage.measure(counts, coverage.Source(VERILOG))[1]
    assert condition == r"casez (a) / 1'h1 / not if (\$1 )  [\$1 = a & x]"
    assert lines == ["14: y = 1'h0;"]


@pytest.mark.parametrize(
    ("module", "group"),
    [("dut", "dut"), ("dut.core.step$347", "step"), ("dut.core.step$347.issuer.walk", "walk")],
)
def test_modules_are_grouped_by_their_own_name(module: str, group: str) -> None:
    assert coverage.group_of(module) == group


def test_numbers() -> None:
    assert coverage.numbers("3-5,8") == [3, 4, 5, 8]
    assert coverage.numbers("") == []


@pytest.mark.parametrize(
    ("results", "is_passed"),
    [
        ("<testsuites><testcase/></testsuites>", True),
        ("<testsuites><testcase><failure/></testcase></testsuites>", False),
        ("<testsuites>", False),
        (None, False),
    ],
)
def test_only_passed_runs_count(tmp_path: Path, results: str | None, is_passed: bool) -> None:
    run = tmp_path / "run-1"
    run.mkdir()
    (run / coverage.DATA).write_text("\n".join(data()))
    if results is not None:
        (run / "results.xml").write_text(results)
    counts, runs = coverage.merge([tmp_path])
    assert (runs, bool(counts)) == ((1, True) if is_passed else (0, False))


class Held(wiring.Component):
    """Keeps a bit; the bench does not cover its second arm."""

    def __init__(self) -> None:
        super().__init__({"take": In(1), "force": In(1), "held": Out(2)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        with m.If(self.force):
            m.d.sync += self.held.eq(3)
        with m.Elif(self.take):
            m.d.sync += self.held.eq(1)
        return m


@cocotb.test()
async def takes(dut) -> None:  # type: ignore[no-untyped-def]
    dut.take.value = 0
    dut.force.value = 0
    await start_clock(dut)
    dut.take.value = 1
    for _ in range(4):
        await RisingEdge(dut.clk)


@pytest.mark.verify
def test_real_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Verilator's own file: one arm is covered, the other is listed with its line."""
    monkeypatch.setenv("COVERAGE", "1")
    monkeypatch.setattr(bench, "BUILDS", tmp_path)
    monkeypatch.setattr(coverage, "BUILDS", tmp_path)
    run_bench(Held(), __name__, testcase="takes")
    text = verilog_of(Held())
    builds = coverage.builds_with_runs()
    assert list(builds) == [text]
    counts, runs = coverage.merge(builds[text])
    figures, missed = coverage.measure(counts, coverage.Source(text))
    assert runs == 1
    assert figures["dut"].lines == [1, 2]
    assert figures["dut"].resets == 1
    ((module, condition, lines),) = missed
    assert (module, condition) == ("dut", "if (\\force )")
    assert lines[0].endswith("= 2'h3;")
    assert counts[next(p for p in counts if p.what == "held[0]:0->1")] == 1
    assert counts[next(p for p in counts if p.what == "held[1]:0->1")] == 0

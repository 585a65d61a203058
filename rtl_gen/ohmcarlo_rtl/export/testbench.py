"""A self-checking test bench in SystemVerilog: identification over the bus, and a first access.

It needs no library. Verilator runs it (``--binary``).
"""

from __future__ import annotations

from collections.abc import Mapping
from string import Template
from typing import Any

from ohmcarlo.spec import CODE_LSB_US, CODE_MAX, DEFAULT_MID_US, HRS_CODE, TARGET_LSB_US
from ohmcarlo_hdl.array.interface import Op
from ohmcarlo_hdl.ip.ports import APB4, AXI4_LITE, EMULATOR, NATIVE, PHY, PORTS, WISHBONE
from ohmcarlo_hdl.regs.bus import Bus
from ohmcarlo_hdl.regs.map import WORD_BYTES, RegisterMap

from ..controller.images import REL
from .design import Design
from .ports import CorePorts, bits, is_input
from .request import ExportRequest

IMAGES = "images"
EMULATOR_IMAGES = ("median", "sigma")
"""Windows that the emulator needs before its first pulse."""
SIGMAS = 6
"""A reading further than this many sigma from its median is a failure."""
TEST_CODE = 341
"""Reading with which the array of the bench answers each READ."""
OPERATIONS: Mapping[str, Any] = {op.name: op for op in (Op.RESET, Op.SET, Op.READ)}  # type: ignore[attr-defined]
SCRATCH = 5
"""Written to interrupt.threshold, and read back."""
LIMIT = 200_000
DAC = round(DEFAULT_MID_US / TARGET_LSB_US)
"""DAC code of the SET: with the tables of ``controller.images``, the median is DEFAULT_MID_US."""

FRAME = Template("""\
// Test bench of $module: reads the identification over the bus and makes a first access.
// Run it in the folder above this one, which holds images/.

module $bench;
  parameter LIMIT = $limit;  // clocks until the bench gives up
  reg clock = 1'b0;
  reg in_reset = 1'b1;
  integer failures = 0;
  always #5 clock = ~clock;

$declarations
  $module dut (
$connections
  );

  task check(input [8 * 32 - 1:0] what, input [31:0] found, input [31:0] expected);
    begin
      if (found !== expected) begin
        $$display("FAIL: %0s is 0x%08x, not 0x%08x", what, found, expected);
        failures = failures + 1;
      end
    end
  endtask

$tasks
  task expect_word(input [8 * 32 - 1:0] what, input [31:0] address, input [31:0] expected);
    reg [31:0] word;
    reg refused;
    begin
      bus_read(address, word, refused);
      check(what, word, expected);
      check("its error flag", {31'd0, refused}, 32'd0);
    end
  endtask

  task set_word(input [31:0] address, input [31:0] word);
    reg refused;
    begin
      bus_write(address, word, refused);
      check("error flag of a write", {31'd0, refused}, 32'd0);
    end
  endtask

  // wait until the bits of the mask have the given values
  task wait_for(input [31:0] address, input [31:0] mask, input [31:0] expected);
    reg [31:0] word;
    reg refused;
    begin
      word = ~expected;
      while ((word & mask) != expected) bus_read(address, word, refused);
    end
  endtask

  reg [31:0] reading;
  reg bad;
$memories
  initial begin
    repeat (4) @(posedge clock);
    @(negedge clock);
    in_reset = 1'b0;

    // identification
$identification
    // a register that can be written, and an address with nothing behind it
    set_word(32'h$scratch, 32'd$scratch_value);
    expect_word("interrupt.threshold", 32'h$scratch, 32'd$scratch_value);
    bus_read(32'h$nothing, reading, bad);
    check("error flag of a wrong address", {31'd0, bad}, 32'd1);
    set_word(32'h$command, 32'd$clear_fault);

$access
    bus_read(32'h$status, reading, bad);
    check("status.state.fault", reading & 32'h$fault, 32'd0);
    if (failures != 0) $$fatal(1, "FAIL: %0d checks", failures);
    $$display("PASS: $module");
    $$finish;
  end

  initial begin
    repeat (LIMIT) @(posedge clock);
    $$fatal(1, "FAIL: no end after %0d clocks", LIMIT);
  end
endmodule
""")

AXI_TASKS = """\
  task bus_write(input [31:0] address, input [31:0] word, output refused);
    reg [1:0] taken;
    begin
      @(negedge clock);
      s_axi_awaddr = address[$top:0];
      s_axi_awvalid = 1'b1;
      s_axi_wdata = word;
      s_axi_wstrb = 4'hf;
      s_axi_wvalid = 1'b1;
      s_axi_bready = 1'b1;
      taken = 2'b00;
      while (taken != 2'b11) begin
        @(posedge clock);
        taken = taken | {s_axi_wvalid && s_axi_wready, s_axi_awvalid && s_axi_awready};
        @(negedge clock);
        s_axi_awvalid = !taken[0];
        s_axi_wvalid = !taken[1];
      end
      @(posedge clock);
      while (!s_axi_bvalid) @(posedge clock);
      refused = s_axi_bresp != 2'b00;
      @(negedge clock);
      s_axi_bready = 1'b0;
    end
  endtask

  task bus_read(input [31:0] address, output [31:0] word, output refused);
    begin
      @(negedge clock);
      s_axi_araddr = address[$top:0];
      s_axi_arvalid = 1'b1;
      s_axi_rready = 1'b1;
      @(posedge clock);
      while (!s_axi_arready) @(posedge clock);
      @(negedge clock);
      s_axi_arvalid = 1'b0;
      @(posedge clock);
      while (!s_axi_rvalid) @(posedge clock);
      word = s_axi_rdata;
      refused = s_axi_rresp != 2'b00;
      @(negedge clock);
      s_axi_rready = 1'b0;
    end
  endtask
"""
APB_TASKS = """\
  task transfer(input write, input [31:0] address, input [31:0] to_write, output [31:0] word,
                output refused);
    begin
      @(negedge clock);
      psel = 1'b1;
      pwrite = write;
      paddr = address[$top:0];
      pwdata = to_write;
      pstrb = write ? 4'hf : 4'h0;
      @(negedge clock);
      penable = 1'b1;
      @(posedge clock);
      while (!pready) @(posedge clock);
      word = prdata;
      refused = pslverr;
      @(negedge clock);
      psel = 1'b0;
      penable = 1'b0;
    end
  endtask
"""
WISHBONE_TASKS = """\
  task transfer(input write, input [31:0] address, input [31:0] to_write, output [31:0] word,
                output refused);
    begin
      @(negedge clock);
      wb_cyc_i = 1'b1;
      wb_stb_i = 1'b1;
      wb_we_i = write;
      wb_adr_i = address[$top + 2:2];
      wb_dat_i = to_write;
      wb_sel_i = 4'hf;
      @(posedge clock);
      while (!(wb_ack_o || wb_err_o)) @(posedge clock);
      word = wb_dat_o;
      refused = wb_err_o;
      @(negedge clock);
      wb_cyc_i = 1'b0;
      wb_stb_i = 1'b0;
    end
  endtask
"""
NATIVE_TASKS = """\
  task transfer(input write, input [31:0] address, input [31:0] to_write, output [31:0] word,
                output refused);
    begin
      @(negedge clock);
      bus_addr = address[$top + 2:2];
      bus_w_data = to_write;
      bus_w_stb = write;
      bus_r_stb = !write;
      @(negedge clock);
      bus_w_stb = 1'b0;
      bus_r_stb = 1'b0;
      repeat ($latency) @(posedge clock);
      word = bus_r_data;
      refused = bus_error;
    end
  endtask
"""
TRANSFER = """
  task bus_write(input [31:0] address, input [31:0] word, output refused);
    reg [31:0] unused;
    transfer(1'b1, address, word, unused, refused);
  endtask

  task bus_read(input [31:0] address, output [31:0] word, output refused);
    transfer(1'b0, address, 32'd0, word, refused);
  endtask
"""
TASKS: Mapping[str, str] = {
    AXI4_LITE: AXI_TASKS,
    APB4: APB_TASKS + TRANSFER,
    WISHBONE: WISHBONE_TASKS + TRANSFER,
    NATIVE: NATIVE_TASKS + TRANSFER,
}
OPERATION_TASK = Template("""\
  // an operation of the array, without the chain
  task operate(input [31:0] operation, input [31:0] dac);
    begin
      set_word(32'h$raw_dac, dac);
      set_word(32'h$raw_command, operation);
      set_word(32'h$command, 32'd$raw);
      wait_for(32'h$status, 32'h$busy_or_valid, 32'h$valid);
      bus_read(32'h$raw_result, reading, bad);
    end
  endtask
""")
ARRAY_MODEL = Template("""\
  // an array that answers each READ with the code $code
  assign requests_ready = 1'b1;
  reg owed = 1'b0;
  assign responses_valid = owed;
  assign responses_value = $code;
  always @(posedge clock)
    owed <= (requests_valid && requests_op == 3'd$read) || (owed && !responses_ready);
""")


def testbench_name(request: ExportRequest) -> str:
    """Name of the module of the bench."""
    return f"{request.module}_tb"


def testbench(design: Design) -> str:
    """The bench of a core."""
    request, ports, layout = design.request, design.ports, design.registers
    address = {register.name: f"{register.address:x}" for register in layout.registers}
    tasks = Template(TASKS[request.bus]).substitute(top=_top(ports), latency=Bus.LATENCY)
    return FRAME.substitute(
        module=request.module,
        bench=testbench_name(request),
        limit=LIMIT,
        declarations=_declarations(ports),
        connections=",\n".join(f"    .{p.name}({p.name})" for p in ports),
        tasks="\n".join([tasks, _operation_task(layout), _array(request)]),
        memories=_memories(request, layout),
        identification=_identification(design),
        scratch=address["interrupt.threshold"],
        scratch_value=SCRATCH,
        nothing=f"{_nothing(layout):x}",
        command=address["control.command"],
        clear_fault=_bits(layout, "control.command", clear_fault=1),
        access=_access(request, layout),
        status=address["status.state"],
        fault=f"{_bits(layout, 'status.state', fault=1):x}",
    )


def _top(ports: CorePorts) -> int:
    return ports.addr_width - 1


def _declarations(ports: CorePorts) -> str:
    protocol = ports.protocol
    driven = {"responses_valid", "responses_value", "requests_ready"}
    lines = []
    for port in ports:
        at = f"{bits(port)} " if bits(port) else ""
        if port.name == protocol.clock:
            lines.append(f"  wire {port.name} = clock;")
        elif port.name == protocol.reset:
            level = "~in_reset" if protocol.active_low else "in_reset"
            lines.append(f"  wire {port.name} = {level};")
        elif is_input(port) and port.name not in driven:
            value = "1'b1" if port.name in TIED_HIGH else f"{port.width}'d0"
            lines.append(f"  reg {at}{port.name} = {value};")
        else:
            lines.append(f"  wire {at}{port.name};")
    return "\n".join(lines) + "\n"


TIED_HIGH = {"m_axis_records_tready", "adc_dout"}
"""Inputs that are 1 throughout: records are taken, and the ADC reads full scale."""


def _bits(layout: RegisterMap, register: str, **fields: int) -> int:
    """The word of a register with these fields, the others 0."""
    low = {field.name: field.low for field in layout[register].fields}
    return sum(value << low[name] for name, value in fields.items())


def _identification(design: Design) -> str:
    """Checks of the constants that name the core."""
    layout = design.registers
    lines = []
    for name in IDENTIFICATION:
        register = layout[name]
        word = _bits(layout, name, **{field.name: field.reset for field in register.fields})
        word = design.core.constants.get(name, word)
        lines.append(f"    expect_word(\"{name}\", 32'h{register.address:x}, 32'h{word:08x});")
    return "\n".join(lines)


IDENTIFICATION = (
    "id.magic", "id.version", "id.map_hash", "id.features", "id.rows", "id.pairs", "id.access_bits",
    "id.max_points", "ip.magic", "ip.map_hash", "ip.design_hash", "ip.clock_hz", "ip.bus",
    "ip.streams",
)  # fmt: skip


def _nothing(layout: RegisterMap) -> int:
    """The lowest byte address without a register or a window."""
    taken = {register.address for register in layout.registers}
    for window in layout.windows:
        taken |= set(range(window.address, window.address + window.words * WORD_BYTES, WORD_BYTES))
    return next(a for a in range(0, max(taken) + 2 * WORD_BYTES, WORD_BYTES) if a not in taken)


def _operation_task(layout: RegisterMap) -> str:
    valid = _bits(layout, "status.state", raw_valid=1)
    return OPERATION_TASK.substitute(
        {name.replace(".", "_"): f"{layout[name].address:x}" for name in RAW},
        command=f"{layout['control.command'].address:x}",
        raw=_bits(layout, "control.command", raw=1),
        status=f"{layout['status.state'].address:x}",
        busy_or_valid=f"{_bits(layout, 'status.state', busy=1) | valid:x}",
        valid=f"{valid:x}",
    )


RAW = ("raw.command", "raw.dac", "raw.result")


def _array(request: ExportRequest) -> str:
    """The array of the bench, for a core that has none."""
    if request.array != PORTS:
        return ""
    code = f"{request.config.reading_bits}'d{TEST_CODE}"
    return ARRAY_MODEL.substitute(code=code, read=OPERATIONS["READ"].value)


def _memories(request: ExportRequest, layout: RegisterMap) -> str:
    if request.array != EMULATOR:
        return ""
    words = {name: layout.window(name).words for name in EMULATOR_IMAGES}
    lines = [f"  reg [31:0] {name}_words [0:{count - 1}];" for name, count in words.items()]
    return "\n".join([*lines, "  integer at;", ""])


def _access(request: ExportRequest, layout: RegisterMap) -> str:
    """A first access: operations on device 0 of row 0, and what they read."""
    codes = {name: _bits(layout, "raw.command", op=op.value) for name, op in OPERATIONS.items()}
    operate = {name: f"    operate(32'd{word}, 32'd{DAC});" for name, word in codes.items()}
    if request.array == PORTS:
        return _lines("READ of the array of this bench", operate["READ"], _equal(TEST_CODE))
    if request.array == PHY:
        return _lines("READ of an ADC at full scale", operate["READ"], _equal(CODE_MAX))
    loads = [
        f"""\
    $readmemh("{IMAGES}/{name}.hex", {name}_words);
    for (at = 0; at < {layout.window(name).words}; at = at + 1)
      set_word(32'h{layout.window(name).address:x} + 4 * at, {name}_words[at]);"""
        for name in EMULATOR_IMAGES
    ]
    idle = f"{_bits(layout, 'status.state', emulator_idle=1):x}"
    status = f"{layout['status.state'].address:x}"
    restart = _bits(layout, "control.command", emulator_restart=1)
    median = DEFAULT_MID_US / CODE_LSB_US
    least, most = (round(median * (1 + sign * SIGMAS * REL)) for sign in (-1, 1))
    return _lines(
        "first access: tables of the emulated array, then RESET, READ, SET and READ of a device",
        *loads,
        f"    set_word(32'h{layout['control.command'].address:x}, 32'd{restart});",
        f"    wait_for(32'h{status}, 32'h{idle}, 32'h{idle});",
        operate["RESET"],
        operate["READ"],
        _equal(HRS_CODE),
        operate["SET"],
        operate["READ"],
        f"""\
    if (reading < 32'd{least} || reading > 32'd{most}) begin
      $display("FAIL: a device reads %0d after SET, not {least} to {most}", reading);
      failures = failures + 1;
    end""",
    )


def _equal(code: int) -> str:
    return f'    check("reading", reading, 32\'d{code});'


def _lines(comment: str, *lines: str) -> str:
    return "\n".join([f"    // {comment}", *lines])

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="From Amaranth to a waveform")


@app.cell
def _():
    import marimo as mo

    return (mo,)


@app.cell
def _(mo):
    mo.md("""
    # From Amaranth to a waveform

    The controller is written in [Amaranth](https://amaranth-lang.org): hardware as Python objects.
    This notebook takes one block of it, the **sequencer**, which is the only block that touches the
    array. It turns commands (SET, READ, …) into pulses on the control lines of the devices. You
    drive it in Amaranth's simulator, see its waveform, and write it as Verilog.
    """)
    return


@app.cell
def _():
    from pathlib import Path

    from amaranth import Const
    from amaranth.sim import Simulator

    from ohmcarlo_hdl.array.interface import Op
    from ohmcarlo_hdl.array.sequencer import Sequencer
    from ohmcarlo_hdl.config import COMPACT
    from ohmcarlo_rtl.pages.waves import Lane, Scene, svg, traced, wave_json
    from ohmcarlo_rtl.verilog import verilog_text

    return (
        COMPACT,
        Const,
        Lane,
        Op,
        Path,
        Scene,
        Sequencer,
        Simulator,
        svg,
        traced,
        verilog_text,
        wave_json,
    )


@app.cell
def _(mo):
    mo.md("""
    ## 1. Elaborate

    A configuration fixes the sizes. `COMPACT` is the smallest one: 16 rows of 8 pairs of devices.
    The signature of the block lists its ports; `help(Sequencer)` explains each of them.
    """)
    return


@app.cell
def _(COMPACT, Sequencer, mo):
    block = Sequencer(COMPACT)
    ports = "\n".join(
        f"{name:12} {member.flow.name:3} {'port' if member.is_port else 'stream'}"
        for name, member in block.signature.members.items()
    )
    print(ports)
    mo.plain_text(ports)
    return (block,)


@app.cell
def _(mo):
    mo.md("""
    ## 2. Simulate

    The devices need time: `width` is the length of a SET pulse in clocks. The guards are the
    clocks before and after the pulse in which the address must be stable. If you move a slider, the
    block is simulated again.
    """)
    return


@app.cell
def _(mo):
    CLOCKS = 22  # that are simulated
    width = mo.ui.slider(1, 6, value=3, show_value=True, label="width of SET, clocks")
    before = mo.ui.slider(0, 3, value=2, show_value=True, label="guard before, clocks")
    after = mo.ui.slider(0, 3, value=1, show_value=True, label="guard after, clocks")
    mo.vstack([width, before, after])
    return CLOCKS, after, before, width


@app.cell
def _(CLOCKS, Const, Op, after, before, block, width):
    def code(operation):
        """The bits of an operation."""
        return Const.cast(operation).value

    async def controller(ctx):
        """Plays the controller: SET device 2 of row 5, then READ it."""
        ctx.set(block.settings.set.width, width.value)
        ctx.set(block.settings.set.guard_before, before.value)
        ctx.set(block.settings.set.guard_after, after.value)
        ctx.set(block.settings.read.width, 2)
        ctx.set(block.results.ready, 1)
        ctx.set(block.commands.p.row, 5)
        ctx.set(block.commands.p.device, 2)
        ctx.set(block.commands.valid, 1)
        for operation, dac in ((Op.SET, 1952), (Op.READ, 0)):
            ctx.set(block.commands.p.op, code(operation))
            ctx.set(block.commands.p.dac, dac)
            await ctx.tick().until(block.commands.ready)
        ctx.set(block.commands.valid, 0)

    async def array(ctx):
        """Plays the array: it takes every request, and answers a READ three clocks later."""
        ctx.set(block.requests.ready, 1)
        due = None
        for clock in range(CLOCKS):
            ctx.set(block.responses.valid, clock == due)
            ctx.set(block.responses.p.value, 412 if clock == due else 0)
            sampled = ctx.tick().sample(block.requests.valid, block.requests.p.op)
            _, _, valid, operation = await sampled
            if valid and operation == code(Op.READ):
                due = clock + 3

    return array, controller


@app.cell
def _(CLOCKS, Lane, Op, Scene, array, block, controller, traced):
    requests = [
        Lane("valid", block.requests.valid),
        Lane("op", block.requests.p.op, block.requests.valid, lambda n: Op(n).name),
    ]
    lines = [
        Lane("row", block.lines.row, None, str),
        Lane("device", block.lines.device, None, str),
        Lane("dac", block.lines.dac, None, str),
        Lane("set", block.lines.set),
        Lane("read", block.lines.read),
    ]
    results = [
        Lane("valid", block.results.valid),
        Lane("value", block.results.p.value, block.results.valid, str),
    ]
    scene = Scene(
        title="SET of device 2 in row 5, then READ",
        component=block,
        drive=[controller, array],
        lanes=[("requests", requests), ("lines", lines), ("results", results)],
        clocks=CLOCKS,
        hscale=1,
    )
    # a column of values for each lane, and one that says when they matter
    columns = [*zip(*traced(scene), strict=True)][::2]
    on_lines = {lane.label: columns[len(requests) + i] for i, lane in enumerate(lines)}
    return on_lines, scene


@app.cell
def _(mo, scene, svg, wave_json):
    mo.Html(svg(wave_json(scene)))
    return


@app.cell
def _(mo, on_lines):
    row, set_line = on_lines["row"], on_lines["set"]
    first, last = set_line.index(1), len(set_line) - 1 - set_line[::-1].index(1)
    found = [
        f"SET is high for {sum(set_line)} clocks, from clock {first} to clock {last}",
        f"the row is stable from clock {row.index(5)}, {first - row.index(5)} clocks before",
    ]
    print("\n".join(found))
    mo.callout(mo.md("; ".join(found)))
    return


@app.cell
def _(mo):
    mo.md("""
    The row is on the lines before the enable of SET rises, by exactly the guard. The same block is
    simulated clock by clock against its model on Verilator, and `make formal` proves its interlocks
    for every sequence of commands: one enable at a time, no pulse longer than its limit, a stable
    address around every pulse.

    ## 3. The waveform as a file

    A VCD file has every signal of the block. Surfer and GTKWave show it.
    """)
    return


@app.cell
def _(CLOCKS, Path, Simulator, array, block, controller, mo):
    simulator = Simulator(block)
    simulator.add_clock(1e-8)
    simulator.add_testbench(controller, background=True)
    simulator.add_testbench(array, background=True)
    waves = Path("sequencer.vcd")
    with simulator.write_vcd(str(waves)):
        simulator.run_until((CLOCKS + 1) * 1e-8)
    signals = waves.read_text(encoding="utf-8").count("$var")
    print(f"wrote {waves}: {signals} signals")
    mo.md(f"`{waves}` in the current folder has {signals} signals.")
    return


@app.cell
def _(mo):
    mo.md("""
    ## 4. Verilog

    The same object becomes Verilog-2001, which every FPGA tool reads. Equal sources give equal
    bytes.
    """)
    return


@app.cell
def _(Path, block, mo, verilog_text):
    text = verilog_text(block, "sequencer")
    verilog = Path("sequencer.v")
    verilog.write_text(text, encoding="utf-8")
    print(f"wrote {verilog}: {len(text.splitlines())} lines, module sequencer")
    _lines = [line.strip() for line in text.splitlines()]
    declared = [line for line in _lines if line.startswith(("input ", "output "))]
    mo.md(f"`{verilog}`: its ports\n\n```verilog\n" + "\n".join(declared) + "\n```")
    return


@app.cell
def _(mo):
    mo.md("""
    ## Where to go from here

    - `make bench-one BLOCK=sequencer WAVES=1` runs the whole bench of this block, with its waves.
    - `docs/architecture.md` follows one step through all blocks.
    - `ohmcarlo export ip` writes the controller with a standard bus, for your own design.
    - `rtl_gen/reference` is the committed Verilog.
    """)
    return


if __name__ == "__main__":
    app.run()

"""The emulated array: devices in FPGA memory."""

from __future__ import annotations

from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from ohmcarlo.spec import CODE_BITS, D2D_FRAC, HRS_CODE, SEGMENT_BITS, STUCK_BITS

from ..config import CoreConfig
from ..lib.fifo import AlternatingRegister
from ..lib.pipeline import CreditFifo, delayed
from ..lib.window import Window
from .devices import DeviceCache
from .dot import DotUnit
from .generator import Generator, NormalQueue
from .interface import Op, array_request, array_response
from .pulse import MEDIAN_GAIN_BITS, SIGMA_GAIN_BITS, PulseLaw


def codes_window(config: CoreConfig) -> Window:
    """Window ``state_codes``: one pair of codes per word, 2**(device_bits - 1) words per row."""
    return Window(bits_for((config.geometry.rows << config.device_bits - 1) - 1))


EMULATOR_REGISTERS = ("key0", "key1", "d2d_rel", "stuck_level", "median_gain", "sigma_gain")
EMULATOR_STATUS = ("pulses", "idle")
EMULATOR_WINDOWS = ("load_median", "load_sigma", "load_state_codes")


class EmulatorRegisters(wiring.Signature):
    """The emulator's part of the register map.

    Attributes
    ----------
    key0, key1 : Out(32)
        Key of the generator.
    d2d_rel : Out(D2D_FRAC + 1)
        Relative device-to-device spread of medians, D2D_FRAC fraction bits.
    stuck_level : Out(STUCK_BITS + 1)
        Fraction of stuck devices, STUCK_BITS fraction bits.
    median_gain : Out(MEDIAN_GAIN_BITS)
        Factor of every median.
    sigma_gain : Out(SIGMA_GAIN_BITS)
        Factor of every cycle-to-cycle spread.
    load_median, load_sigma : Out(Window)
        Nodes of the tables of median and spread.
    load_state_codes : Out(codes_window)
        A pair of codes per word, g⁺ in [9:0] and g⁻ in [25:16]; only while ``idle``.
    first_pulse : Out(64)
        Number of the next SET pulse after ``restart``.
    restart : Out(1)
        Set the pulse counter, and drop prepared normals and properties.
    pulses : In(64)
        Number of the next SET pulse.
    idle : In(1)
        The emulator has no operation in flight.
    present : In(1)
        An emulator is connected: the value of ``id.features.emulator``.
    """

    def __init__(self, config: CoreConfig) -> None:
        super().__init__(
            {
                "key0": Out(32),
                "key1": Out(32),
                "d2d_rel": Out(D2D_FRAC + 1),
                "stuck_level": Out(STUCK_BITS + 1),
                "median_gain": Out(MEDIAN_GAIN_BITS),
                "sigma_gain": Out(SIGMA_GAIN_BITS),
                "load_median": Out(Window(1 + SEGMENT_BITS)),
                "load_sigma": Out(Window(1 + SEGMENT_BITS)),
                "load_state_codes": Out(codes_window(config)),
                "first_pulse": Out(64),
                "restart": Out(1),
                "pulses": In(64),
                "idle": In(1),
                "present": In(1),
            }
        )


class Emulator(wiring.Component):
    """An array of emulated devices: integer arithmetic with counter-based pseudo-random noise.

    SET pulse number n uses word n of the generator, whether its device is stuck or not. The offset
    and the stuck code of a device are a hash of its address. Codes are HRS_CODE after power-up and
    after a RESET of the row, which takes one clock. FORM and unknown operations do nothing.

    A READ of a stuck device always answers its stuck code. A DOT uses the stuck code only after the
    first SET of the device since the last RESET of its row, and HRS_CODE before. (A controller
    programs every device that it drives; the twin's ``dot`` differs in this one point.)

    Speed, while responses are taken: one request per clock. A READ answers ``READ_LATENCY`` clocks
    after it was accepted, a DOT after ``ENTRY_LATENCY + DotUnit.latency`` clocks. A DOT waits for
    earlier RESET, SET and READ operations. A SET waits for a normal (``fast`` makes one per clock).
    SET and READ wait for the properties of their device, unless ``d2d_rel`` and ``stuck_level`` are
    zero; SELECT has these properties hashed ahead. Two requests can wait at the entrance.

    Keys, spreads, gains and tables are quasi-static. After a change, and before the next request,
    one clock of ``restart`` sets the pulse counter and drops everything that was prepared with the
    old values. ``restart`` is allowed only while ``idle`` is high; it does not change the codes.

    Twin: ``ohmcarlo.array.EmulatedArray``.

    Parameters
    ----------
    config : CoreConfig
    fast : bool
        Pipelined generator: a normal per clock. Otherwise it is iterative and smaller.

    Attributes
    ----------
    requests : In(stream of array_request)
        Operations.
    responses : Out(stream of array_response)
        Readings, in the order of the requests.
    key0, key1, d2d_rel, stuck_level, median_gain, sigma_gain, first_pulse : EmulatorRegisters
    load_median, load_sigma, load_state_codes, restart, pulses, idle : EmulatorRegisters
        As in ``EmulatorRegisters``, in the other direction.
    """

    ENTRY_LATENCY = 1
    READ_LATENCY = ENTRY_LATENCY + PulseLaw.LATENCY
    # A READ fetches its row late, so that at most the two pulses before it are not yet in memory
    FETCH_AT = PulseLaw.LATENCY - 3
    SLOTS = 16
    """Answers under way or waiting; more than the latency, so that the rate is not limited."""

    def __init__(self, config: CoreConfig, fast: bool = True) -> None:
        self.config = config
        self.fast = fast
        registers = EmulatorRegisters(config).flip().members.items()
        super().__init__(
            {
                "requests": In(stream.Signature(array_request(config))),
                "responses": Out(stream.Signature(array_response(config))),
                **{name: member for name, member in registers if name != "present"},
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self.config
        m.submodules.generator = generator = Generator(self.fast)
        m.submodules.normals = normals = NormalQueue()
        m.submodules.devices = devices = DeviceCache(config)
        m.submodules.law = law = PulseLaw()
        m.submodules.dot = dot = DotUnit(config)
        m.submodules.answers = answers = CreditFifo(array_response(config), self.SLOTS)
        self._make_noise(m, generator, normals, devices)

        # -- acceptance
        m.submodules.entry = entry = AlternatingRegister(array_request(config))
        wiring.connect(m, wiring.flipped(self.requests), entry.input)
        waiting = entry.output
        request: Any = waiting.payload
        is_reset, is_set = request.op == Op.RESET, request.op == Op.SET
        is_read, is_dot = request.op == Op.READ, request.op == Op.DOT
        busy = Signal()
        can = Signal()
        with m.Switch(request.op):
            with m.Case(Op.SET):
                m.d.comb += can.eq(devices.known & normals.available)
            with m.Case(Op.READ):
                m.d.comb += can.eq(devices.known & answers.room)
            with m.Case(Op.DOT):
                m.d.comb += can.eq(answers.room & ~busy)
            with m.Default():
                m.d.comb += can.eq(1)
        m.d.comb += waiting.ready.eq(can & ~self.restart)
        accept = waiting.valid & waiting.ready
        is_piped = is_set | is_read | is_reset
        m.d.comb += [
            normals.claim.eq(accept & is_set),
            devices.row.eq(request.row),
            devices.device.eq(request.device),
            devices.advance.eq(waiting.ready | ~waiting.valid),
            devices.next_row.eq(entry.following.row),
            devices.next_device.eq(entry.following.device),
            devices.need.eq(waiting.valid & is_piped),
            devices.use.eq(accept & is_piped),
            devices.hint.eq(accept & (request.op == Op.SELECT)),
            dot.start.eq(accept & is_dot),
            dot.inputs.eq(request.inputs),
            dot.top.eq(request.top),
            dot.tile.eq(request.tile),
        ]
        claimed = Signal()
        m.d.sync += [claimed.eq(normals.claim), self.pulses.eq(self.pulses + claimed)]
        with m.If(self.restart):
            m.d.sync += self.pulses.eq(self.first_pulse)

        # -- the pipe of RESET, SET and READ; pipe[k] was accepted k clocks ago
        layout = data.StructLayout(
            {
                "reset": unsigned(1),
                "set": unsigned(1),
                "read": unsigned(1),
                "row": unsigned(config.row_bits),
                "device": unsigned(config.device_bits),
            }
        )
        depth = PulseLaw.LATENCY
        pipe: list[Any] = [Signal(layout, name=f"pipe_{k}") for k in range(depth + 1)]
        m.d.comb += [
            pipe[0].reset.eq(accept & is_reset),
            pipe[0].set.eq(accept & is_set),
            pipe[0].read.eq(accept & is_read),
            pipe[0].row.eq(request.row),
            pipe[0].device.eq(request.device),
        ]
        m.d.sync += [pipe[k + 1].eq(pipe[k]) for k in range(depth)]
        active = [p.reset | p.set | p.read for p in pipe]
        # the last stage is written before a DOT that is accepted now reads its row
        m.d.sync += busy.eq(Cat(active[: depth - 1]).any())

        # -- properties of the device
        bank = Signal()
        m.d.sync += bank.eq(devices.bank)
        m.d.comb += [devices.read_bank.eq(bank), devices.read_device.eq(pipe[1].device)]
        properties: Any = delayed(m, devices.properties, PulseLaw.OFFSET_AT - 2, "properties")
        m.d.comb += law.offset.eq(properties.offset)
        ends = Signal(2)
        m.d.comb += ends.eq(Cat(properties.stuck, properties.high))
        ends = delayed(m, ends, PulseLaw.FORCE_AT - PulseLaw.OFFSET_AT, "ends")
        stuck, stuck_code = ends[0], ends[1].replicate(CODE_BITS)

        # -- the pulse
        wiring.connect(m, wiring.flipped(self.load_median), law.load_median)
        wiring.connect(m, wiring.flipped(self.load_sigma), law.load_sigma)
        m.d.comb += [
            law.dac.eq(request.dac),
            law.median_gain.eq(self.median_gain),
            law.sigma_gain.eq(self.sigma_gain),
            normals.pop.eq(pipe[PulseLaw.NORMAL_AT - 1].set),
            law.normal.eq(normals.normal),
            law.force.eq(pipe[PulseLaw.FORCE_AT].reset | stuck),
            law.forced.eq(Mux(pipe[PulseLaw.FORCE_AT].reset, HRS_CODE, stuck_code)),
        ]

        # -- the codes: a row at once for a DOT, any of its devices for a SET
        row_devices = 2 * config.geometry.pairs
        row_of_codes = data.ArrayLayout(unsigned(CODE_BITS), row_devices)
        m.submodules.codes = codes = Memory(
            shape=row_of_codes,
            depth=config.geometry.rows,
            init=[[HRS_CODE] * row_devices] * config.geometry.rows,
        )
        write = codes.write_port(granularity=1)
        fetch = codes.read_port(transparent_for=[write])
        done = pipe[depth]
        m.d.comb += [
            write.addr.eq(done.row),
            fetch.addr.eq(Mux(pipe[self.FETCH_AT].read, pipe[self.FETCH_AT].row, request.row)),
            dot.codes.eq(fetch.data),
        ]
        for device in range(row_devices):
            m.d.comb += [
                write.data[device].eq(law.code),
                write.en[device].eq(done.reset | (done.set & (done.device == device))),
            ]
        load = self.load_state_codes
        pair_bits = config.device_bits - 1
        with m.If(load.stb):
            m.d.comb += [write.addr.eq(load.addr[pair_bits:]), write.en.eq(0)]
            for device in range(row_devices):
                low = 16 * (device % 2)
                m.d.comb += write.data[device].eq(load.data[low : low + CODE_BITS])
                with m.If(load.addr[:pair_bits] == device // 2):
                    m.d.comb += write.en[device].eq(1)

        # -- code of a READ: from memory, unless one of the two pulses before it changed it
        newest, second = Signal(), Signal()
        m.d.sync += [
            newest.eq(self._changes(pipe[2], pipe[1])),
            second.eq(self._changes(pipe[3], pipe[1])),
        ]
        newest, second = (
            delayed(m, hit, depth - 3, name)
            for hit, name in ((newest, "newest"), (second, "second"))
        )
        earlier = Signal(CODE_BITS)
        m.d.sync += earlier.eq(law.code)
        held = self._picked(m, fetch.data, pipe[self.FETCH_AT + 1], pipe[self.FETCH_AT + 2])
        answer = Signal(CODE_BITS)
        moved = Mux(newest, law.code, Mux(second, earlier, held))
        m.d.sync += answer.eq(Mux(stuck, stuck_code, moved))

        # -- answers: a READ takes longer than a DOT, and a DOT waits for the READs before it
        wiring.connect(m, answers.output, wiring.flipped(self.responses))
        m.d.comb += [
            answers.enter.eq(accept & (is_read | is_dot)),
            answers.arrived.eq(done.read | dot.done),
            answers.payload.value.eq(Mux(done.read, answer, dot.reading)),
        ]
        unanswered = Signal(range(self.SLOTS + 2))
        taken = self.responses.valid & self.responses.ready
        m.d.sync += unanswered.eq(unanswered + answers.enter - taken)
        m.d.comb += self.idle.eq((unanswered == 0) & ~busy & ~active[depth] & ~waiting.valid)
        return m

    def _make_noise(
        self, m: Module, generator: Generator, normals: NormalQueue, devices: DeviceCache
    ) -> None:
        """Device properties have priority; normals use the other clocks."""
        job: Any = devices.ask.payload
        counter: Any = generator.input.payload
        m.d.comb += [
            generator.key0.eq(self.key0),
            generator.key1.eq(self.key1),
            generator.d2d_rel.eq(self.d2d_rel),
            generator.stuck_level.eq(self.stuck_level),
            generator.restart.eq(self.restart),
            normals.restart.eq(self.restart),
            normals.first.eq(self.first_pulse),
            devices.restart.eq(self.restart),
            generator.input.valid.eq(devices.ask.valid | normals.ask.valid),
            devices.ask.ready.eq(generator.input.ready),
            normals.ask.ready.eq(generator.input.ready & ~devices.ask.valid),
        ]
        # settings are stable
        m.d.sync += devices.off.eq((self.d2d_rel == 0) & (self.stuck_level == 0))
        with m.If(devices.ask.valid):
            m.d.comb += [
                counter.counter0.eq((job.row << 16) | job.device),
                counter.device.eq(1),
                counter.tag.eq(job.bank),
            ]
        with m.Else():
            m.d.comb += counter.eq(normals.ask.payload)
        wiring.connect(m, generator.normal, normals.made)
        wiring.connect(m, generator.found, devices.found)

    def _changes(self, before: Any, read: Any) -> Value:
        """Whether the operation ``before`` changes the device that is read."""
        same_row = before.row == read.row
        return same_row & (before.reset | (before.set & (before.device == read.device)))

    def _picked(self, m: Module, row: Any, first: Any, second: Any) -> Value:
        """The device of a fetched row, in two steps: among eight, then among the groups."""
        groups = []
        for low in range(0, len(row), 8):
            group = Signal(CODE_BITS, name=f"group_{low // 8}")
            members = Cat(row[i] for i in range(low, min(low + 8, len(row))))
            m.d.sync += group.eq(members.word_select(first.device[:3], CODE_BITS))
            groups.append(group)
        return Cat(groups).word_select(second.device[3:], CODE_BITS)

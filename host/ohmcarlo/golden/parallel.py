"""The chains of one emulated array in threads, with the trace of chains that take turns.

The chains of an array share the pulses of its generator and the health tests of one coin, so that
a step depends on all steps before it. In a *regular* step the number of pulses is constant: the
coin is ready after a constant number of harvests, because no word is zero and every entropy device
reads back inside the valid window. A *block* is a number of rounds over the chains. In a block,
each chain runs ahead of the others as if all steps were regular. It skips the pulses of the others
and records the symbols of its coin. Afterwards the health tests see the symbols in the order of
the steps.

A chain ends its block before an irregular step, or when its rows are exhausted. If a chain ended
early, or if a health test failed, the array returns to its state before the block. The rounds
before that step are made again, and the chains take turns in the round of the step. Stream, state
and counts are therefore those of chains that take turns, whatever the number of threads.
"""

from __future__ import annotations

from math import gcd
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..array.emulated import Emulator
from ..spec import COIN_BITS, SYMBOL_BITS
from ..threads import share
from .chain import LATE_TESTS, MAKE_STEPS, RUNNING, run_emulated
from .likelihood import no_logits
from .machine import (
    COIN_READY,
    FOLD_SEEN,
    FOLDED,
    ROUND,
    STEPS,
    TURN,
    WORD,
    WORD_BITS,
    ZEROS_BEFORE,
    Ahead,
    Data,
    Machine,
    State,
    Stream,
    build_stream,
    in_turn,
)

LEAST_ROUNDS, FIRST_ROUNDS, MOST_ROUNDS = 4, 1024, 4096  # of a block
LEAST_WORK = 8_000_000  # multiplications of a block: fewer are not worth the threads
WORK_OF_A_PULSE = 100  # in multiplications
MOST_BYTES = 1 << 25  # of the streams of a block
PAUSES = 8  # shortest blocks in turn, after an irregular step in a shortest block
LINE = 64  # bytes of a cache line: two chains do not write to one
OF_THE_COIN = [WORD, WORD_BITS, ZEROS_BEFORE, COIN_READY, FOLDED, FOLD_SEEN, ROUND]
OF_A_REGION = (
    "codes", "multiplicity", "loglik", "prior", "free_head", "free_count", "retired_head",
    "retired_count",
)  # fmt: skip
WITH_GROUPS = ("group", "free", "retired")  # of a region, too; they contain numbers of groups
OF_GROUPS = ("held", "failures", "bad")
OF_A_STEP = ("proposed", "dac", "coin_dac", "coin_codes")
OF_THE_TESTS = ("scalars", "symbol_last", "symbol_run", "symbol_counts")


def harvests_of_a_step(m: Machine) -> int:
    """Harvests of a regular step."""
    symbols = -(-COIN_BITS // SYMBOL_BITS) * m.fold
    return -(-symbols // len(m.coin_devices))


def pulses_of_a_step(m: Machine) -> int:
    """SET pulses of a regular step."""
    return harvests_of_a_step(m) * len(m.coin_devices) + len(m.slot_row)


def symbols_of_a_step(m: Machine) -> int:
    """Raw symbols of the coin in a regular step."""
    return harvests_of_a_step(m) * len(m.coin_devices)


def least_rounds(m: Machine, data: Data) -> int:
    """Rounds of the shortest block that is worth the threads."""
    step = len(data.labels) * (len(m.slot_row) // 2) + WORK_OF_A_PULSE * pulses_of_a_step(m)
    return max(LEAST_ROUNDS, -(-LEAST_WORK // (step * m.regions)))


def _apart(like: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Copies that share no cache line with any other memory."""
    places = np.cumsum([0, *((a.nbytes + LINE - 1) // LINE * LINE for a in like.values())])
    memory = np.zeros(int(places[-1]) + 2 * LINE, np.uint8)
    begin = -memory.ctypes.data % LINE
    made = {}
    for (name, array), place in zip(like.items(), places[:-1], strict=True):
        made[name] = np.ndarray(array.shape, array.dtype, memory, begin + int(place))
        made[name][...] = array
    return made


class Chain:
    """One region as an array of one region, in memory of its own.

    Its row groups are numbered from 0. Codes and wear of its devices are those of the whole array.
    """

    def __init__(self, region: int, m: Machine, state: State, e: Emulator, tests: Ahead) -> None:
        self.region = region
        rows = slice(region * m.rows_per_region, (region + 1) * m.rows_per_region)
        self._first = region * m.region_groups
        self._groups = slice(self._first, self._first + m.region_groups)
        self._pulses = pulses_of_a_step(m)
        tables = ("centre", "trim_offset", "trim_gain")
        own = {n: getattr(m, n)[rows] for n in tables if getattr(m, n).shape[0] > 1}
        self._machine = m._replace(regions=1, **own)
        rounds = tests.symbols.shape[1] // symbols_of_a_step(m)
        stream = build_stream(rounds, len(m.slot_row))
        memory = _apart({
            "counter": e.counter, "counts": e.counts, "words": e.words, "cursor": stream.cursor,
            "taken": np.zeros(1, np.int64),
        })  # fmt: skip
        self.stream = stream._replace(cursor=memory["cursor"])
        self._state = State(**_apart(self._part(state)))
        own = {n: getattr(e, n)[rows] for n in ("codes", "d2d", "stuck", "wear")}
        own |= {n: memory[n] for n in ("counter", "counts", "words")}
        self._emulator = e._replace(**own)
        self._ahead = tests._replace(
            others=(m.regions - 1) * self._pulses, chain=region, taken=memory["taken"]
        )
        self._saved = self._emulator.codes.copy(), self._emulator.wear.copy()

    def _part(self, state: State) -> dict[str, NDArray[Any]]:
        """What ``state`` has of this region, as the state of an array of one region."""
        part = state._asdict()
        here = slice(self.region, self.region + 1)
        part |= {n: part[n][here] for n in OF_A_REGION}
        part |= {n: part[n][here] - np.int32(self._first) for n in WITH_GROUPS}
        return part | {n: part[n][self._groups] for n in OF_GROUPS}

    @property
    def made(self) -> int:
        """Steps in the present block."""
        return int(self.stream.cursor[0])

    def begin(self, state: State, counter: int) -> None:
        """Begin a block in this state of the array, in which SET pulse ``counter`` is the next."""
        for name, value in self._part(state).items():
            getattr(self._state, name)[...] = value
        self._state.scalars[TURN] = 0
        e = self._emulator
        e.counter[0] = counter + self.region * self._pulses
        e.counts[:] = 0
        self.stream.cursor[:] = 0
        self._ahead.taken[0] = 0
        for saved, now in zip(self._saved, (e.codes, e.wear), strict=True):
            saved[...] = now

    def advance(self, data: Data, steps: int) -> bool:
        """Make steps ahead; whether all of them are regular."""
        m = self._machine
        memories = data, self._state, self._emulator, self.stream
        status = run_emulated(m, *memories, MAKE_STEPS, steps, no_logits(m), self._ahead)
        return int(status) == RUNNING

    def restore(self) -> None:
        """The devices as they were when the block began."""
        for saved, now in zip(
            self._saved, (self._emulator.codes, self._emulator.wear), strict=True
        ):
            now[...] = saved

    def hand_over(self, state: State, counts: NDArray[np.int64], last: bool) -> None:
        """Write the end of the block into the state of the whole array; ``last``: of the chains
        in a round."""
        own = self._state
        for name in OF_A_REGION:
            getattr(state, name)[self.region] = getattr(own, name)[0]
        for name in WITH_GROUPS:
            getattr(state, name)[self.region] = getattr(own, name)[0] + self._first
        for name in OF_GROUPS:
            getattr(state, name)[self._groups] = getattr(own, name)
        counts += self._emulator.counts
        if last:
            for name in OF_A_STEP:
                getattr(state, name)[...] = getattr(own, name)
            state.scalars[OF_THE_COIN] = own.scalars[OF_THE_COIN]


class Race:
    """The steps of a block, in pieces that several threads take."""

    def __init__(self, chains: list[Chain], data: Data, rounds: int, threads: int) -> None:
        self.rounds = rounds  # that every chain can make, as far as is known
        self._idle = list(chains)
        self._data = data
        self._threads = min(threads, len(chains))
        # pieces of a chain, so that equal threads end at the same time
        pieces = max(2, self._threads // gcd(self._threads, len(chains)))
        self._piece = -(-rounds // pieces)
        self._lock = Lock()

    def run(self) -> None:
        """Make the steps."""
        share(self._take_pieces, self._threads)

    def _take_pieces(self) -> None:
        """Take pieces until none is left for this thread."""
        chain = self._next()
        while chain is not None:
            regular = chain.advance(self._data, min(self._piece, self.rounds - chain.made))
            chain = self._next(chain, regular)

    def _next(self, done: Chain | None = None, regular: bool = True) -> Chain | None:
        """The idle chain with the fewest steps, or None if there is none with steps to make.

        Then every chain with steps to make is in the hands of another thread.
        """
        with self._lock:
            if done is not None:
                self._idle.insert(0, done)
                if not regular:
                    self.rounds = min(self.rounds, done.made)
            chain = min(self._idle, key=lambda idle: idle.made, default=None)
            if chain is None or chain.made >= self.rounds:
                return None
            self._idle.remove(chain)
            return chain


class Parallel:
    """The chains of an emulated array in threads.

    Parameters
    ----------
    m, data, state, e
        Those of ``run_emulated``, with two regions or more. ``run`` changes state and array.
    """

    def __init__(self, m: Machine, data: Data, state: State, e: Emulator) -> None:
        self._of = m, data, state, e
        each = symbols_of_a_step(m)
        step_bytes = sum(a[0].nbytes for a in build_stream(1, len(m.slot_row))[1:]) + each
        self._most = max(1, min(MOST_ROUNDS, MOST_BYTES // (m.regions * step_bytes)))
        self._least = least_rounds(m, data)
        self._rounds = FIRST_ROUNDS
        symbols = np.zeros((m.regions, self._most * each), np.uint8)
        self._tests = in_turn()._replace(harvests=harvests_of_a_step(m), symbols=symbols)
        self._chains = [Chain(r, m, state, e, self._tests) for r in range(m.regions)]

    def is_of(self, m: Machine, data: Data, state: State, e: Emulator) -> bool:
        """Whether it was made from these objects."""
        return all(a is b for a, b in zip(self._of, (m, data, state, e), strict=True))

    def run(self, out: Stream, steps: int, threads: int) -> int:
        """``steps`` steps, counted over all chains, in up to ``threads`` threads; the status."""
        m, _, state, _ = self._of
        end = int(out.cursor[0]) + steps
        status = self._in_turn(out, min(steps, -int(state.scalars[TURN]) % m.regions))
        while status == RUNNING and (left := (end - int(out.cursor[0])) // m.regions):
            if left < self._least:
                break
            rounds = min(self._rounds, self._most, left)
            made = self._block(out, rounds, threads)
            if made == rounds:
                self._rounds = min(2 * self._rounds, MOST_ROUNDS)
                continue
            pause = 1 if rounds > self._least else PAUSES * self._least
            status = self._in_turn(out, min(left - made, pause) * m.regions)
            self._rounds = max(rounds // 2, self._least)
        return self._in_turn(out, end - int(out.cursor[0])) if status == RUNNING else status

    def _in_turn(self, out: Stream, steps: int) -> int:
        if not steps:
            return RUNNING
        m, data, state, e = self._of
        memories = data, state, e, out
        return int(run_emulated(m, *memories, MAKE_STEPS, steps, no_logits(m), in_turn()))

    def _block(self, out: Stream, rounds: int, threads: int) -> int:
        """Make up to ``rounds`` rounds, all of regular steps; returns the number of rounds."""
        self._begin()
        try:
            made, tested = self._ahead(rounds, threads)
            while made < rounds:
                self._restore()
                self._begin()
                rounds = made
                made, tested = self._ahead(rounds, threads)
        except BaseException:
            self._restore()
            raise
        self._merge(out, made)
        self._hand_over(tested, made)
        return made

    def _begin(self) -> None:
        _, _, state, e = self._of
        for chain in self._chains:
            chain.begin(state, int(e.counter[0]))

    def _restore(self) -> None:
        for chain in self._chains:
            chain.restore()

    def _ahead(self, rounds: int, threads: int) -> tuple[int, State]:
        """Let the chains run ahead; the rounds that are as in turns, and the state of the tests."""
        race = Race(self._chains, self._of[1], rounds, threads)
        race.run()
        return self._test(race.rounds)

    def _test(self, rounds: int) -> tuple[int, State]:
        """The health tests of the block; the rounds before an alarm, and the state of the tests."""
        m, data, state, e = self._of
        names = (*OF_THE_TESTS, "coin_codes")
        tested = state._replace(**{name: getattr(state, name).copy() for name in names})
        memories = data, tested, e, self._chains[0].stream
        made = run_emulated(m, *memories, LATE_TESTS, rounds, no_logits(m), self._tests)
        return int(made), tested

    def _merge(self, out: Stream, rounds: int) -> None:
        """Append the steps of the block to the stream, in the order of the rounds."""
        chains = len(self._chains)
        first, sample = (int(v) for v in out.cursor)
        steps = slice(first, first + rounds * chains)
        for name in ("accepted", "valid", "log_posterior", "points", "chain"):
            places = getattr(out, name)[steps].reshape(rounds, chains)
            for chain in self._chains:
                own = chain.region if name == "chain" else getattr(chain.stream, name)[:rounds]
                places[:, chain.region] = own
        accepted = out.accepted[steps]
        numbers = (sample - 1 + np.cumsum(accepted)).reshape(rounds, chains)
        accepted = accepted.reshape(rounds, chains)
        for chain in self._chains:
            r, n = chain.region, int(chain.stream.cursor[1])
            places = numbers[accepted[:, r], r]
            for name in ("codes", "multiplicity", "sample_log_posterior"):
                getattr(out, name)[places] = getattr(chain.stream, name)[:n]
            out.sample_chain[places] = r
        out.cursor[:] = steps.stop, sample + int(accepted.sum())

    def _hand_over(self, tested: State, rounds: int) -> None:
        """Write the end of the block into the state."""
        m, _, state, e = self._of
        for name in OF_THE_TESTS:
            getattr(state, name)[...] = getattr(tested, name)
        if not rounds:  # the chains made no step that could be handed over
            return
        state.scalars[STEPS] += rounds * m.regions
        for chain in self._chains:
            chain.hand_over(state, e.counts, chain is self._chains[-1])
        e.counter[0] += rounds * m.regions * pulses_of_a_step(m)

"""What a live view costs the sampler.

    python tests/bench/bench_watch.py [--pairs 7] [--steps 100000]

Each pair is one run with nobody looking, and the same run with the server of the live view and a
client that receives all its events. The order alternates. Both write their chunks and notes. The
server has a low priority. A ratio is that of the times of one pair; above 1, the watched run
was slower. On a computer that is busy with other work, the time of the processor is the better
measure.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from contextlib import closing, nullcontext
from pathlib import Path
from statistics import median, quantiles

from ohmcarlo.progress import Silence
from ohmcarlo.runs.chain_run import ChainRun
from ohmcarlo.runs.config import TrainConfig
from ohmcarlo.runs.folder import RunFolder
from ohmcarlo.runs.kinds import SUPERVISED
from ohmcarlo.runs.live_notes import ChainNote, NotedProgress
from ohmcarlo.runs.outputs import Outputs
from ohmcarlo.runs.setup import ChainSetup
from ohmcarlo.runs.summary import request_of
from ohmcarlo.watch.beside import Beside

CLIENT = "import sys, urllib.request as u\nfor line in u.urlopen(sys.argv[1] + 'events'): pass"


def sampled(steps: int, path: Path) -> tuple[float, float]:
    """Seconds of the sampler, by the clock and of the processor."""
    config = TrainConfig("breast-cancer", chains=4, steps=steps, whiten=True)
    with closing(SUPERVISED.build(config, lambda text: None)) as experiment:

        def note(setup: ChainSetup) -> None:
            length = {"chains": setup.config.chains, "steps": setup.config.steps}
            ChainNote(request_of(setup) | length, experiment.weight_map(setup)).write(path)

        with RunFolder.create(path, experiment.manifest()) as folder:
            notes = NotedProgress(path, Silence())
            seconds = Outputs().checkpoint_seconds
            run = ChainRun(experiment.setup, folder, seconds, notes, note)
            run.run()
    return run.seconds, run.cpu_seconds


def measure(steps: int, watched: bool) -> tuple[float, float]:
    """``sampled`` in a new folder, with or without a live view."""
    with tempfile.TemporaryDirectory() as base:
        path = Path(base) / "run"
        with closing(Beside(path, None, False)) if watched else nullcontext() as view:
            if view is None:
                return sampled(steps, path)
            client = subprocess.Popen([sys.executable, "-c", CLIENT, view.address])
            try:
                return sampled(steps, path)
            finally:
                client.kill()
                client.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--steps", type=int, default=100_000)
    arguments = parser.parse_args()
    measure(1000, False)  # compile
    ratios = []
    for number in range(arguments.pairs):
        times = {}
        for watched in (False, True) if number % 2 else (True, False):
            times[watched] = measure(arguments.steps, watched)
        ratios.append([b / a for a, b in zip(times[False], times[True], strict=True)])
        print(
            f"  pair {number + 1}: {times[False][0]:.2f} s alone, {times[True][0]:.2f} s watched "
            f"(processor {times[False][1]:.2f} s, {times[True][1]:.2f} s)",
            flush=True,
        )
    print(f"live view, runs of 4 x {arguments.steps:,} steps: watched / alone")
    for name, found in zip(("clock", "processor"), zip(*ratios, strict=True), strict=True):
        low, _, high = quantiles(found, n=4)
        print(f"  {name:10s} median {median(found):.3f}, quartiles {low:.3f} to {high:.3f}")


if __name__ == "__main__":
    main()

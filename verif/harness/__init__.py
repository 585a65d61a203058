"""The harness of all benches: build and run a component, drive and monitor its streams."""

from ohmcarlo.spec import segment_words

from .bench import BenchFailure, Case, bench_outcomes, run_bench
from .cases import case_parameters
from .model import building
from .packing import Packer
from .seeds import array_stimuli, seed_of, stimuli
from .streams import Clocked, Sink, Source, load_window, start_clock, unload_window

__all__ = [
    "BenchFailure",
    "Case",
    "Clocked",
    "Packer",
    "Sink",
    "Source",
    "array_stimuli",
    "bench_outcomes",
    "building",
    "case_parameters",
    "load_window",
    "run_bench",
    "seed_of",
    "segment_words",
    "start_clock",
    "stimuli",
    "unload_window",
]

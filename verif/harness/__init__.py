"""What every bench stands on: build and run a component, drive and watch its streams."""

from ohmcarlo.spec import segment_words

from .build import Case, building, case_parameters, run_bench
from .packing import Packer
from .streams import Clocked, Sink, Source, load_window, start_clock

__all__ = [
    "Case",
    "Clocked",
    "Packer",
    "Sink",
    "Source",
    "building",
    "case_parameters",
    "load_window",
    "run_bench",
    "segment_words",
    "start_clock",
]

"""The controller's bit-exact reference: integers only, over any array."""

from .cartpole import EpisodeLikelihood
from .chain import ENTROPY_ALARM, EXHAUSTED, RUNNING
from .controller import Controller, EntropyAlarm, predict, terms
from .machine import Machine, Stream, build_machine
from .registers import KERNELS, Calibration, Registers, SamplerSettings

__all__ = [
    "ENTROPY_ALARM",
    "EXHAUSTED",
    "KERNELS",
    "RUNNING",
    "Calibration",
    "Controller",
    "EntropyAlarm",
    "EpisodeLikelihood",
    "Machine",
    "Registers",
    "SamplerSettings",
    "Stream",
    "build_machine",
    "predict",
    "terms",
]

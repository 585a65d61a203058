"""The controller's bit-exact reference: integers only, over any array."""

from .cartpole import EpisodeLikelihood
from .chain import ENTROPY_ALARM, EXHAUSTED, RUNNING
from .controller import Controller, EntropyAlarm, log_posteriors, logits, predict, terms
from .machine import Machine, Stream, build_machine
from .registers import KERNELS, PUBLISHED, Calibration, Registers, SamplerSettings
from .state_checks import check_order, check_state
from .sums import require_summable
from .triage import MAX_THRESHOLD, Thresholds, Triage, joined, judge, moments, triage_of

__all__ = [
    "ENTROPY_ALARM",
    "EXHAUSTED",
    "KERNELS",
    "MAX_THRESHOLD",
    "PUBLISHED",
    "RUNNING",
    "Calibration",
    "Controller",
    "EntropyAlarm",
    "EpisodeLikelihood",
    "Machine",
    "Registers",
    "SamplerSettings",
    "Stream",
    "Thresholds",
    "Triage",
    "build_machine",
    "check_order",
    "check_state",
    "joined",
    "judge",
    "log_posteriors",
    "logits",
    "moments",
    "predict",
    "require_summable",
    "terms",
    "triage_of",
]

"""scikit-learn estimators whose weights are samples in a resistive-memory array."""

from ..runs.advice import as_parameters as as_parameters
from .active import most_informative as most_informative
from .base import UnsettledWarning as UnsettledWarning
from .classifier import MemristorClassifier as MemristorClassifier
from .regressor import MemristorRegressor as MemristorRegressor
from .weights import ResampledWeightsWarning as ResampledWeightsWarning

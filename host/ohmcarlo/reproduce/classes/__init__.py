"""More than two classes: two likelihoods in the array, against scikit-learn."""

from .figure import make as make

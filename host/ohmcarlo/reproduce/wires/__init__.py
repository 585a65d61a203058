"""Line resistance: what the size of an array costs the posterior, and what corrects it."""

from .figure import make as make

"""The ground floor: geometry, number formats, tables and frame constants, each defined once."""

from .formats import *  # noqa: F403
from .geometry import *  # noqa: F403
from .points import Points as Points
from .tables import *  # noqa: F403

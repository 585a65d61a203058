"""Mutants of a block, made from its source, for which a proof has to fail."""

from __future__ import annotations

import inspect
import sys
import types
from typing import Any


def mutant(module: types.ModuleType, replacements: dict[str, str]) -> types.ModuleType:
    """A copy of ``module`` with every ``old: new`` of ``replacements`` applied to its source.

    Raises ValueError unless each ``old`` occurs exactly once; otherwise the mutant must be adapted.
    """
    source = inspect.getsource(module)
    for old, new in replacements.items():
        if source.count(old) != 1:
            raise ValueError(f"{old!r} is {source.count(old)} times in {module.__name__}, not once")
        source = source.replace(old, new)
    broken = types.ModuleType(f"{module.__name__}_mutant")
    broken.__package__ = module.__package__
    sys.modules[broken.__name__] = broken  # annotations are resolved there
    namespace: dict[str, Any] = broken.__dict__
    exec(compile(source, f"<mutant of {module.__name__}>", "exec"), namespace)
    return broken

"""Mutants of a module: copies of it with changes of its source."""

from __future__ import annotations

import inspect
import sys
import types
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

ROOMS = ("ohmcarlo_hdl", "verif")
"""Packages in which ``planted`` puts a mutant in the place of the original."""


def mutant(
    module: types.ModuleType, replacements: Mapping[str, str], **names: Any
) -> types.ModuleType:
    """A copy of ``module`` with every ``old: new`` of ``replacements`` applied to its source.

    ``names`` are further global names of the copy. Raises ValueError unless each ``old`` occurs
    exactly once; otherwise the mutant must be adapted.
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
    namespace |= names
    exec(compile(source, f"<mutant of {module.__name__}>", "exec"), namespace)
    return broken


@contextmanager
def planted(broken: types.ModuleType, module: types.ModuleType) -> Iterator[None]:
    """The classes of ``broken`` in the place of those of ``module``, wherever they are imported.

    A component that is made and elaborated inside has the changes of the mutant.
    """
    replaced = {
        id(old): vars(broken)[name]
        for name, old in vars(module).items()
        if isinstance(old, type) and old.__module__ == module.__name__
    }
    rooms = [m for n, m in sys.modules.items() if n.split(".")[0] in ROOMS and m is not broken]
    places = [
        (room, name, value)
        for room in rooms
        for name, value in vars(room).items()
        if id(value) in replaced
    ]
    for room, name, value in places:
        setattr(room, name, replaced[id(value)])
    try:
        yield
    finally:
        for room, name, value in places:
            setattr(room, name, value)

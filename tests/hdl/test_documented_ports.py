"""Ports of the hardware are documented where they are declared: direction, width, meaning.

The section ``Attributes`` of a component, or of the signature that it has, names every port once:

    start : In(1)
        Begin a decision.

A width is an expression of the module's constants, of the configuration and of the component's own
attributes. It is evaluated and compared with the port. Interfaces are named, not evaluated. A line
``names : SomePorts`` refers to the documentation of that signature.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import sys
from dataclasses import replace
from typing import Any

import pytest
from amaranth import Fragment, Module, Shape, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

import ohmcarlo_hdl
from ohmcarlo.spec import Geometry
from ohmcarlo_hdl.array.phy.parts import PhyConfig
from ohmcarlo_hdl.boards.pll import Pll
from ohmcarlo_hdl.boards.top import BoardTop, Loopback
from ohmcarlo_hdl.buses.apb4 import Apb4Bridge
from ohmcarlo_hdl.buses.axi4_lite import Axi4LiteBridge
from ohmcarlo_hdl.buses.wishbone import WishboneBridge
from ohmcarlo_hdl.config import COMPACT, BitSerialConfig, CoreConfig
from ohmcarlo_hdl.core.core import EmulatedCore
from ohmcarlo_hdl.core.phy_core import PhyCore
from ohmcarlo_hdl.ip.core import IpCore
from ohmcarlo_hdl.regs.map import register_map
from ohmcarlo_hdl.soc.bit_serial import BitSerialBoard
from ohmcarlo_hdl.soc.simulated import SimulatedBoard, SimulatedSmallBoard
from ohmcarlo_hdl.soc.soc import Soc

pytestmark = [pytest.mark.hdl, pytest.mark.slow]  # elaborates whole designs

pytestmark = pytest.mark.hdl

HEADER = re.compile(
    r"(?P<names>[\w*]+(?:, \w+)*) : (?:(?P<flow>In|Out)\((?P<shape>.+)\)|(?P<ref>\w+))"
)


PLATFORM_ONLY = (BoardTop,)
"""Components that need the platform of a board, and have no ports."""


def modules() -> list[Any]:
    found = pkgutil.walk_packages(ohmcarlo_hdl.__path__, "ohmcarlo_hdl.")
    return [importlib.import_module(module.name) for module in found]


def classes(base: type) -> set[type]:
    """Subclasses of ``base`` that ``ohmcarlo_hdl`` defines."""
    return {
        made
        for module in modules()
        for made in vars(module).values()
        if isinstance(made, type) and issubclass(made, base) and made.__module__ == module.__name__
    }


Made = dict[type, list[tuple[Any, dict[str, Any]]]]
"""Class → what was made of it, each with the variables of its constructor."""


def recorder(original: Any, found: Made) -> Any:
    """Return a constructor that keeps what it makes in ``found``."""

    def record(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        if type(self).__module__.startswith("ohmcarlo_hdl."):
            variables = sys._getframe(1).f_locals
            found.setdefault(type(self), []).append((self, dict(variables)))

    return record


@pytest.fixture(scope="module")
def made() -> Made:
    """Every component and every signature of some designs, as the designs made them."""
    found: Made = {}
    board: dict[str, Any] = {
        "clock_hz": 40_000_000, "uart_divisor": 40, "simulated": True, "design_hash": 0
    }  # fmt: skip
    whole = CoreConfig(Geometry(rows=16, pairs=8, entropy_pairs=1), max_points=16, max_regions=2)
    phy = replace(COMPACT, digital_dots=True, repeats=True, phy=PhyConfig(50_000_000))
    register_map.cache_clear()
    with pytest.MonkeyPatch.context() as patch:
        for base in (wiring.Component, wiring.Signature):
            patch.setattr(base, "__init__", recorder(base.__init__, found))
        patch.setattr(IpCore, "controller", lambda self: EmulatedCore(self.config, fast=False))
        for top in (
            SimulatedBoard(Soc(whole, b"", **board)),
            Soc(phy, b"", **board),
            IpCore(replace(COMPACT, max_streamed_points=512)),
            PhyCore(replace(phy, max_streamed_points=512)),
            SimulatedSmallBoard(BitSerialBoard(BitSerialConfig(), 12_000_000, 1_000_000)),
            Loopback(),
            Axi4LiteBridge(10),
            Apb4Bridge(10),
            WishboneBridge(10),
        ):
            Fragment.get(top, None)
        for pll in classes(Pll):
            pll(None, None, 0)
    return found


def documented(text: str | None) -> dict[str, tuple[str, str, str]]:
    """Port → (direction, width, signature that documents it) from a section ``Attributes``.

    Raises ValueError for a line that is not a header, a port named twice, or one without meaning.
    """
    section = inspect.cleandoc(text or "").partition("\nAttributes\n----------\n")[2]
    ports: dict[str, tuple[str, str, str]] = {}
    waiting: list[str] = []
    for line in section.splitlines():
        if not line or line.startswith(" "):
            waiting = [] if line else waiting
            continue
        header = HEADER.fullmatch(line)
        if header is None:
            raise ValueError(f"no header of a port: {line!r}")
        names = header["names"].split(", ")
        for name in names:
            if name in ports:
                raise ValueError(f"{name} is documented twice")
            ports[name] = (header["flow"] or "", header["shape"] or "", header["ref"] or "")
        waiting += names
    if waiting:
        raise ValueError(f"{', '.join(waiting)}: no meaning")
    return ports


def text_of(made: type) -> str:
    """The documentation of the ports that ``made`` has or inherits."""
    texts = (base.__dict__.get("__doc__") or "" for base in made.__mro__)
    return next((text for text in texts if "Attributes\n" in text), "")


def names_of(cls: type, instance: Any, variables: dict[str, Any]) -> dict[str, Any]:
    """Names that a width may contain."""
    config = getattr(instance, "config", variables.get("config"))
    names: dict[str, Any] = {"signed": signed, "range": range, "data": data}
    for source in (getattr(config, "geometry", None), config):
        names |= {
            name: getattr(source, name)
            for name in dir(source)
            if not name.startswith("_") and isinstance(getattr(source, name), int)
        }
    return names | variables | vars(instance) | vars(sys.modules[cls.__module__])


def wrong_ports(cls: type, made: list[tuple[Any, dict[str, Any]]]) -> list[str]:
    """Ports of ``cls`` that its documentation lacks or describes wrongly."""
    try:
        ports = documented(text_of(cls))
    except ValueError as error:
        return [f"{cls.__qualname__}: {error}"]
    wrong, seen = [], {"*"}
    for instance, variables in made:
        signature = instance if isinstance(instance, wiring.Signature) else instance.signature
        for name, member in signature.members.items():
            seen.add(name)
            where = f"{cls.__qualname__}.{name}"
            flow, shape, reference = ports.get(name, ports.get("*", ("", "", "")))
            if reference:  # to a signature, or to the register map
                continue
            if not flow:
                wrong.append(f"{where} is not documented")
            elif member.flow.name != flow:
                wrong.append(f"{where} is not {flow}")
            elif member.is_port:
                try:
                    width = Shape.cast(eval(shape, names_of(cls, instance, variables)))
                except (NameError, TypeError) as error:
                    wrong.append(f"{where}: {error}")
                    continue
                if width != Shape.cast(member.shape):
                    wrong.append(f"{where} is {Shape.cast(member.shape)}, not {shape}")
    return wrong + [f"{cls.__qualname__} has no {name}" for name in ports.keys() - seen]


def test_every_class_was_made(made: Made) -> None:
    """The designs contain every component and every signature, so that the next test covers all."""
    expected = classes(wiring.Component) | classes(wiring.Signature)
    assert expected - made.keys() - set(PLATFORM_ONLY) == set()


def test_every_port_is_documented(made: Made) -> None:
    assert [fault for cls, all_made in made.items() for fault in wrong_ports(cls, all_made)] == []


class Planted(wiring.Component):
    """A component with documentation that tests replace.

    Attributes
    ----------
    first, second : In(1)
        Two ports.
    sum : Out(2)
        Their sum.
    """

    def __init__(self) -> None:
        super().__init__({"first": In(1), "second": In(1), "sum": Out(2)})

    def elaborate(self, platform: Any) -> Module:
        return Module()


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("first, second", "first", "second is not documented"),
        ("sum : Out(2)", "sum : Out(3)", r"sum is unsigned\(2\), not 3"),
        ("sum : Out(2)", "sum : In(2)", "sum is not In"),
        ("sum : Out(2)", "sum, carry : Out(2)", "has no carry"),
        ("sum : Out(2)", "sum, first : Out(2)", "first is documented twice"),
        ("sum : Out(2)", "sum : 2 bits", "no header of a port"),
        ("        Their sum.\n", "", "sum: no meaning"),
        ("", "", ""),
    ],
)
def test_a_planted_omission_is_found(
    monkeypatch: pytest.MonkeyPatch, old: str, new: str, fault: str
) -> None:
    text = Planted.__doc__ or ""
    monkeypatch.setattr(Planted, "__doc__", text.replace(old, new) if old else text)
    found = wrong_ports(Planted, [(Planted(), {})])
    assert len(found) == bool(fault)
    assert not fault or re.search(fault, found[0])

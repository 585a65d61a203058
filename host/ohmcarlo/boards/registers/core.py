"""Registers of a core by name, and the checks that it is one of this version."""

from __future__ import annotations

from collections.abc import Mapping

from ...errors import OhmcarloError
from ...spec.link import CONTROLLER_MAGIC, IDENTIFICATION
from ...spec.register_map import Field, RegisterMap, Sizes, features_of, magic_of
from .access import RegisterAccess

STATE = "status.state"
CONSTANTS = IDENTIFICATION[IDENTIFICATION.index("magic") :]
"""The group ``id`` of the controller; its map hash is called ``id_map_hash``."""
ANY_MAP = RegisterMap.of(Sizes(16, 8, 2, 16, 1, 1, False, phy=True, streamed=True))
"""The registers of all controllers are at the same addresses."""


class Core:
    """Registers of the core behind ``access``, which is called ``place`` in messages.

    Raises OhmcarloError in one line unless a core of this version answers there.

    Attributes
    ----------
    constants : dict of str to int
        ``CONSTANTS``, and ``max_streamed_points``: 0 if there is no stream of points.
    map : RegisterMap
    """

    def __init__(self, access: RegisterAccess, place: str) -> None:
        self.access, self.place = access, place
        self.constants = self._constants()
        self.map = RegisterMap.of(self._sizes())
        access.reach(self.map.span())
        name = "id.max_streamed_points.value"
        self.constants["max_streamed_points"] = self.get(name) if name in self.map.fields else 0
        self._require_this_version()
        self._state = [
            (name.removeprefix(f"{STATE}."), field)
            for name, field in self.map.fields.items()
            if name.startswith(f"{STATE}.")
        ]

    # -- identification ------------------------------------------------------------------------

    def _constants(self) -> dict[str, int]:
        places = [ANY_MAP.registers[f"id.{n.removeprefix('id_')}"] for n in CONSTANTS]
        magic = self.access.read(places[0])
        if magic != CONTROLLER_MAGIC:
            raise OhmcarloError(
                f"{self.place} holds no ohmcarlo controller (magic {magic:#010x} instead of "
                f"{CONTROLLER_MAGIC:#010x}): check the address and the loaded bitstream"
            )
        return dict(zip(CONSTANTS, map(self.access.read, places), strict=True))

    def _sizes(self) -> Sizes:
        found = self.constants
        features = features_of(found["features"])
        try:
            sizes = Sizes(
                rows=found["rows"],
                pairs=found["pairs"],
                entropy_pairs=found["entropy_pairs"],
                max_points=found["max_points"],
                max_group_rows=found["max_group_rows"],
                max_regions=found["max_regions"],
                device_calibration=features["device_calibration"],
                phy=features["phy"],
                streamed=features["streamed"],
            )
            RegisterMap.of(sizes)
        except (ValueError, OhmcarloError) as error:
            raise OhmcarloError(
                f"the controller at {self.place} reports impossible sizes ({error}): check "
                "its clock, its reset and the bus"
            ) from error
        return sizes

    def _require_this_version(self) -> None:
        there, wanted = self.constants["id_map_hash"], self.map.hash
        if wanted not in (None, there):
            raise OhmcarloError(
                f"the controller at {self.place} has register map {there:08x}, this version of "
                f"ohmcarlo has {wanted:08x} for its sizes: use a bitstream of this version"
            )
        magic, core = self.get("ip.magic.value"), magic_of("ip.magic")
        if magic != core:
            raise OhmcarloError(
                f"the controller at {self.place} has no registers of an IP core (magic "
                f"{magic:#010x} instead of {core:#010x}): use the core of `ohmcarlo export`"
            )

    # -- registers -----------------------------------------------------------------------------

    def field(self, name: str) -> Field | None:
        return self.map.fields.get(name)

    def get(self, name: str) -> int:
        field = self.map.fields[name]
        return self.access.read(field.address) >> field.low & field.mask

    def set(self, fields: Mapping[str, int]) -> None:
        """Write fields, in order; those of one register that follow each other at once."""
        address, word = -1, 0
        for name, value in fields.items():
            field = self.map.fields[name]
            if field.address != address:
                if address >= 0:
                    self.access.write(address, word)
                address = field.address
                word = self.access.read(address) if field.readable else 0
            word = word & ~(field.mask << field.low) | value << field.low
        if address >= 0:
            self.access.write(address, word)

    def put(self, register: str, **fields: int) -> None:
        """Write a register; fields that are not given become 0."""
        word = 0
        for name, value in fields.items():
            word |= value << self.map.fields[f"{register}.{name}"].low
        self.access.write(self.map.registers[register], word)

    def command(self, strobe: str) -> None:
        """Write a bit of ``control.command``."""
        field = self.map.fields[f"control.command.{strobe}"]
        self.access.write(field.address, 1 << field.low)

    def counter(self, name: str) -> int:
        """A 64-bit counter."""
        low = self.get(f"{name}.lo.value")
        return self.get(f"{name}.hi.value") << 32 | low

    def state(self) -> dict[str, int]:
        """The fields of ``status.state``, of one read. Raises OhmcarloError after a bus error."""
        word = self.access.read(self.map.registers[STATE])
        state = {name: word >> field.low & field.mask for name, field in self._state}
        if state["bus_error"]:
            self.command("clear_fault")
            raise OhmcarloError(
                f"an access to the controller at {self.place} found no register: another program "
                "uses it, or the bitstream is of another version"
            )
        return state

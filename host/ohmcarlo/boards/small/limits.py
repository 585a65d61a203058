"""What a board without a processor cannot do, by name, before anything is sent to it."""

from __future__ import annotations

from collections.abc import Mapping

from ... import __version__
from ...array.emulated import EmulatedArray
from ...array.read_noise import CODES
from ...errors import OhmcarloError, UsageError
from ...golden import Registers
from ...spec import Points
from ..memory.identity import hardware_version, require_array, require_room
from ..memory.image import emulator_image
from ..memory.layout import Layout

WHAT = "a board without a processor"
PLAIN = {
    "emulator.d2d_rel.value": "devices that differ",
    "emulator.stuck_level.value": "stuck devices",
    "emulator.median_gain.value": "aged devices",
    "emulator.sigma_gain.value": "aged devices",
}
"""Settings of an emulated array that must be those of equal, fresh devices."""


def check_request(
    *,
    chains: int = 1,
    hidden: int | None = None,
    wide_every: int | None = None,
    repeats: int = 1,
    dot_products: str | None = None,
    access_bits: int = 1,
) -> None:
    """Raise UsageError for a run that no such board can make; None stands for a default."""
    for wrong, remedy in (
        (chains != 1, f"has one chain, not {chains}: use --chains 1"),
        (bool(hidden), f"has no hidden units, not {hidden}: use --hidden 0"),
        (bool(wide_every), f"has no wide steps: use --wide-every 0, not {wide_every}"),
        (repeats != 1, f"reads once, not {repeats} times: use --repeats 1"),
        (dot_products == CODES, "has no digital dot products: use --dot-products array"),
        (access_bits != 1, f"applies one bit of an input, not {access_bits}: use --access-bits 1"),
    ):
        if wrong:
            raise UsageError(f"{WHAT} {remedy}, or another backend")


def require_no_episodes() -> None:
    """Raise UsageError, for a task that learns a policy."""
    raise UsageError(
        f"{WHAT} cannot learn a policy from episodes: use another task, or another backend"
    )


def require_single_operations() -> None:
    """Raise UsageError, for a measurement of single devices."""
    raise UsageError(
        f"{WHAT} has no single operations of its devices, which are emulated: characterize another "
        "backend, or --backend model"
    )


def require_controller(found: Mapping[str, int], expected_hash: int | None, place: str) -> None:
    """Raise OhmcarloError with both values unless the controller belongs to this version.

    ``expected_hash``: of the register map of its sizes in this version.
    """
    version = hardware_version(found)
    if version != __version__:
        raise OhmcarloError(
            f"the controller of the board at {place} has version {version}, this is ohmcarlo "
            f"{__version__}: use the bitstream of {__version__}, or ohmcarlo {version}"
        )
    if expected_hash is not None and found["map_hash"] != expected_hash:
        raise OhmcarloError(
            f"the board at {place} has register map {found['map_hash']:08x}, this program has "
            f"{expected_hash:08x}: load the bitstream that belongs to it (`ohmcarlo build`)"
        )


def require_fit(
    registers: Registers, points: Points, array: EmulatedArray, layout: Layout, place: str
) -> None:
    """Raise UsageError with both values unless array, model and points fit the board."""
    g = registers.geometry
    check_request(
        chains=g.regions,
        hidden=registers.hidden,
        wide_every=registers.wide_every,
        repeats=1 << registers.log_repeats,
        dot_products=CODES if registers.digital else None,
        access_bits=g.access_bits,
    )
    require_array(g, layout, place)
    require_plain(array)
    if registers.fold != 1:
        raise UsageError(
            f"{WHAT} cannot combine {registers.fold} raw bits into one: use an array whose devices "
            "spread more"
        )
    c = registers.calibration
    if any(table is not None for table in (c.trim_offset, c.trim_gain, c.centre, c.bad_rows)):
        raise UsageError(f"{WHAT} has no trim for each device and no bad rows: use --no-trim")
    require_room(points, layout, place)
    if len(points) and points.features != registers.features:
        raise UsageError(
            f"the points have {points.features} inputs, the registers are set for "
            f"{registers.features}"
        )


def require_plain(array: EmulatedArray) -> None:
    """Raise UsageError unless the devices are equal and fresh."""
    ours, plain = (
        emulator_image(made, 0).fields for made in (array, EmulatedArray(array.geometry))
    )
    for name, what in PLAIN.items():
        if ours[name] != plain[name]:
            raise UsageError(
                f"{WHAT} emulates equal, fresh devices, not {what}: use another preset, or "
                "another backend"
            )

"""The interface of every array to the controller, and the ledger of its operations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..spec import CODE_LSB_US, Geometry
from .checks import COUNT_MAX, check_array

IntArray = NDArray[np.int32]


# Indices of ``Ledger.counts``, which the compiled step loop increments, too.
SET, RESET, READ, DOT, FORM, SET_CODES, DOT_CODES, DOT_DEVICES, DIGITAL, DIGITAL_MACS = range(10)
COUNTS = 10


class Ledger:
    """Counts every operation, per kind and per device.

    Attributes
    ----------
    counts : int64 (COUNTS,)
        Running totals; read them through the properties below.
    wear : int32 (rows, row_devices)
        SET pulses of each device.

    Examples
    --------
    >>> import numpy as np
    >>> from ohmcarlo.array import EmulatedArray
    >>> from ohmcarlo.spec import Geometry
    >>> array = EmulatedArray(Geometry(rows=4, pairs=8), seed=1)
    >>> array.reset(0)
    >>> codes = array.program(0, np.array([0, 1]), np.array([2000, 2000]))
    >>> array.ledger.set, array.ledger.read, array.ledger.reset
    (2, 2, 16)
    >>> array.ledger.wear[0, :3].tolist()
    [1, 1, 0]
    """

    def __init__(self, geometry: Geometry) -> None:
        self.counts = np.zeros(COUNTS, np.int64)
        self.wear = np.zeros((geometry.rows, geometry.row_devices), np.int32)

    @property
    def set(self) -> int:
        """SET pulses."""
        return int(self.counts[SET])

    @property
    def reset(self) -> int:
        """Devices reset (a RESET of a row counts each device of the row)."""
        return int(self.counts[RESET])

    @property
    def read(self) -> int:
        """Devices read."""
        return int(self.counts[READ])

    @property
    def dot(self) -> int:
        """Array accesses of dot products."""
        return int(self.counts[DOT])

    @property
    def form(self) -> int:
        """Devices formed."""
        return int(self.counts[FORM])

    @property
    def dot_devices(self) -> int:
        """Devices driven, summed over the DOT accesses."""
        return int(self.counts[DOT_DEVICES])

    @property
    def digital(self) -> int:
        """Dot products over a row that were computed from stored codes, without an access."""
        return int(self.counts[DIGITAL])

    @property
    def digital_macs(self) -> int:
        """Multiplications and additions of these dot products, one for each pair."""
        return int(self.counts[DIGITAL_MACS])

    @property
    def set_conductance_us(self) -> float:
        """Conductance reached, summed over the SET pulses (µS)."""
        return float(self.counts[SET_CODES]) * CODE_LSB_US

    @property
    def dot_conductance_us(self) -> float:
        """Conductance of all driven devices, summed over the DOT accesses (µS)."""
        return float(self.counts[DOT_CODES]) * CODE_LSB_US

    def note_form(self, devices: int) -> None:
        self.counts[FORM] += devices

    def note_reset(self, devices: int) -> None:
        self.counts[RESET] += devices

    def note_program(self, row: int, devices: IntArray, codes: IntArray) -> None:
        """Count one SET and one READ of each of ``devices`` of ``row``; the reads gave
        ``codes``."""
        self.counts[SET] += len(devices)
        self.counts[SET_CODES] += int(codes.sum())
        self.counts[READ] += len(devices)
        self.wear[row, devices] += 1

    def note_read(self, devices: int) -> None:
        self.counts[READ] += devices

    def state_dict(self) -> dict[str, NDArray[Any]]:
        return {"counts": self.counts.copy(), "wear": self.wear.copy()}

    def check_state_dict(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Raise UsageError unless ``state`` can be loaded."""
        check_array(state, "counts", self.counts, 0, COUNT_MAX)
        check_array(state, "wear", self.wear, 0)

    def load_state_dict(self, state: Mapping[str, NDArray[Any]]) -> None:
        self.check_state_dict(state)
        self.counts[:] = state["counts"]
        self.wear[:] = state["wear"]


def ledger_of(state: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The ledger's part of an array's ``state_dict()``."""
    prefix = "ledger."
    return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}


class Array(Protocol):
    """A resistive-memory array seen through its sequencer.

    ``exact_dot`` is True when a dot product is the integer sum over the codes read back: the
    golden model then computes it from the codes. ``read_noise_rel`` is the standard deviation of
    repeated reads of one state, a fraction of its conductance.

    Examples
    --------
    Every array of the package follows the protocol. An array of your own does, too, if it has these
    methods:

    >>> import numpy as np
    >>> from ohmcarlo.array import Array, EmulatedArray
    >>> from ohmcarlo.spec import Geometry
    >>> array: Array = EmulatedArray(Geometry(rows=4, pairs=8), seed=1)
    >>> array.reset(0)
    >>> array.program(0, np.array([0, 1]), np.array([2000, 2000])).shape
    (2,)
    >>> array.dot(0, np.ones((3, 8), np.int8)).shape
    (3,)
    """

    geometry: Geometry
    ledger: Ledger
    exact_dot: bool
    name: str

    @property
    def read_noise_rel(self) -> float: ...

    def sigma_us(self, target_us: NDArray[np.float64]) -> NDArray[np.float64]:
        """Spread (µS) of the code read back at a target (µS), the noise of one read included: the
        proposal density that the controller should assume."""
        ...

    def reset(self, row: int) -> None:
        """RESET a whole row: every device to its high-resistance state."""
        ...

    def program(self, row: int, devices: IntArray, dac: IntArray) -> IntArray:
        """SET and READ each device of ``row`` in order; returns the codes (0..1023), int32 (n,).

        ``dac`` holds 12-bit DAC codes, one per device (see ``dac_of_target``).
        """
        ...

    def read(self, row: int, devices: IntArray) -> IntArray:
        """READ devices without programming them; codes, int32 (n,)."""
        ...

    def dot(self, row: int, inputs: NDArray[np.int8]) -> NDArray[np.int32]:
        """Dot products of ``row`` with each input: int8 (n, pairs) → int32 (n,).

        The unit is one feature LSB times one code. The ledger does not change: the controller
        enters the number of accesses that it needed.
        """
        ...

    def dac_of_target(self) -> IntArray:
        """The conductance→DAC table: 257 nodes over the 12-bit target, values 0..4095."""
        ...

    def state_dict(self) -> dict[str, NDArray[Any]]:
        """The complete state, for a checkpoint."""
        ...

    def load_state_dict(self, state: dict[str, NDArray[Any]]) -> None:
        """Continue from a ``state_dict()``. Raises UsageError, and changes nothing, if its values
        are impossible."""
        ...

"""The client of the bit-serial board refuses settings that its controller cannot have."""

from __future__ import annotations

import pytest

from ohmcarlo.boards.bit_serial_board import BitSerialClient
from ohmcarlo.boards.memory.image import Image
from ohmcarlo.errors import UsageError
from ohmcarlo.spec.bit_serial_link import READ, WORD_BYTES

HASH = 0x1234ABCD


class Port:
    """A board that answers every read with its hash, and notes the rest."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.answer = b""

    def write(self, data: bytes) -> None:
        self.written.append(data)
        if data[0] == READ:
            self.answer = HASH.to_bytes(WORD_BYTES, "little")

    def read(self, timeout_s: float) -> bytes:
        answer, self.answer = self.answer, b""
        return answer


@pytest.mark.parametrize(
    ("field", "usual", "wrong", "message"),
    [
        ("proposal.wide_every.value", 0, 10, "wide_every = 0"),
        ("entropy.fold.value", 1, 5, "no fold of raw bits"),
    ],
)
def test_settings_it_lacks(field: str, usual: int, wrong: int, message: str) -> None:
    layout = {"fields": {"id.map_hash.value": [8, 0, 32]}, "windows": {}, "hash": HASH}
    port = Port()
    client = BitSerialClient(port, layout)
    client.load(Image({field: usual}))
    before = len(port.written)
    with pytest.raises(UsageError, match=message):
        client.load(Image({field: wrong}))
    assert len(port.written) == before

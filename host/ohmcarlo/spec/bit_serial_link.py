"""The bytes between a bit-serial board and its host on a serial line (8N1).

Bytes that arrive while the board answers are lost, and bytes that do not form a request are
ignored. So a host waits for the answer before the next request, or sends some more zeros than the
answer has bytes. LONGEST_REQUEST zeros end an unfinished request. There are neither frames nor
checksums: noise on the line can form a request. Numbers are little-endian.

| request | bytes | answer |
|---|---|---|
| WRITE | word address (2), word (4) | none |
| READ | word address (2) | word (4) |
| SAMPLE | | flags (1), word (4) of the sample stream |

SAMPLE takes a word from the stream if there is one (SAMPLE_THERE; SAMPLE_LAST closes a record).
"""

from __future__ import annotations

WRITE, READ, SAMPLE = 0x57, 0x52, 0x53
ADDRESS_BYTES, WORD_BYTES, FLAG_BYTES = 2, 4, 1
LONGEST_REQUEST = 1 + ADDRESS_BYTES + WORD_BYTES
SAMPLE_THERE, SAMPLE_LAST = 1, 2

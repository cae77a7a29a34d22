"""What the payload formats of H.264 and H.265 have in common: single units and fragments.

::

    H.264 (RFC 6184)                          H.265 (RFC 7798)
    single   | NAL unit            |          single   | NAL unit                |
    STAP-A   | F NRI 24 | size NAL | size …   AP       | type 48 | size NAL | size …
    FU-A     | F NRI 28 | S E R type | piece  FU       | type 49 | S E type | piece

    the header of a fragmented unit is not repeated in its pieces: the two bytes (three with
    H.265) in front of each carry what it said
"""

from collections.abc import Callable, Iterable
from typing import TypeAlias

#: NAL units as they come: bytes, or views into a sample.
NalUnit: TypeAlias = bytes | bytearray | memoryview
#: The smallest packet payload that is made, in bytes: fragments must make progress.
MIN_PAYLOAD_BYTES = 64

_START = 0x80
_END = 0x40


def fragments(unit: NalUnit, header: bytes, header_size: int, limit: int) -> Iterable[bytes]:
    """Cut a NAL unit into fragmentation units.

    :param unit: one NAL unit, larger than `limit`.
    :param header: what precedes each piece, its last byte without the S and E bits.
    :param header_size: bytes of the unit's own header, which the pieces leave out.
    :param limit: bytes of the largest payload.

    Source: RFC 6184 §5.8, RFC 7798 §4.4.3.
    """
    view = memoryview(unit)[header_size:]
    step = limit - len(header)
    fixed, last = header[:-1], header[-1]
    for place in range(0, len(view), step):
        flags = (_START if place == 0 else 0) | (_END if place + step >= len(view) else 0)
        yield b"".join((fixed, bytes((last | flags,)), view[place : place + step]))


def payloads(
    units: Iterable[NalUnit],
    limit: int,
    *,
    fragment: Callable[[NalUnit, int], Iterable[bytes]],
    aggregate: Callable[[list[NalUnit]], bytes] | None,
) -> list[bytes]:
    """Lay NAL units into payloads of at most `limit` bytes.

    :param fragment: cuts one unit that is too large.
    :param aggregate: joins several that fit together; None lets each have its own packet.
    """
    limit = max(limit, MIN_PAYLOAD_BYTES)
    made: list[bytes] = []
    waiting: list[NalUnit] = []
    size = 0
    for unit in units:
        grown = size + 2 + len(unit)
        # Two bytes are kept for the header of the aggregation packet.
        if waiting and (aggregate is None or grown + 2 > limit):
            made.append(_joined(waiting, aggregate))
            waiting, grown = [], 2 + len(unit)
        if len(unit) > limit:
            made += fragment(unit, limit)
            size = 0
        elif len(unit):
            waiting.append(unit)
            size = grown
    if waiting:
        made.append(_joined(waiting, aggregate))
    return made


def _joined(units: list[NalUnit], aggregate: Callable[[list[NalUnit]], bytes] | None) -> bytes:
    """One unit goes bare, several as an aggregation packet."""
    if len(units) == 1 or aggregate is None:
        return bytes(units[0])
    return aggregate(units)

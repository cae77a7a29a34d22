"""H.265 out of RTP (RFC 7798).

::

    single     | NAL unit header 16 |        [DONL 16] | …
    AP         | type 48, layer, tid | [DONL 16] size 16 | NAL unit | [DOND 8] size 16 | …
    FU         | type 49, layer, tid | S E type | [DONL 16] content

The decoding order numbers DONL and DOND are there if the SDP has ``sprop-max-don-diff`` above 0;
they are passed over, for cameras send NAL units in decoding order. PACI (type 50) is not sent by
cameras and is refused packet by packet. All other types are kept, reserved ones too (quirk 30:
cameras send type 0, TRAIL_N, for any picture).

A unit is a sync unit if it has a slice of type 16 to 23 (IRAP).
"""

import struct
from collections.abc import Sequence

from axis_nvr.errors import WireError
from axis_nvr.media.units import Codec
from axis_nvr.session.depacketizers.nal_units import (
    END_BIT,
    FORBIDDEN,
    LEADING,
    PARAMETER_SET,
    SLICE,
    START_BIT,
    SYNC,
    NalUnitDepacketizer,
)
from axis_nvr.wire import nal as nal_units

AP, FU, PACI = 48, 49, 50
#: Of the FU header (RFC 7798 §4.4.3).
TYPE_MASK = 0x3F
#: ``slice_pic_parameter_set_id`` (H.265 §7.4.7.1).
MAX_PPS_ID = 63
_SIZE = struct.Struct("!H")


def _role(first_byte: int) -> int:
    """Tell what a NAL unit with this first byte is to an access unit."""
    if first_byte & 0x80:
        return FORBIDDEN
    kind = first_byte >> 1
    return (
        SLICE * (kind in nal_units.H265_VCL)
        | SYNC * (kind in nal_units.H265_IRAP)
        | PARAMETER_SET * (kind in nal_units.H265_PARAMETER_SETS)
        | LEADING * (kind in nal_units.H265_BEFORE_PICTURE)
    )


class H265Depacketizer(NalUnitDepacketizer):
    """Makes access units of RTP payloads.

    :param parameter_sets: VPS, SPS and PPS from the SDP.
    :param has_don: whether decoding order numbers are in the packets.

    Source: RFC 7798 §4.4.1 (single), §4.4.2 (AP), §4.4.3 (FU).
    """

    ROLES = bytes(map(_role, range(256)))
    HEADER_BYTES = 2
    FRAGMENT_HEADER_BYTES = 3
    CODEC = Codec.H265

    def __init__(self, parameter_sets: Sequence[bytes] = (), *, has_don: bool = False) -> None:
        super().__init__(parameter_sets)
        self._don_bytes = 2 if has_don else 0

    def _take(self, payload: memoryview) -> None:
        kind = payload[0] >> 1 & TYPE_MASK
        if kind == FU:
            self._take_fragment(payload)
        elif kind == AP:
            self._take_aggregate(payload)
        elif kind == PACI:
            raise WireError("PACI packet", source="RFC 7798 §4.4.4")
        elif self._don_bytes:
            self._add(bytes(payload[:2]) + payload[4:])
        else:
            self._add(bytes(payload))

    def _take_fragment(self, payload: memoryview) -> None:
        """Take an FU; its oddities are those of an FU-A, see `h264`."""
        if len(payload) < 3:
            raise WireError("FU without its header", offset=2, source="RFC 7798 §4.4.3")
        first, second, header = payload[0], payload[1], payload[2]
        if header & START_BIT:
            nal_header = bytes((first & 0x81 | (header & TYPE_MASK) << 1, second))
            self._begin_fragment(nal_header, payload[3 + self._don_bytes :])
        else:
            self._continue_fragment(payload[3:])
        if header & END_BIT:
            self._end_fragment()
        elif self.fragments:
            self.fragment_header = bytes((first, second, header & TYPE_MASK))

    def _take_aggregate(self, payload: memoryview) -> None:
        """Take an AP; empty NAL units in it are passed over."""
        place, end = 2 + self._don_bytes, len(payload)
        while place < end:
            if place + 2 > end:
                raise WireError("size is cut off", offset=place, source="RFC 7798 §4.4.2")
            (size,) = _SIZE.unpack_from(payload, place)
            place += 2 + size
            if place > end:
                raise WireError(
                    f"NAL unit of {size} bytes", offset=place - size, source="RFC 7798 §4.4.2"
                )
            if size:
                self._add(bytes(payload[place - size : place]))
            place += self._don_bytes // 2  # DOND before all but the first

    @property
    def is_steady(self) -> bool:
        """As in `NalUnitDepacketizer`; decoding order numbers are for the general path."""
        return not self._don_bytes and super().is_steady

    def _fragmented(self, header: bytes) -> bytes:
        if header[0] >> 1 & TYPE_MASK != FU or header[2] & ~TYPE_MASK != START_BIT:
            return b""
        return bytes((header[0] & 0x81 | (header[2] & TYPE_MASK) << 1, header[1]))

    def _is_first_slice(self, nal: bytes | bytearray | memoryview) -> bool:
        return nal_units.h265_first_slice(nal)

    def _is_plausible(self, nal: bytes) -> bool:
        """Read slice_pic_parameter_set_id (H.265 §7.3.6.1), behind one or two flags."""
        bits = int.from_bytes(nal[2:6].ljust(4, b"\xff"), "big")
        if not bits >> 31:
            return False  # not the first slice of its picture
        width = 30 if self.ROLES[nal[0]] & SYNC else 31
        rest = bits & ((1 << width) - 1)
        zeros = width - rest.bit_length()
        return zeros < 7 and rest >> (width - 1 - 2 * zeros) <= MAX_PPS_ID + 1

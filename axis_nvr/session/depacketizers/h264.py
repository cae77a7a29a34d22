"""H.264 out of RTP (RFC 6184), in packetization modes 0 and 1.

::

    single     | NAL unit header | …
    STAP-A     | 24 | size 16 | NAL unit | size 16 | NAL unit | …
    FU-A       | F NRI 28 | S E R type | content

The mode that the SDP tells is not looked at: cameras send FU-A in mode 0 (quirk 30). Interleaved
mode (2: STAP-B, MTAP, FU-B) is not sent by cameras and is refused packet by packet. Packet types 0,
30 and 31, which RFC 6184 leaves undefined, are kept as NAL units: what they are is the decoder's
matter (quirk 30), and a packet of Annex B bytes looks like type 0 (quirk 28).

A unit is a sync unit if it has an IDR slice, or an SEI recovery point: streams of cameras with
gradual or open refresh have no IDR but the first, and decoders begin at recovery points.
"""

import struct

from axis_nvr.errors import WireError
from axis_nvr.media.units import Codec
from axis_nvr.session.depacketizers.nal_units import (
    END_BIT,
    FORBIDDEN,
    LEADING,
    PARAMETER_SET,
    SEI,
    SLICE,
    START_BIT,
    SYNC,
    NalUnitDepacketizer,
)
from axis_nvr.wire import nal as nal_units

STAP_A, STAP_B, MTAP16, MTAP24, FU_A, FU_B = range(24, 30)
#: Of the FU header (RFC 6184 §5.8).
TYPE_MASK = 0x1F
#: Payload type of the SEI message that says that decoding can begin here (H.264 §D.1).
RECOVERY_POINT = 6
#: Messages of one SEI NAL unit that are looked at.
MAX_SEI_MESSAGES = 64
_SIZE = struct.Struct("!H")


def _role(first_byte: int) -> int:
    """Tell what a NAL unit with this header is to an access unit."""
    if first_byte & 0x80:
        return FORBIDDEN
    kind = first_byte & TYPE_MASK
    return (
        SLICE * (kind in nal_units.H264_VCL)
        | SYNC * (kind in nal_units.H264_IRAP)
        | PARAMETER_SET * (kind in nal_units.H264_PARAMETER_SETS)
        | LEADING * (kind in nal_units.H264_BEFORE_PICTURE)
        | SEI * (kind == nal_units.H264NalType.SEI)
    )


class H264Depacketizer(NalUnitDepacketizer):
    """Makes access units of RTP payloads.

    Source: RFC 6184 §5.6 (single), §5.7.1 (STAP-A), §5.8 (FU-A).
    """

    ROLES = bytes(map(_role, range(256)))
    HEADER_BYTES = 1
    FRAGMENT_HEADER_BYTES = 2
    CODEC = Codec.H264

    def _take(self, payload: memoryview) -> None:
        kind = payload[0] & TYPE_MASK
        if kind == FU_A:
            self._take_fragment(payload)
        elif kind == STAP_A:
            self._take_aggregate(payload)
        elif kind in (STAP_B, MTAP16, MTAP24, FU_B):
            raise WireError(f"packet type {kind} of interleaved mode", source="RFC 6184 §5.2")
        else:
            self._add(bytes(payload))

    def _take_fragment(self, payload: memoryview) -> None:
        """Take an FU-A: an indicator, a header, and a part of a NAL unit without its header.

        Start and end may both be set (CostarHD, OpenIPC; the RFC forbids it), the content may be
        empty, and the type may change after the start (Tiandy): that of the start counts.
        """
        if len(payload) < 2:
            raise WireError("FU-A without its header", offset=1, source="RFC 6184 §5.8")
        indicator, header = payload[0], payload[1]
        if header & START_BIT:
            nal_header = indicator & 0xE0 | header & TYPE_MASK
            self._begin_fragment(bytes((nal_header,)), payload[2:])
        else:
            self._continue_fragment(payload[2:])
        if header & END_BIT:
            self._end_fragment()
        elif self.fragments:
            self.fragment_header = bytes((indicator, header & TYPE_MASK))

    def _take_aggregate(self, payload: memoryview) -> None:
        """Take a STAP-A; empty NAL units in it are passed over."""
        place, end = 1, len(payload)
        while place < end:
            if place + 2 > end:
                raise WireError("size is cut off", offset=place, source="RFC 6184 §5.7.1")
            (size,) = _SIZE.unpack_from(payload, place)
            place += 2 + size
            if place > end:
                raise WireError(
                    f"NAL unit of {size} bytes", offset=place - size, source="RFC 6184 §5.7.1"
                )
            if size:
                self._add(bytes(payload[place - size : place]))

    def _fragmented(self, header: bytes) -> bytes:
        if header[0] & TYPE_MASK != FU_A or header[1] & ~TYPE_MASK != START_BIT:
            return b""
        return bytes((header[0] & 0xE0 | header[1] & TYPE_MASK,))

    def _is_first_slice(self, nal: bytes | bytearray | memoryview) -> bool:
        return nal_units.h264_first_slice(nal)

    def _is_plausible(self, nal: bytes) -> bool:
        """Read first_mb_in_slice and slice_type (H.264 §7.3.3): 0 and at most 9.

        Only first slices are asked about, and a picture whose first slice is missing has been
        given up; so a slice here that does not begin with macroblock 0 counts as noise.
        """
        bits = int.from_bytes(nal[1:5].ljust(4, b"\xff"), "big")
        if not bits >> 31:
            return nal[0] & TYPE_MASK in (3, 4)  # partitions B and C have no slice header
        rest = bits & 0x7FFF_FFFF
        zeros = 31 - rest.bit_length()
        return zeros < 4 and rest >> (30 - 2 * zeros) <= 10

    def _plain(self, parameter_set: bytes) -> bytes:
        """Set nal_ref_idc to 3: any value but 0 says the same of a set (quirk 32: it varies)."""
        return bytes((parameter_set[0] | 0x60,)) + parameter_set[1:]

    def _is_recovery_point(self, nal: bytes) -> bool:
        """Look for a recovery point among the messages."""
        return RECOVERY_POINT in _sei_payload_types(nal_units.unescape(nal[1:]))


def _sei_payload_types(rbsp: bytes) -> list[int]:
    """List the types of the messages of an SEI NAL unit, as far as they are whole.

    Source: H.264 §7.3.2.3.1: type and size are each a sum of bytes, the last one below 255.
    """
    types: list[int] = []
    place = 0
    while len(types) < MAX_SEI_MESSAGES and place + 2 <= len(rbsp):
        pair = [0, 0]
        for index in range(2):
            while place < len(rbsp) and rbsp[place] == 255:
                pair[index] += 255
                place += 1
            pair[index] += rbsp[place] if place < len(rbsp) else 0
            place += 1
        place += pair[1]
        if place < len(rbsp):  # the stop bit is behind the last message
            types.append(pair[0])
    return types

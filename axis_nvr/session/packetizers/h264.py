"""H.264 in RTP: single NAL unit packets, FU-A, and STAP-A where it is asked for.

Source: RFC 6184 §5.6, §5.7.1, §5.8; packetization-mode 1.
"""

from collections.abc import Iterable

from axis_nvr.session.packetizers import nal

_STAP_A = 24
_FU_A = 28


def packetize(units: Iterable[nal.NalUnit], limit: int, *, aggregate: bool = False) -> list[bytes]:
    """Lay the NAL units of one picture into RTP payloads; the last one bears the marker.

    :param units: NAL units without start codes, in decoding order.
    :param limit: bytes of the largest payload, the RTP header not counted.
    :param aggregate: put small units together as STAP-A. Cameras of Axis do not.
    """
    return nal.payloads(
        units, limit, fragment=_fragments, aggregate=_aggregated if aggregate else None
    )


def _fragments(unit: nal.NalUnit, limit: int) -> Iterable[bytes]:
    header = bytes((unit[0] & 0xE0 | _FU_A, unit[0] & 0x1F))
    return nal.fragments(unit, header, 1, limit)


def _aggregated(units: list[nal.NalUnit]) -> bytes:
    """Write a STAP-A: F of any, the highest NRI of all (RFC 6184 §5.7.1)."""
    forbidden = max(unit[0] & 0x80 for unit in units)
    importance = max(unit[0] & 0x60 for unit in units)
    parts = [bytes((forbidden | importance | _STAP_A,))]
    for unit in units:
        parts += (len(unit).to_bytes(2, "big"), bytes(unit))
    return b"".join(parts)

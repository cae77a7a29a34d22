"""H.265 in RTP: single NAL unit packets, FU, and AP where it is asked for.

Source: RFC 7798 §4.4.1, §4.4.2, §4.4.3; without DONL (sprop-max-don-diff 0).
"""

from collections.abc import Iterable

from axis_nvr.session.packetizers import nal

_AP = 48
_FU = 49


def packetize(units: Iterable[nal.NalUnit], limit: int, *, aggregate: bool = False) -> list[bytes]:
    """Lay the NAL units of one picture into RTP payloads; the last one bears the marker.

    :param units: NAL units without start codes, in decoding order, each of two bytes or more.
    :param limit: bytes of the largest payload, the RTP header not counted.
    :param aggregate: put small units together as aggregation packets. Cameras of Axis do not.
    """
    return nal.payloads(
        units, limit, fragment=_fragments, aggregate=_aggregated if aggregate else None
    )


def _header(unit: nal.NalUnit, kind: int) -> bytes:
    """The payload header: that of the unit with another type (RFC 7798 §4.4.3)."""
    return bytes((unit[0] & 0x81 | kind << 1, unit[1]))


def _fragments(unit: nal.NalUnit, limit: int) -> Iterable[bytes]:
    header = _header(unit, _FU) + bytes((unit[0] >> 1 & 0x3F,))
    return nal.fragments(unit, header, 2, limit)


def _aggregated(units: list[nal.NalUnit]) -> bytes:
    """Write an AP: the lowest layer and temporal id of all (RFC 7798 §4.4.2)."""
    layer = min((unit[0] & 1) << 5 | unit[1] >> 3 for unit in units)
    temporal = min(unit[1] & 7 for unit in units)
    forbidden = max(unit[0] & 0x80 for unit in units)
    parts = [bytes((forbidden | _AP << 1 | layer >> 5, layer << 3 & 0xFF | temporal))]
    for unit in units:
        parts += (len(unit).to_bytes(2, "big"), bytes(unit))
    return b"".join(parts)

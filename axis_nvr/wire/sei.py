"""Supplemental enhancement information: what rides along with pictures and decodes nothing.

::

    SEI NAL unit      header | message … | stop bit
    message           type FF … + last | size FF … + last | payload

A recorder looks at three of them: the recovery point, where decoding of a stream without IDR
pictures can begin; data by UUID, which holds signatures (ONVIF Media Signing, Axis Signed Video);
the rest is kept as bytes. Nothing of it is needed to record, so a message that is cut off ends
the list and is no error.
"""

from typing import NamedTuple
from uuid import UUID

from axis_nvr.errors import WireError
from axis_nvr.wire.bits import BitReader
from axis_nvr.wire.nal import H264NalType, H265NalType, h264_nal_type, h265_nal_type, unescape

#: Messages of one NAL unit that are looked at.
MAX_SEI_MESSAGES = 64
#: An SEI NAL unit larger than this is not looked at, in bytes.
MAX_SEI_BYTES = 1024 * 1024
#: Payload types (H.264 §D.1, H.265 §D.2.1); they are the same in both.
PICTURE_TIMING = 1
USER_DATA_REGISTERED = 4
USER_DATA_UNREGISTERED = 5
RECOVERY_POINT = 6
#: Frames from the recovery point to the first right picture (H.264 §D.2.8: below MaxFrameNum).
MAX_RECOVERY_FRAMES = 65535
_SOURCE = "H.264 §7.3.2.3, H.265 §7.3.2.4"


class SeiMessage(NamedTuple):
    """One message.

    :ivar payload_type: such as `RECOVERY_POINT`.
    :ivar payload: emulation prevention removed.
    """

    payload_type: int
    payload: bytes


class RecoveryPoint(NamedTuple):
    """Where decoding can begin though the picture is no IDR.

    :ivar frame_count: frames (H.264) or picture order (H.265) until pictures are right: 0 makes
        an intra picture a sync point, more is a gradual refresh.
    :ivar exact: they are then right to the last bit.
    :ivar broken_link: pictures behind may refer to what was cut off before.
    """

    frame_count: int
    exact: bool
    broken_link: bool


class UserData(NamedTuple):
    """Data whose meaning a UUID tells.

    :ivar uuid: who defines it.
    :ivar data: the rest.
    """

    uuid: UUID
    data: bytes


def parse_h264_sei(nal: bytes) -> list[SeiMessage]:
    """Read the messages of an H.264 SEI NAL unit.

    :raises WireError: another NAL unit, or one too large.

    Source: H.264 §7.3.2.3, §7.3.2.3.1.
    """
    if not nal or h264_nal_type(nal) != H264NalType.SEI:
        raise WireError(f"no SEI: {nal[:1].hex() or 'nothing'}", offset=0, source=_SOURCE)
    return _split_messages(nal, 1)


def parse_h265_sei(nal: bytes) -> list[SeiMessage]:
    """Read the messages of an H.265 SEI NAL unit, before or behind its picture.

    :raises WireError: another NAL unit, or one too large.

    Source: H.265 §7.3.2.4, §7.3.5.
    """
    kinds = (H265NalType.PREFIX_SEI, H265NalType.SUFFIX_SEI)
    if len(nal) < 2 or h265_nal_type(nal) not in kinds:
        raise WireError(f"no SEI: {nal[:2].hex() or 'nothing'}", offset=0, source=_SOURCE)
    return _split_messages(nal, 2)


def _split_messages(nal: bytes, header_bytes: int) -> list[SeiMessage]:
    if len(nal) > MAX_SEI_BYTES:
        raise WireError(f"SEI of {len(nal)} bytes", offset=0, source=_SOURCE)
    raw = _messages(bytes(nal), header_bytes)
    if len(raw) == 1 and header_bytes + _coded_size(raw[0]) == _end(nal):
        # One message that fits as it is: some signing cameras do not escape, and bytes that
        # look like emulation prevention are theirs.
        return raw
    return _messages(unescape(nal), header_bytes)


def _messages(data: bytes, start: int) -> list[SeiMessage]:
    """Read messages up to the stop bit.

    Source: H.264 §7.3.2.3.1, H.265 §7.3.5.
    """
    end = _end(data)
    messages: list[SeiMessage] = []
    while start < end and len(messages) < MAX_SEI_MESSAGES:
        payload_type, start = _read_number(data, start, end)
        size, start = _read_number(data, start, end)
        if start + size > end:
            break  # cut off: what came before is whole
        messages.append(SeiMessage(payload_type, data[start : start + size]))
        start += size
    return messages


def _end(data: bytes) -> int:
    """Find the end of the last message: the byte with the stop bit, 80."""
    stripped = data.rstrip(b"\0")
    return len(stripped) - stripped.endswith(b"\x80")


def _coded_size(message: SeiMessage) -> int:
    size = len(message.payload)
    return size + message.payload_type // 255 + 1 + size // 255 + 1


def _read_number(data: bytes, start: int, end: int) -> tuple[int, int]:
    """Read a type or size: FF adds 255 and goes on.

    :returns: it, and where it ends; beyond `end` if it is cut off.
    """
    stop = start
    while stop < end and data[stop] == 0xFF:
        stop += 1
    last = data[stop] if stop < end else 0
    return 255 * (stop - start) + last, stop + 1


def parse_recovery_point(payload: bytes, *, h265: bool = False) -> RecoveryPoint:
    """Read the payload of a `RECOVERY_POINT` message.

    :raises WireError: cut off or out of range.

    Source: H.264 §D.1.8, H.265 §D.2.8.
    """
    bits = BitReader(payload, "H.265 §D.2.8" if h265 else "H.264 §D.1.8")
    if h265:
        frames = bits.se("recovery_poc_cnt", -MAX_RECOVERY_FRAMES)
    else:
        frames = bits.ue("recovery_frame_cnt", MAX_RECOVERY_FRAMES)
    return RecoveryPoint(frames, bits.flag("exact_match_flag"), bits.flag("broken_link_flag"))


def parse_user_data(payload: bytes) -> UserData:
    """Read the payload of a `USER_DATA_UNREGISTERED` message.

    :raises WireError: shorter than a UUID.

    Source: H.264 §D.1.7, H.265 §D.2.7.
    """
    if len(payload) < 16:
        raise WireError(f"{len(payload)} bytes hold no UUID", offset=0, source="H.264 §D.1.7")
    return UserData(UUID(bytes=payload[:16]), payload[16:])

"""RTP payloads as senders make them, one function for each packet structure."""

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from axis_nvr.media.units import AudioFormat, VideoFormat
from axis_nvr.session.depacketizers.base import Depacketizer, Frame

#: Payload, timestamp, marker, packets lost before it.
Packet: TypeAlias = tuple[bytes, int, bool] | tuple[bytes, int, bool, int]

#: x264, 640x360, high profile.
H264_SPS = bytes.fromhex("6764001eacb405017fcb80b501010140000003004000000f23c58ba8")
H264_PPS = bytes.fromhex("68ef14b22c")
#: x264, 320x240, high 4:4:4.
OTHER_H264_SPS = bytes.fromhex("67f4000c919b28283f6022000003000200000300141e28532c")
OTHER_H264_PPS = bytes.fromhex("68ebe3c44844")
#: x265, 640x360.
H265_VPS = bytes.fromhex("40010c01ffff01600000030090000003000003003fba0240")
H265_SPS = bytes.fromhex(
    "42010101600000030090000003000003003fa00502016965ba924caf016a02020208000003000800000300f040"
)
H265_PPS = bytes.fromhex("4401c172b42240")

#: First bytes of an IDR slice, of a P slice that begins its picture, and of one that does not.
IDR, P, LATER_P = b"\x65\x88\x82", b"\x41\x9a\x26", b"\x41\x42\x26"
H265_IDR, H265_P, H265_LATER_P = b"\x28\x01\xaf", b"\x02\x01\xd0", b"\x02\x01\x50"


def sample(*nal_units: bytes) -> bytes:
    """NAL units as they are stored."""
    return b"".join(len(nal).to_bytes(4, "big") + nal for nal in nal_units)


def pieces(data: bytes, size: int) -> list[bytes]:
    """Cut into pieces of `size` bytes."""
    return [data[start : start + size] for start in range(0, len(data), size)]


def fu_a(nal: bytes, size: int = 4) -> list[bytes]:
    """Fragment an H.264 NAL unit (RFC 6184 §5.8)."""
    contents = pieces(nal[1:], size)
    return [
        bytes(
            (
                nal[0] & 0xE0 | 28,
                nal[0] & 0x1F | (index == 0) << 7 | (index == len(contents) - 1) << 6,
            )
        )
        + content
        for index, content in enumerate(contents)
    ]


def stap_a(*nal_units: bytes) -> bytes:
    """Aggregate H.264 NAL units (RFC 6184 §5.7.1)."""
    return b"\x78" + b"".join(len(nal).to_bytes(2, "big") + nal for nal in nal_units)


def fu(nal: bytes, size: int = 4, donl: bytes = b"") -> list[bytes]:
    """Fragment an H.265 NAL unit (RFC 7798 §4.4.3)."""
    contents = pieces(nal[2:], size)
    return [
        bytes(
            (
                nal[0] & 0x81 | 49 << 1,
                nal[1],
                nal[0] >> 1 & 0x3F | (index == 0) << 7 | (index == len(contents) - 1) << 6,
            )
        )
        + (donl if index == 0 else b"")
        + content
        for index, content in enumerate(contents)
    ]


def ap(*nal_units: bytes, donl: bytes = b"", dond: bytes = b"") -> bytes:
    """Aggregate H.265 NAL units (RFC 7798 §4.4.2)."""
    sized = [len(nal).to_bytes(2, "big") + nal for nal in nal_units]
    return b"\x60\x01" + donl + dond.join(sized)


def feed(
    depacketizer: Depacketizer,
    packets: Iterable[Packet],
    *,
    end: bool = True,
) -> list[Frame]:
    """Push (payload, timestamp, marker[, lost]) one after another, and flush."""
    frames: list[Frame] = []
    for payload, timestamp, marker, *lost in packets:
        frames += depacketizer.push(memoryview(payload), timestamp, marker, sum(lost))
    return frames + list(depacketizer.flush()) if end else frames


def marked(payloads: Sequence[bytes], timestamp: int) -> list[Packet]:
    """Give all payloads of a unit its timestamp, and the last one the marker."""
    last = len(payloads) - 1
    return [(payload, timestamp, index == last) for index, payload in enumerate(payloads)]


def datas(frames: Iterable[Frame]) -> list[bytes]:
    """The samples of frames."""
    return [bytes(frame.data) for frame in frames]


def video(frame: Frame) -> VideoFormat:
    """The format of a frame that is a picture."""
    assert isinstance(frame.format, VideoFormat)
    return frame.format


def audio(frame: Frame) -> AudioFormat:
    """The format of a frame that is sound."""
    assert isinstance(frame.format, AudioFormat)
    return frame.format

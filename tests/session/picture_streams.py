"""Streams of pictures for the hot path: steady ones, and ones with something odd at any place."""

from collections.abc import Callable
from dataclasses import dataclass

from hypothesis import event
from hypothesis import strategies as st

from axis_nvr.media.units import Codec
from axis_nvr.session.depacketizers import nal_units
from tests.session.depacketizers import payloads as p
from tests.session.streams import SSRC, START_US, Sender, interleaved, report

REPLY = b"RTSP/1.0 200 OK\r\nCSeq: 4\r\n\r\n"

#: Pictures after which a stream is steady: the trial for start codes is over, the marker trusted,
#: and not each picture is judged any more.
WARM_UP_PICTURES = nal_units.ENCRYPTION_WINDOW + 2
BEGIN = 0xFFFF_0000
#: An SSRC whose bytes mean something in expressions, behind a back reference above all: ``8(.\\``.
TEXT_SSRC = 0x38282E5C


@dataclass(frozen=True)
class Bytes:
    """NAL units of a codec."""

    sets: list[bytes]
    sei: bytes
    delimiter: bytes
    key: bytes
    other: bytes
    later: bytes
    fragment: Callable[[bytes, int], list[bytes]]


CODECS = {
    Codec.H264: Bytes(
        [p.H264_SPS, p.H264_PPS],
        b"\x06\x05\x01\x00\x80",
        b"\x09\x10",
        p.IDR,
        p.P,
        p.LATER_P,
        p.fu_a,
    ),
    Codec.H265: Bytes(
        [p.H265_VPS, p.H265_SPS, p.H265_PPS],
        b"\x4e\x01\x05\x01\x00\x80",
        b"\x46\x01\x10",
        p.H265_IDR,
        p.H265_P,
        p.H265_LATER_P,
        p.fu,
    ),
}


@dataclass(frozen=True)
class Feature:
    """Something that happens to the packet at some place of a stream."""

    kind: str
    place: int
    value: int


features = st.builds(
    Feature,
    st.sampled_from(
        [
            *["drop"] * 6,
            *["marker"] * 6,
            *["leap"] * 3,
            "swap",
            "double",
            "reply",
            "audio",
            "report",
            "ssrc",
            "timestamp",
            "payload type",
            "empty",
            "flip",
            "extension",
            "padding",
            "line end",
            "unassigned",
        ]
    ),
    st.integers(0, 120),
    st.integers(0, 255),
)


@dataclass(frozen=True)
class Picture:
    """What a picture is made of.

    :ivar slices: the size of each; a small one is not fragmented.
    """

    slices: list[int]
    delimiter: bool
    sei: bool
    start_code: bool


pictures = st.builds(
    Picture,
    st.one_of(
        st.lists(st.integers(1, 120), min_size=1, max_size=1),
        st.lists(st.integers(1, 30), min_size=1, max_size=1),
        st.lists(st.integers(1, 120), min_size=1, max_size=3),
    ),
    st.sampled_from([False] * 5 + [True]),
    st.sampled_from([False] * 5 + [True]),
    st.sampled_from([False] * 19 + [True]),
)


def payloads(codec: Codec, picture: Picture, key: bool, fragment: int) -> list[bytes]:
    """The payloads of the packets of a picture."""
    nal = CODECS[codec]
    parts = [nal.delimiter] * picture.delimiter + nal.sets * key + [nal.sei] * picture.sei
    for index, size in enumerate(picture.slices):
        head = nal.later if index else nal.key if key else nal.other
        content = b"\0\0\1\x41" * picture.start_code + b"\x42" * size
        parts += nal.fragment(head + content, fragment) if size > 2 * fragment else [head + content]
    return parts


@dataclass(frozen=True)
class Stream:
    """A stream that is steady after `warm_up`, and odd in some places of `data`."""

    codec: Codec
    warm_up: bytes
    data: bytes


def warmed_up(codec: Codec, video: Sender) -> bytes:
    """A report, and pictures until the stream is steady."""
    nal = CODECS[codec]
    stamp = BEGIN - 3000 * WARM_UP_PICTURES
    frames = [interleaved(1, report(stamp, START_US + 98_000_000, video.ssrc))]
    for index in range(WARM_UP_PICTURES):
        parts = [*nal.sets, nal.key + b"\x42"] if index % 20 == 0 else [nal.other + b"\x42"]
        timestamp = BEGIN + 3000 * (index - WARM_UP_PICTURES)
        frames += [interleaved(0, q) for q in video.unit(parts, timestamp)]
    return b"".join(frames)


@st.composite
def streams(draw: st.DrawFn) -> Stream:
    """A stream of pictures, most in fragments, odd in some places."""
    codec = draw(st.sampled_from([Codec.H264, Codec.H265]))
    video = Sender(
        sequence_number=draw(st.sampled_from([0, 65_440, 65_480, 30_000])),
        ssrc=draw(st.sampled_from([SSRC, TEXT_SSRC])),
    )
    audio = Sender(payload_type=8, ssrc=77)
    warm_up = warmed_up(codec, video) if draw(st.sampled_from([True, True, True, False])) else b""
    event(f"warm: {bool(warm_up)}")
    fragment = draw(st.sampled_from([7, 20, 20, 33]))
    packets: list[bytes] = []
    for index, picture in enumerate(draw(st.lists(pictures, min_size=4, max_size=12))):
        parts = payloads(codec, picture, index % 4 == 0, fragment)
        packets += video.unit(parts, BEGIN + 3000 * index & 0xFFFF_FFFF)
    frames = [interleaved(0, packet) for packet in packets]
    count = draw(st.sampled_from([0, 2, 4, 8]))
    for feature in draw(st.lists(features, min_size=count, max_size=count)):
        place = feature.place % max(len(frames), 1)
        event(feature.kind)
        if frames:  # not all dropped
            frames[place : place + 2] = changed(feature, frames[place : place + 2], audio)
    return Stream(codec, warm_up, b"".join(frames))


def changed(feature: Feature, frames: list[bytes], audio: Sender) -> list[bytes]:
    """Let something happen to the first of two frames, or before it."""
    frame, others = frames[0], frames[1:]
    value = feature.value

    if len(frame) < 18 or frame[0] != 0x24:  # what an earlier feature has put there
        return frames

    def patched(offset: int, with_: int) -> list[bytes]:
        if offset >= len(frame):
            return frames
        return [frame[:offset] + bytes((with_,)) + frame[offset + 1 :], *others]

    match feature.kind:
        case "drop":
            return others
        case "swap":
            return [*others, frame]
        case "double":
            return [frame, frame, *others]
        case "marker":
            return patched(5, frame[5] ^ 0x80)
        case "reply":
            return [REPLY, *frames]
        case "line end":
            return [b"\r\n", *frames]
        case "audio":
            return [interleaved(2, audio.packet(bytes(20), 160 * value, False)), *frames]
        case "report":
            stamp = 0xFFFF_0000 + 300 * value
            return [interleaved(1, report(stamp, START_US + 100_000_000)), *frames]
        case "ssrc":
            return patched(15, value)
        case "timestamp":
            return patched(11, value)
        case "leap":
            return patched(8, value)
        case "payload type":
            return patched(5, value)
        case "empty":
            return [interleaved(0, frame[4:18]), *others]
        case "flip":
            return patched(16 + value % 20, value)
        case "unassigned":
            return [interleaved(9, frame[4:]), *frames]
        case "extension":
            packet = bytes((frame[4] | 0x10,)) + frame[5:16] + b"\xab\xac\0\1abcd" + frame[16:]
            return [interleaved(0, packet), *others]
        case "padding":
            packet = bytes((frame[4] | 0x20,)) + frame[5:] + b"\0\0\3"
            return [interleaved(0, packet), *others]
    raise AssertionError(feature)

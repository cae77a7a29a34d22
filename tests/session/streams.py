"""Streams of packets as cameras send them, built by hand, for tests of what receives them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from axis_nvr.media.units import AccessUnit, Codec
from axis_nvr.session.media import MediaReceiver
from axis_nvr.session.tracks import TrackDescription
from axis_nvr.wire.ntp import ntp_from_utc_us
from axis_nvr.wire.rtcp import SenderReport, build_sender_report
from axis_nvr.wire.rtp import build_packet

SSRC = 0xDEADBEEF
START_US = 1_700_000_000_000_000


def track(
    index: int = 0, codec: Codec = Codec.H264, *, payload_type: int = 96, clock_rate: int = 90_000
) -> TrackDescription:
    """A track as the SDP of a camera would describe it."""
    kind = "video" if codec in (Codec.H264, Codec.H265, Codec.JPEG) else "audio"
    control, name = f"rtsp://h/{index}", codec.upper()
    return TrackDescription(
        index, kind, codec, payload_type, clock_rate, 1, {}, control, None, name
    )


def interleaved(channel: int, packet: bytes) -> bytes:
    """A frame (RFC 2326 §10.12)."""
    return bytes((0x24, channel)) + len(packet).to_bytes(2, "big") + packet


@dataclass
class Sender:
    """Numbers the packets of one source."""

    payload_type: int = 96
    sequence_number: int = 65_500
    ssrc: int = SSRC

    def packet(self, payload: bytes, timestamp: int, marker: bool, extension: bytes = b"") -> bytes:
        """The next packet."""
        built = build_packet(
            marker=marker,
            payload_type=self.payload_type,
            sequence_number=self.sequence_number,
            timestamp=timestamp,
            ssrc=self.ssrc,
            payload=payload,
            extension=extension,
        )
        self.sequence_number = self.sequence_number + 1 & 0xFFFF
        return built

    def unit(self, payloads: Sequence[bytes], timestamp: int) -> list[bytes]:
        """The packets of one access unit, the last one marked."""
        last = len(payloads) - 1
        return [
            self.packet(payload, timestamp, index == last) for index, payload in enumerate(payloads)
        ]


def report(timestamp: int, utc_us: int, ssrc: int = SSRC) -> bytes:
    """A sender report."""
    return build_sender_report(SenderReport(ssrc, ntp_from_utc_us(utc_us), timestamp & 0xFFFFFFFF))


@dataclass
class Recorder:
    """A receiver and what it delivers."""

    tracks: Iterable[TrackDescription]
    units: list[AccessUnit] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.tracks = list(self.tracks)
        self.media = MediaReceiver(self.tracks, self.units.extend, "nvr@test", 0x1234)
        for described in self.tracks:
            self.media.assign(described.index, 2 * described.index, 2 * described.index + 1)

    def feed(self, data: bytes, now: float = 100.0) -> list[object]:
        """Give a read to the receiver."""
        return list(self.media.receive(data, now, START_US + round(now * 1e6)))

    def datas(self) -> list[bytes]:
        """What was delivered."""
        return [bytes(unit.data) for unit in self.units]

"""What one RTP packet of interleaved H.264 costs: hot path, general path, and copying alone.

Run ``python tests/bench/hot_path.py``. The stream is of one camera, pictures of 12 or of 100
packets of 1400 bytes, in reads of 256 KiB. The yardstick copies the same contents out of the same
reads, packet by packet, and looks at nothing. CPU time of this thread, the best of many rounds.
"""

import random
import time

from axis_nvr.media.units import Codec
from axis_nvr.session.interleaved import build_frame
from axis_nvr.session.media import MediaReceiver
from axis_nvr.session.media_track import MediaTrack
from axis_nvr.session.tracks import TrackDescription
from axis_nvr.wire.rtp import build_packet

PACKET_BYTES = 1400
READ_BYTES = 256 * 1024
PACKETS = 3000
ROUNDS = 40
WARM_UP_UNITS = 100
SPROP = "Z2QAHqy0BQF/y4C1AQEBQAAAAwBAAAAPI8WLqA==,aO8Usiw="


def packet(number: int, timestamp: int, marker: bool, payload: bytes) -> bytes:
    """An interleaved frame."""
    built = build_packet(
        marker=marker,
        payload_type=96,
        sequence_number=number,
        timestamp=timestamp,
        ssrc=7,
        payload=payload,
    )
    return build_frame(0, built)


def stream(packets_in_unit: int) -> list[bytes]:
    """Reads of pictures of one slice each, fragmented."""
    content = random.Random(1).randbytes(PACKET_BYTES - 14).replace(b"\0\0", b"\0\1")
    frames = []
    for number in range(PACKETS):
        unit, index = divmod(number, packets_in_unit)
        first, last = index == 0, index == packets_in_unit - 1
        fragment = b"\x7c" + bytes((0x85 if first else 0x45 if last else 0x05,))
        payload = fragment + (b"\x88" + content[1:] if first else content)
        frames.append(packet(number, 3000 * unit, last, payload))
    data = b"".join(frames)
    return [data[start : start + READ_BYTES] for start in range(0, len(data), READ_BYTES)]


def warm_receiver() -> MediaReceiver:
    """A receiver that has seen enough pictures to trust its camera."""
    track = TrackDescription(
        0, "video", Codec.H264, 96, 90_000, 1, {"sprop-parameter-sets": SPROP}, "", None, "H264"
    )
    media = MediaReceiver([track], lambda units: None, "bench", 1)
    media.assign(0, 0, 1)
    for number in range(-WARM_UP_UNITS, 0):
        frame = packet(number, 3000 * number, True, b"\x41\x9a" + bytes(number % 50 + 1))
        media.receive(frame, number / 30, 0)
    return media


def receive(reads: list[bytes]) -> float:
    """CPU seconds for taking all reads."""
    media = warm_receiver()
    begin = time.thread_time()
    for index, data in enumerate(reads):
        media.receive(data, index, index * 1_000_000)
    return time.thread_time() - begin


def copy(reads: list[bytes]) -> float:
    """CPU seconds for copying the same contents, and nothing else."""
    begin = time.thread_time()
    for data in reads:
        unit = bytearray()
        view = memoryview(data)
        for start in range(18, len(data), PACKET_BYTES + 4):
            unit += view[start : start + PACKET_BYTES - 14]
    return time.thread_time() - begin


def main() -> None:
    """Print nanoseconds for each packet."""
    hot = MediaTrack.run
    for packets_in_unit in (12, 100):
        reads = stream(packets_in_unit)
        measured = {"copy": [copy(reads) for _ in range(ROUNDS)]}
        measured["hot path"] = [receive(reads) for _ in range(ROUNDS)]
        MediaTrack.run = lambda self, channel, is_held: None  # type: ignore[method-assign]
        measured["general path"] = [receive(reads) for _ in range(ROUNDS)]
        MediaTrack.run = hot  # type: ignore[method-assign]
        for name, seconds in measured.items():
            each = min(seconds) / PACKETS * 1e9
            print(f"{packets_in_unit:4} packets a unit  {name:13}{each:8.0f} ns a packet")


if __name__ == "__main__":
    main()

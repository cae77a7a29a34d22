"""A camera's stream prepared beforehand, so that sending it costs next to nothing.

The packets of a whole run lie one behind another in one buffer, interleaved frames with RTP
headers and all, sequence numbers and timestamps going on from picture to picture. Every client of
the load generator is served from the same buffer.
"""

import subprocess
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

from axis_nvr.wire.nal import split_annex_b

CLOCK_RATE = 90_000
PAYLOAD_TYPE = 96
SSRC = 0x5EED0001
#: RTP payload of a full packet; with all headers it fills an Ethernet frame.
MAX_PAYLOAD_BYTES = 1400


@dataclass(frozen=True, slots=True)
class Camera:
    """What a camera sends.

    :param size: of its pictures, in the words of ffmpeg.
    :param frame_rate: pictures a second.
    :param bit_rate: bits a second.
    """

    size: str
    frame_rate: int
    bit_rate: int


#: The cameras that are measured, by name: pictures of some 17 KB, and of some 120 KB.
CAMERAS = {"hd": Camera("1920x1080", 30, 4_000_000), "4k": Camera("3840x2160", 25, 25_000_000)}
#: Encoded, then repeated for as long as is asked for.
ENCODED_SECONDS = 8


@dataclass(frozen=True, slots=True)
class PreparedStream:
    """Interleaved frames ready to send.

    :ivar data: all frames, one behind another.
    :ivar ends: where each packet ends in `data`, in bytes.
    :ivar due: when each packet is due, in seconds since the start.
    :ivar pictures: how many pictures there are.
    :ivar frame_rate: how many of them come in a second.
    :ivar parameter_sets: SPS and PPS.
    """

    data: bytes
    ends: list[int]
    due: list[float]
    pictures: int
    frame_rate: int
    parameter_sets: tuple[bytes, bytes]


def encode(folder: Path, camera: Camera) -> Path:
    """Encode a moving test card with noise, as a camera would: one slice, no B-pictures."""
    rate, bits = camera.frame_rate, camera.bit_rate
    path = folder / f"bench-{bits}.h264"
    if not path.exists():
        picture = f"testsrc2=s={camera.size}:r={rate},noise=alls=12:allf=t"
        interval = f"keyint={2 * rate}:min-keyint={2 * rate}:scenecut=0"
        command = ["ffmpeg", "-y", "-v", "error", "-f", "lavfi", "-i", picture]
        command += ["-t", str(ENCODED_SECONDS)]
        command += ["-c:v", "libx264", "-preset", "veryfast", "-tune", "zerolatency"]
        command += ["-b:v", str(bits), "-maxrate", str(bits), "-bufsize", str(bits // 4)]
        command += ["-x264-params", f"{interval}:sliced-threads=0", "-f", "h264", str(path)]
        subprocess.run(command, check=True)
    return path


def payloads(nal_unit: bytes) -> list[bytes]:
    """Cut a NAL unit into single NAL unit or FU-A payloads (RFC 6184 §5.6, §5.8)."""
    if len(nal_unit) <= MAX_PAYLOAD_BYTES:
        return [nal_unit]
    indicator, kind = nal_unit[0] & 0xE0 | 28, nal_unit[0] & 0x1F
    step = MAX_PAYLOAD_BYTES - 2
    body = [nal_unit[start : start + step] for start in range(1, len(nal_unit), step)]
    last = len(body) - 1
    return [
        bytes((indicator, kind | (0x80 if i == 0 else 0) | (0x40 if i == last else 0))) + part
        for i, part in enumerate(body)
    ]


def pictures_of(path: Path) -> list[list[bytes]]:
    """Group an Annex B file of one slice for each picture into pictures, as NAL units."""
    pictures: list[list[bytes]] = []
    pending: list[bytes] = []
    for nal_unit in map(bytes, split_annex_b(path.read_bytes())):
        pending.append(nal_unit)
        if nal_unit[0] & 0x1F in (1, 5):
            pictures.append(pending)
            pending = []
    return pictures


def prepare(path: Path, frame_rate: int, seconds: float) -> PreparedStream:
    """Repeat the pictures of `path` for so many seconds, and packetize them."""
    picture_count, ticks = int(seconds * frame_rate), CLOCK_RATE // frame_rate
    source = pictures_of(path)
    sets = [unit for unit in source[0] if unit[0] & 0x1F in (7, 8)]
    cut = [[part for unit in picture for part in payloads(unit)] for picture in source]
    data, ends, due = bytearray(), [], []
    sequence_number = 0
    for number, parts in zip(range(picture_count), cycle(cut)):
        timestamp = (number * ticks).to_bytes(4, "big")
        for index, part in enumerate(parts):
            marker = 0x80 if index == len(parts) - 1 else 0
            data += b"$\0" + (12 + len(part)).to_bytes(2, "big")
            data += bytes((0x80, marker | PAYLOAD_TYPE)) + sequence_number.to_bytes(2, "big")
            data += timestamp + SSRC.to_bytes(4, "big") + part
            ends.append(len(data))
            due.append((number + index / len(parts)) / frame_rate)
            sequence_number = (sequence_number + 1) & 0xFFFF
    counts = picture_count, frame_rate
    return PreparedStream(bytes(data), ends, due, *counts, (sets[0], sets[1]))

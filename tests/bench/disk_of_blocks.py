"""Makes a disk of very many blocks, quickly: small files, real in all that is looked at.

Each block of 300 s is a whole Matroska file with front, tracks, a few clusters with their CRC-32
and Cues, in less than 4 KiB; beside it its XML, above it its recording's. The index has the rows of
all of it, written in bulk. The last block of each camera may be left open, as a recorder leaves it
that is killed: without Cues, Duration and stop time, and as long as is asked for.

There are inodes to mind: two and a bit for each block. Run it alone with::

    python -m tests.bench.disk_of_blocks FOLDER [--blocks 500000] [--open-megabytes 32]
"""

import argparse
import os
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from axis_nvr.storage.files import Files
from axis_nvr.storage.index import Index, RecordingRow
from axis_nvr.storage.layout import block_path, recording_path, utc_datetime, utc_text
from axis_nvr.storage.stream_tracks import StreamTracks
from axis_nvr.storage.xml import BlockStatus, BlockXml, RecordingXml, build_block, build_recording
from axis_nvr.wire.crc32 import crc32
from axis_nvr.wire.ebml import CRC_32_BYTES, date_from_us
from axis_nvr.wire.matroska import (
    Closing,
    CuePoint,
    Info,
    build_cluster,
    build_cues,
    build_front,
    build_tracks,
)
from axis_nvr.wire.matroska_format import SEEK_HEAD_BYTES
from tests.storage.making import SERIAL, START_US
from tests.storage.reading.streams import H264

BLOCK_US = 300_000_000
#: Blocks of one recording: a day of them.
BLOCKS_OF_RECORDING = 288
#: Groups of one block, and bytes of each picture.
GROUPS, PICTURE_BYTES = 15, 40
#: Groups of a block that was left open, two seconds each.
OPEN_GROUPS = 150
STREAMS = StreamTracks({0: H264})


@dataclass(frozen=True, slots=True)
class Shape:
    """How large a disk is to be.

    :param blocks: of all cameras together, those left open included.
    :param open_megabytes: size of each block left open; 0 leaves none.
    """

    blocks: int
    cameras: int = 64
    open_megabytes: float = 0.0

    @property
    def blocks_of_camera(self) -> int:
        """How many blocks each camera has."""
        return max(1, self.blocks // self.cameras)

    @property
    def stop_us(self) -> int:
        """Where the last block ends: UTC, microseconds since 1970."""
        return START_US + self.blocks_of_camera * BLOCK_US


class Template:
    """A closed block, of which only the date differs from another's."""

    def __init__(self) -> None:
        spacing_ms = BLOCK_US // 1000 // GROUPS
        tracks = build_tracks(STREAMS.matroska())
        length = len(build_front(Info(START_US, "axis_nvr", "axis_nvr bench")).data)
        segment_start = build_front(Info(START_US, "axis_nvr", "axis_nvr bench")).segment_start
        clusters, cues = b"", []
        for at in range(GROUPS):
            position = length + len(tracks) + len(clusters) - segment_start
            cues.append(CuePoint(at * spacing_ms, 1, position))
            frame = (1, at * spacing_ms, True, b"\0\0\0\x24\x65" + bytes(PICTURE_BYTES - 5))
            clusters += b"".join(build_cluster(at * spacing_ms, [frame]))
        tail = build_cues(cues)
        cues_position = length + len(tracks) + len(clusters) - segment_start
        closing = Closing(cues_position + len(tail), cues_position)
        info = Info(START_US, "axis_nvr", "axis_nvr bench", BLOCK_US / 1000)
        front = build_front(info, closing=closing).data
        self._front = bytearray(front)
        self._rest = tracks + clusters + tail
        self._check_at = segment_start + SEEK_HEAD_BYTES + 12 + 2
        self._date_at = front.index(date_from_us(START_US).to_bytes(8, "big", signed=True))
        self.size_bytes = len(front) + len(self._rest)

    def block(self, start_us: int) -> bytes:
        """A block that begins at a time."""
        front, content_at = self._front, self._check_at + CRC_32_BYTES - 2
        front[self._date_at : self._date_at + 8] = date_from_us(start_us).to_bytes(
            8, "big", signed=True
        )
        check = crc32(bytes(front[content_at:]))
        front[self._check_at : content_at] = check.to_bytes(4, "little")
        return bytes(front) + self._rest


def open_block(start_us: int, megabytes: float) -> Iterator[bytes]:
    """A block that was being written, cluster by cluster; the last one is cut."""
    yield build_front(Info(start_us, "axis_nvr", "axis_nvr bench")).data
    yield build_tracks(STREAMS.matroska())
    picture = bytes(max(PICTURE_BYTES, round(megabytes * 1e6 / OPEN_GROUPS)))
    for at in range(OPEN_GROUPS):
        yield b"".join(build_cluster(at * 2000, [(1, at * 2000, True, picture)]))
    yield b"".join(build_cluster(OPEN_GROUPS * 2000, [(1, OPEN_GROUPS * 2000, True, picture)]))[:-9]


def stamp(utc_us: int) -> str:
    """A time as names hold it; the bench lives in UTC."""
    return utc_datetime(utc_us).strftime("%Y%m%d_%H%M%S")


def camera(number: int) -> str:
    """The device id of a camera."""
    return f"camera{number:03}"


@dataclass(frozen=True, slots=True)
class Recording:
    """One recording and its blocks: start times and whether the last is left open."""

    camera: int
    starts: list[int]
    is_open: bool

    @property
    def recording_id(self) -> str:
        """Its id; the digits are the camera's."""
        return f"{stamp(self.starts[0])}_{self.camera:04X}_{SERIAL}"

    def block_id(self, start_us: int) -> str:
        """The id of its block that begins at a time."""
        return f"{stamp(start_us)}_{0x8000 + self.camera:04X}"

    def stop_us(self, start_us: int) -> int | None:
        """Where a block ends, None for the one left open."""
        return None if self.is_open and start_us == self.starts[-1] else start_us + BLOCK_US


def recordings(shape: Shape) -> Iterator[Recording]:
    """Lay out what the disk holds, camera by camera."""
    for number in range(shape.cameras):
        offset_us = number * BLOCK_US // shape.cameras
        starts = [START_US + offset_us + i * BLOCK_US for i in range(shape.blocks_of_camera)]
        for at in range(0, len(starts), BLOCKS_OF_RECORDING):
            part = starts[at : at + BLOCKS_OF_RECORDING]
            is_last = part[-1] == starts[-1]
            yield Recording(number, part, is_last and shape.open_megabytes > 0)


def make_disk(folder: Path, shape: Shape) -> None:
    """Make a disk: files first, then the index."""
    template = Template()
    folder.mkdir(parents=True, exist_ok=True)
    for recording in recordings(shape):
        _make_files(folder, recording, template, shape)
    make_index(folder, shape, template.size_bytes)


def _make_files(folder: Path, recording: Recording, template: Template, shape: Shape) -> None:
    home = folder / recording_path(recording.recording_id) / recording.recording_id
    known: set[str] = set()
    for start_us in recording.starts:
        block_id, stop_us = recording.block_id(start_us), recording.stop_us(start_us)
        path = block_path(block_id)
        if path not in known:
            known.add(path)
            os.makedirs(home / path)
        name = f"{home}/{path}/{block_id}"
        if stop_us is None:
            with open(name + ".mkv", "wb") as file:
                file.writelines(open_block(start_us, shape.open_megabytes))
        else:
            _write(name + ".mkv", template.block(start_us))
        status = BlockStatus.RECORDING if stop_us is None else BlockStatus.COMPLETE
        xml = BlockXml(block_id, recording.recording_id, start_us, stop_us, status)
        _write(name + ".xml", build_block(xml))
    _write(f"{home}/recording.xml", build_recording(_recording_xml(recording)))


def _recording_xml(recording: Recording) -> RecordingXml:
    return RecordingXml(
        recording_id=recording.recording_id,
        start_us=recording.starts[0],
        stop_us=recording.stop_us(recording.starts[-1]),
        tracks=STREAMS.xml(),
        trigger_trigger="continuous",
        trigger_name="continuous",
        trigger_type="continuous",
        device=camera(recording.camera),
        stream_options=f"device={camera(recording.camera)}",
    )


def _write(name: str, data: bytes) -> None:
    fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    os.write(fd, data)
    os.close(fd)


# The index, in bulk.


def make_index(folder: Path, shape: Shape, size_bytes: int) -> None:
    """Write the rows of a disk whose files were made."""
    connection = _open_index(folder, camera(0))
    for number, recording in enumerate(recordings(shape), 1):
        _add_recording(connection, number, recording)
        _add_blocks(connection, number, recording, size_bytes)
    _close_index(connection)


def _open_index(folder: Path, device: str) -> sqlite3.Connection:
    """Make an index with the look-up rows that all recordings share."""
    path = folder / "index.db"
    index = Index.open(Files(), path, START_US)
    with index.transaction():
        for event in ("continuous", "motion"):
            index.add_recording(
                RecordingRow(
                    recording_id=f"20200101_000000_0000_{SERIAL}",
                    start_us=START_US,
                    stop_us=START_US,
                    recording_type="continuous" if event == "continuous" else "triggered",
                    source="1",
                    event=event,
                    action=event,
                    video=STREAMS.video_row(),
                    device=device,
                )
            )
            index.drop_recording(f"20200101_000000_0000_{SERIAL}")
    index.close()
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous=OFF")
    connection.execute("PRAGMA cache_size=-262144")
    connection.execute("DELETE FROM nvr_state")
    connection.execute("BEGIN")
    return connection


def _close_index(connection: sqlite3.Connection) -> None:
    connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


_RECORDING = """
INSERT INTO recordings (id, filename, path, starttime, stoptime, recording_type_id,
    recording_source_id, recording_event_id, recording_action_id, video_id)
VALUES (?, ?, ?, ?, ?, ?, 1, ?, ?, 1)
"""
_OURS = """
INSERT INTO nvr_recordings (recording_id, device, stream_options, group_token)
VALUES (?, ?, ?, '')
"""
_BLOCK = """
INSERT INTO blocks (filename, path, starttime, stoptime, recording_id, filesize)
VALUES (?, ?, ?, ?, ?, ?)
"""


def _add_recording(connection: sqlite3.Connection, number: int, recording: Recording) -> None:
    name, device = recording.recording_id, camera(recording.camera)
    stop_us = recording.stop_us(recording.starts[-1])
    start, stop = utc_text(recording.starts[0]), None if stop_us is None else utc_text(stop_us)
    connection.execute(_RECORDING, (number, name, recording_path(name), start, stop, 1, 1, 1))
    connection.execute(_OURS, (number, device, f"device={device}"))


def _add_blocks(
    connection: sqlite3.Connection, number: int, recording: Recording, size_bytes: int
) -> None:
    rows = []
    for start_us in recording.starts:
        block_id, stop_us = recording.block_id(start_us), recording.stop_us(start_us)
        stop = None if stop_us is None else utc_text(stop_us)
        size = 0 if stop_us is None else size_bytes
        rows.append((block_id, block_path(block_id), utc_text(start_us), stop, number, size))
    connection.executemany(_BLOCK, rows)


def make_event_index(folder: Path, count: int, cameras: int = 64) -> None:
    """Make an index of very many recordings of half a minute, a block each, and no files.

    One begins each second, at each camera in turn; every hundredth is of continuous recording.
    """
    folder.mkdir(parents=True, exist_ok=True)
    connection = _open_index(folder, camera(0))
    for begin in range(0, count, 10_000):
        found = [_event(number, cameras) for number in range(begin, min(count, begin + 10_000))]
        connection.executemany(_RECORDING, [row for row, _, _ in found])
        connection.executemany(_OURS, [row for _, row, _ in found])
        connection.executemany(_BLOCK, [row for _, _, row in found])
    _close_index(connection)


_Row = tuple[object, ...]


def _event(at: int, cameras: int) -> tuple[_Row, _Row, _Row]:
    start_us = START_US + at * 1_000_000
    length_us = 3_600_000_000 if at % 100 == 0 else 30_000_000
    kind = 1 if at % 100 == 0 else 2
    text = stamp(start_us)
    name, device = f"{text}_{at & 0x7FFF:04X}_{SERIAL}", camera(at % cameras)
    start, stop = utc_text(start_us), utc_text(start_us + length_us)
    block_id = f"{text}_{0x8000 | at & 0x7FFF:04X}"
    return (
        (at + 1, name, recording_path(name), start, stop, kind, kind, kind),
        (at + 1, device, f"device={device}"),
        (block_id, block_path(block_id), start, stop, at + 1, 15_000_000),
    )


def main() -> None:
    """Make a disk and tell how long it took."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--blocks", type=int, default=500_000)
    parser.add_argument("--open-megabytes", type=float, default=32.0)
    arguments = parser.parse_args()
    began = time.monotonic()
    make_disk(arguments.folder, Shape(arguments.blocks, open_megabytes=arguments.open_megabytes))
    print(f"{arguments.blocks} blocks in {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()

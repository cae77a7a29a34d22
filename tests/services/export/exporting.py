"""Recordings on a disk, and what is made of them for those who take them away."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from axis_nvr.media.gop import Gop
from axis_nvr.media.units import AccessUnit
from axis_nvr.services.export.content import Content, lay_out
from axis_nvr.services.export.matroska_file import MatroskaFile
from axis_nvr.storage.block_reader import BlockReader
from axis_nvr.storage.files import Files
from axis_nvr.storage.index import Index
from axis_nvr.storage.reading.device_trail import DeviceTrail
from axis_nvr.storage.reading.formats import sample_restorer, track_format
from axis_nvr.storage.reading.maps import MapCache
from axis_nvr.storage.reading.parts import Part, find_parts, first_group
from axis_nvr.storage.reading.parts import joined as without_overlap
from axis_nvr.storage.reading.trail import RecordingTrail, Trail
from tests.storage.making import Bench
from tests.storage.reading.streams import Readings, UnsyncedFiles, forward


class Store:
    """A disk with recordings.

    :ivar problems: what exports complained of.
    """

    def __init__(self, folder: str) -> None:
        self.bench = Bench(folder, UnsyncedFiles())
        self.bench.disk.start()
        self.files = Files()
        self.problems: list[tuple[str, str]] = []

    def record(self, gops: Iterable[Gop], *, closed: bool = True) -> str:
        """Record groups; gives the recording's id."""
        gops = list(gops)
        recording = self.bench.open(start_us=gops[0].units[0].utc_us)
        self.bench.write(recording, *gops)
        if closed:
            self.bench.close(recording)
        return recording.recording_id

    def close(self) -> None:
        self.bench.disk.stop()

    def units(self, recording_id: str) -> list[AccessUnit]:
        """What the disk's own reader says is in a recording."""
        readings = Readings(self.bench.folder)
        gops = forward(readings.recording(recording_id))
        readings.close()
        return [unit for gop in gops for unit in gop.units]

    def content(
        self,
        recording_id: str = "",
        start_us: int | None = None,
        stop_us: int | None = None,
        device: str = "",
    ) -> Content:
        """Lay out a recording, or all of a device."""
        index = Index.open_read_only(self.files, self.bench.folder / "index.db")
        maps = MapCache(self.files, self.bench.folder)
        trail: Trail = RecordingTrail(lambda: index, recording_id)
        if device:
            trail = DeviceTrail(lambda: index, device)
        try:
            found = list(find_parts(index, maps, trail, start_us, stop_us))
            if not any(isinstance(part, Part) for part in found):
                first = first_group(index, maps, trail)
                found = [] if first is None else [first]
            return lay_out(self.files, without_overlap(found))
        finally:
            index.close()

    def matroska(self, content: Content) -> MatroskaFile:
        """Make a file of it."""
        return MatroskaFile(
            self.files, content, "a test", complain=lambda *told: self.problems.append(told)
        )


def joined(pieces: Iterable[Any]) -> bytes:
    return b"".join(map(bytes, pieces))


def read_back(path: Path, data: bytes) -> dict[str, list[tuple[int, bool, bytes]]]:
    """Read a Matroska file: time in UTC, key frame and bytes of each frame, by kind of track."""
    path.write_bytes(data)
    frames: dict[str, list[tuple[int, bool, bytes]]] = {}
    with BlockReader(Files(), path) as file:
        assert file.info is not None
        tracks = {track.number: track for track in file.tracks}
        for span in file.clusters():
            cluster = file.read_cluster(span)
            assert cluster.checked
            for frame in cluster.frames:
                track = tracks[frame.track]
                form = track_format(track)
                restore = None if form is None else sample_restorer(form)
                frame_data = bytes(frame.data) if restore is None else restore(bytes(frame.data))
                utc_us = file.info.date_us + frame.time_ms * 1000
                kind = f"{track.codec_id} {track.codec_private.hex()[:8]}"
                frames.setdefault(kind, []).append((utc_us, frame.keyframe, frame_data))
    return frames


def of_track(units: Sequence[AccessUnit], codec: str) -> list[AccessUnit]:
    return [unit for unit in units if unit.format.codec == codec]

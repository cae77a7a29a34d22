"""Disks as an unclean stop leaves them."""

from pathlib import Path

from axis_nvr.media.units import Gap, GapReason
from axis_nvr.storage.block_reader import BlockReader
from axis_nvr.storage.files import Files
from axis_nvr.storage.recording import RecordingWriter
from axis_nvr.wire.matroska_elements import Id
from tests.storage.making import AUDIO, START_US, Bench, gop_of, unit, video_gop

SECOND = 1_000_000
#: How long a group of `groups` is.
GROUP_US = 2 * SECOND
GAP = Gap(START_US + SECOND, START_US + 2 * SECOND, GapReason.PACKETS_LOST, 7, "in between")


class Unsynced(Files):
    """The real disk, in haste: for tests that do not lose power."""

    def sync(self, fd: int) -> None:
        pass

    def sync_folder(self, path: Path) -> None:
        pass


def kill(bench: Bench) -> None:
    """End a disk as far as it can tell: nothing is closed, the lock goes with the process."""
    bench.disk.place.index.close()
    bench.disk._unlock()


def write_groups(bench: Bench, recording: RecordingWriter, count: int, *, begin: int = 0) -> None:
    """Write groups of four pictures and a frame of sound, each a batch of its own."""
    for at in range(begin, begin + count):
        start_us = START_US + at * GROUP_US
        units = list(video_gop(start_us).units)
        units.insert(2, unit(start_us + 700_000, track=1, sync=True, data=bytes(90), form=AUDIO))
        gaps = [GAP] if at == 1 else []
        (outcome,) = bench.write(recording, gop_of(units, start_us + GROUP_US, gaps=gaps))
        assert outcome is None


def killed(folder: str, count: int = 3) -> Bench:
    """A disk that was killed in its first recording, after so many groups."""
    bench = Bench(folder)
    bench.disk.start()
    write_groups(bench, bench.open(), count)
    kill(bench)
    return bench


def content(path: Path) -> list[tuple[int, int, bytes]]:
    """Each frame of a block: track, time and data."""
    with BlockReader(Files(), path) as block:
        clusters = [block.read_cluster(span) for span in block.clusters()]
    return [(f.track, f.time_ms, bytes(f.data)) for c in clusters for f in c.frames]


def ends_of_clusters(path: Path) -> list[int]:
    """Where each cluster ends."""
    with BlockReader(Files(), path) as block:
        return [span.end for span in block.clusters()]


def assert_closed(path: Path) -> None:
    """A block is as one that was closed: its sizes, checks, Cues, and nothing behind them."""
    with BlockReader(Files(), path) as block:
        assert block.info is not None
        assert block.info.duration_ms is not None, "no Duration"
        assert block.segment_end == block.size_bytes == path.stat().st_size, "Segment's size"
        spans = list(block.spans())
        assert spans[-1].end == block.size_bytes, "something behind the last element"
        offsets = [span.offset - block.segment_start for span in spans if span.id == Id.CLUSTER]
        assert all(block.read_cluster(span).checked is not False for span in block.clusters())
        cues = block.cues()
        assert cues is not None, "no Cues"
        assert [cue.position for cue in cues] == offsets, "Cues"
        block.tags()

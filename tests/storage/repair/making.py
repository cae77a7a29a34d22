"""Disks as an unclean stop leaves them."""

from pathlib import Path
from typing import Any, cast

from axis_nvr.media.units import Gap, GapReason
from axis_nvr.storage.block_reader import BlockReader
from axis_nvr.storage.checking.disk import DiskCheck
from axis_nvr.storage.checking.findings import Finding
from axis_nvr.storage.chore_thread import ChoreMaker
from axis_nvr.storage.files import Files, IFiles
from axis_nvr.storage.index import Index
from axis_nvr.storage.layout import INDEX_NAME, LOCK_NAME
from axis_nvr.storage.locks import find_locks
from axis_nvr.storage.recording import RecordingWriter
from axis_nvr.storage.repair.rebuild import Rebuild
from axis_nvr.storage.repair.unclean import Repair
from axis_nvr.wire.matroska_elements import Id
from tests.storage.making import (
    AUDIO,
    START_US,
    Bench,
    Digits,
    FailingFiles,
    gop_of,
    unit,
    video_gop,
)

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
    bench.disk._teller.close()
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


def do_chores(bench: Bench, *, rebuilds: bool = True) -> Repair:
    """Do rebuild and repair, until there is nothing to do at once; give the latter."""
    premises = bench.disk.premises()
    makers: list[ChoreMaker] = [Rebuild, Repair] if rebuilds else [Repair]
    chores = [make(premises) for make in makers]
    try:
        for chore in chores:
            while chore.step() == 0:
                pass
    finally:
        premises.index.close()
    (repair,) = (chore for chore in chores if isinstance(chore, Repair))
    return repair


def restarted(folder: str | Path, files: FailingFiles | None = None) -> Bench:
    """The next run of a recorder, its chores not done yet."""
    bench = Bench(str(folder), files)
    bench.disk._digits = Digits(0xB000)
    bench.disk.start()
    return bench


def tree(folder: Path) -> dict[str, bytes]:
    """All files of a disk but its index and lock."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith((INDEX_NAME, LOCK_NAME))
    }


def meaning(folder: Path) -> dict[str, list[Any]]:
    """What an index says, without the numbers of its rows."""
    index = Index.open_read_only(Files(), folder / INDEX_NAME)
    try:
        recordings = list(index.recordings())
        return {
            "recordings": recordings,
            "blocks": sorted(index.blocks(), key=lambda row: row.block_id),
            "gaps": [list(index.gaps(row.recording_id)) for row in recordings],
            "locks": [lock for row in recordings for lock in find_locks(index, row.recording_id)],
            "look-ups": [sorted(index.query(f"SELECT {c} FROM {t}")) for t, c in _LOOK_UPS],  # noqa: S608
            "paths": sorted(index.query("SELECT filename, path FROM recordings")),
        }
    finally:
        index.close()


_LOOK_UPS = (
    ("recording_types", "recording_type"),
    ("recording_sources", "source_name"),
    ("recording_events", "event_name"),
    ("recording_actions", "action_name"),
    ("videos", "videos_type, videos_properties"),
    ("audios", "audios_type, audios_properties"),
    ("nvr_recordings", "device, stream_options, group_token, starttime"),
)


def findings(folder: Path) -> list[str]:
    """What a check of the disk finds."""
    index = Index.open_read_only(Files(), folder / INDEX_NAME)
    try:
        check = DiskCheck(cast(IFiles, Files()), folder, index, wait=lambda seconds: None)
        return [str(found) for found in check.run() if isinstance(found, Finding)]
    finally:
        index.close()

"""One block being written: a Matroska file that grows by a cluster at a time.

Steps, and what holds after each:

1. `append` of the first cluster creates the file; its front, its tracks and the cluster go out in
   one gathered write. Nothing of it counts yet.
2. `sync` makes all that was appended survive a power cut; the caller then syncs the folder.
3. further `append` and `sync`: one gathered write per cluster. After each `sync` the name is looked
   at: a file that somebody removed takes bytes as ever, and they are gone when it is closed.
4. `finish` appends Cues and Tags and writes Duration, the Segment's size and where Cues and Tags
   are over the first few hundred bytes; the Tracks are not touched. Until the `sync` that follows,
   the block's XML says that the block is open, so that whoever finds it so closes it again. Where
   it is known with a cluster that none will follow, `append` does this too, and Cues and Tags go
   out with the cluster.

When a call fails, the file is cut back to the bytes that are known to be good. After a failed
`sync` these are the bytes of the last one that worked; it is not tried again.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from axis_nvr.errors import StorageError, StorageErrorKind
from axis_nvr.storage.clusters import PlannedCluster
from axis_nvr.storage.files import IFiles, storage_errors, write_at, write_pieces
from axis_nvr.storage.sync_threads import Pending, Submit
from axis_nvr.wire.matroska import (
    Closing,
    CuePoint,
    Info,
    Track,
    build_cluster,
    build_cues,
    build_front,
    build_tags,
    build_tracks,
)


@dataclass(frozen=True, slots=True)
class BlockHead:
    """What a block begins with.

    :param date_us: its start: UTC, microseconds since 1970.
    :param product: who writes it.
    """

    tracks: tuple[Track, ...]
    date_us: int
    product: str

    @property
    def info(self) -> Info:
        """The Info of the open block."""
        return Info(self.date_us, "axis_nvr", self.product)

    @property
    def version(self) -> int:
        """DocTypeVersion: what Opus needs is in version 4."""
        return 4 if any(track.seek_pre_roll_ns for track in self.tracks) else 2


@dataclass(frozen=True, slots=True)
class Ending:
    """What a block ends with.

    :param tags: names and values.
    """

    duration_ms: float
    tags: Sequence[tuple[str, str]] = ()


class BlockWriter:
    """Writes one block.

    :param path: a file that does not exist yet.
    :ivar written_bytes: what was written so far.
    :ivar good_bytes: what of it is durable.
    """

    def __init__(self, files: IFiles, path: Path, head: BlockHead) -> None:
        self.path = path
        self.written_bytes = 0
        self.good_bytes = 0
        self._files = files
        self._head = head
        self._tracks = build_tracks(head.tracks)
        self._front = build_front(head.info, version=head.version)
        self._cues: list[CuePoint] = []
        with storage_errors(path, "create a block"):
            self._fd = files.create(path)
        self._is_open = self._is_sound = True
        self._identity: tuple[int, int] | None = None
        self._syncing: Pending | None = None

    @property
    def cues(self) -> Sequence[CuePoint]:
        """Where in the Segment's data each key frame's cluster is, so far."""
        return self._cues

    @property
    def segment_start(self) -> int:
        """Where in the file the Segment's data begins: what the cues count from."""
        return self._front.segment_start

    def append(self, cluster: PlannedCluster, ending: Ending | None = None) -> None:
        """Write a cluster with one gathered write.

        :param ending: what makes a whole block of it, if no cluster follows; `sync` and `close`
            come after this.
        :raises StorageError: it could not; the clusters are as they were before, what is in front
            of Tracks may be half written.
        """
        pieces = build_cluster(cluster.timestamp_ms, cluster.frames)
        before = position = self.written_bytes
        if not position:
            begin = self._front.data + self._tracks
            pieces.insert(0, begin)
            position = len(begin)
        cues = self._cues
        if cluster.cue is not None:
            track, time_ms = cluster.cue
            cues = [*cues, CuePoint(time_ms, track, position - self._front.segment_start)]
        if ending is None:
            self._write(pieces)
        else:
            end = before + sum(map(len, pieces))
            tail, closing = self._tail(end, cues, ending)
            self._write([*pieces, tail])
            self._write_front(ending, closing, before)
        self._cues = cues

    def _write(self, pieces: Sequence[bytes | bytearray]) -> None:
        if not self._is_sound:
            message = "what was written in part could not be cut off"
            raise StorageError(StorageErrorKind.FAILED, self.path, message)
        try:
            with storage_errors(self.path, "write"):
                self.written_bytes += write_pieces(self._files, self._fd, pieces)
        except StorageError:
            self._cut(self.written_bytes)
            raise

    def _cut(self, size_bytes: int) -> None:
        """Cut the file back; if the disk refuses even this, repair will do it later."""
        try:
            self._files.truncate(self._fd, size_bytes)
        except OSError:
            self._is_sound = False
        self.written_bytes = size_bytes

    def take_back(self, size_bytes: int) -> None:
        """Take back the clusters behind a place, none of which was synced. Raises nothing."""
        self._cut(size_bytes)
        kept = size_bytes - self._front.segment_start
        self._cues = [cue for cue in self._cues if cue.position < kept]

    def start_writing(self) -> None:
        """Have what is written so far go to the disk, ahead of `sync`."""
        self._files.start_writing(self._fd)

    def start_sync(self, submit: Submit) -> None:
        """Have another thread make durable what is written so far; `sync` waits for it."""
        self._syncing = submit(partial(self._files.sync, self._fd))

    def sync(self) -> None:
        """Make everything written so far durable.

        :raises StorageError: it could not: `give_up` is all that is left to do.
        """
        syncing, self._syncing = self._syncing, None
        with storage_errors(self.path, "sync"):
            if syncing is None:
                self._files.sync(self._fd)
            else:
                syncing.wait()
        self._check_name()
        self.good_bytes = self.written_bytes

    def _check_name(self) -> None:
        """Make sure that the file can be found by its name."""
        try:
            with storage_errors(self.path, "find the block again"):
                identity = self._files.identity(self.path)
        except StorageError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                message = "somebody removed the block while it was being written"
                raise StorageError(StorageErrorKind.FAILED, self.path, message) from error
            raise
        if identity != (self._identity or identity):
            message = "another file has taken the name of the block that is being written"
            raise StorageError(StorageErrorKind.FAILED, self.path, message)
        self._identity = identity

    def finish(self, ending: Ending) -> None:
        """Write what makes a whole block of it; `sync` and `close` come after this.

        :raises StorageError: it could not; the clusters are as they were before, what is in front
            of Tracks may be half written.
        """
        end = self.written_bytes
        tail, closing = self._tail(end, self._cues, ending)
        self._write([tail])
        self._write_front(ending, closing, end)

    def _tail(
        self, end: int, points: Sequence[CuePoint], ending: Ending
    ) -> tuple[bytes | bytearray, Closing]:
        """Give what stands behind the last cluster, and what the front says of it.

        :param end: where in the file that cluster ends.
        """
        position = end - self._front.segment_start
        cues = build_cues(points)
        tail = cues + build_tags(ending.tags) if ending.tags else cues
        tags_position = position + len(cues) if ending.tags else None
        return tail, Closing(position + len(tail), position, tags_position)

    def _write_front(self, ending: Ending, closing: Closing, good_end: int) -> None:
        """Make the front that of a closed block.

        :param good_end: where the file is cut off if that fails.
        """
        front = build_front(
            replace(self._head.info, duration_ms=ending.duration_ms),
            version=self._head.version,
            closing=closing,
        )
        try:
            with storage_errors(self.path, "close a block"):
                write_at(self._files, self._fd, front.data, 0)
        except StorageError:
            self._cut(good_end)
            raise

    def close(self) -> None:
        """Close the file.

        :raises StorageError: the system says that earlier writes failed.
        """
        self._is_open = False
        with storage_errors(self.path, "close a block"):
            try:
                if self._syncing is not None:
                    self._syncing.wait()
            finally:
                self._files.close(self._fd)

    def give_up(self, *, keep: bool) -> None:
        """Close the file at its last good byte, if it is still open. Raises nothing.

        :param keep: False removes the file: nobody was told of it.
        """
        if self._is_open:
            with suppress(OSError):  # what stays behind the good bytes is found by its check
                self._files.truncate(self._fd, self.good_bytes)
            with suppress(StorageError):
                self.close()
        if not keep:
            with suppress(OSError):
                self._files.remove(self.path)

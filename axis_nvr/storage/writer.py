"""What a disk's writer thread does, without the thread: batches of jobs in, outcomes out.

One batch is everything that was queued. Each group of it is one gathered write; each file is synced
once, however many of its groups are in the batch; the index is written once, if there is anything
to tell it that cannot wait (`axis_nvr.storage.index_news`). So a disk that falls behind does larger
batches and fewer syncs. A batch may be empty, when it is time to tell the index.
"""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import tzinfo
from pathlib import Path

from axis_nvr.errors import NvrError, StorageError, StorageErrorKind
from axis_nvr.storage.disk_lock import DiskLock
from axis_nvr.storage.files import IFiles, Space, storage_errors
from axis_nvr.storage.housekeeping import Premises
from axis_nvr.storage.index import Index
from axis_nvr.storage.index_news import GATHER_FREE_BYTES
from axis_nvr.storage.jobs import CloseRecording, Job
from axis_nvr.storage.layout import INDEX_NAME, LOCK_NAME, is_day_folder
from axis_nvr.storage.place import Place
from axis_nvr.storage.recording import RecordingDetails, RecordingWriter
from axis_nvr.storage.repair.opening import condemn_index, put_broken_index_aside
from axis_nvr.storage.settle import settle
from axis_nvr.storage.sync_threads import Submit
from axis_nvr.storage.trial import try_out

#: How often it is looked whether the disk and its index are still there, and how full it is, in
#: seconds.
LOOK_SECONDS = 5.0
#: Changes of the index that may wait for it, of all recordings: an index that takes none for so
#: long is broken. The blocks themselves tell what is in them.
MAX_WAITING_INDEX_WRITES = 20_000
#: While nothing else is to be written, an index that took no change is tried again after so long,
#: in seconds.
INDEX_RETRY_SECONDS = 1.0
#: An index that fails so often in a row, with errors that do not pass by themselves, is lost.
MAX_INDEX_FAILURES = 5

#: What could not be made durable, by recording.
Failures = dict[RecordingWriter | None, StorageError]


class DiskWriter:
    """Owns a disk's folder and index while it is open; not safe for threads.

    :param now: the UTC clock, seconds since 1970.
    :param monotonic: a clock that never steps, in seconds.
    :ivar recordings: those being written, by id.
    :ivar space: room on the disk when it was last looked at.
    :ivar trouble: what is wrong with the disk as a whole, though its files may still take bytes.
    :ivar last_serial: the serial number of the recorder that used the disk before; empty: nobody
        did, or it is not known.
    :ivar submit: has files synced by other threads; None: this one syncs them.
    :ivar is_known: the folder was a disk before: an empty one is no disk, but where it was mounted.
    """

    def __init__(
        self,
        files: IFiles,
        folder: Path,
        *,
        serial: str,
        product: str,
        zone: tzinfo | None,
        digits: Callable[[], int],
        now: Callable[[], float],
        monotonic: Callable[[], float],
    ) -> None:
        self.recordings: dict[str, RecordingWriter] = {}
        self.written_gops = 0
        self.written_bytes = 0
        self.space = Space(0, 0)
        self.trouble: StorageError | None = None
        self.last_serial = ""
        self.is_known = False
        self.submit: Submit | None = None
        self._monotonic = monotonic
        self._files = files
        self._folder = folder
        self._names = {"serial": serial, "product": product}
        self._zone = zone
        self._digits = digits
        self._now = now
        self._place: Place | None = None
        self._lock: DiskLock | None = None
        self._looked_at: float | None = None
        self._index_identity = (0, 0)
        self._index_failures = 0
        self._untold: list[RecordingWriter] = []

    def monotonic(self) -> float:
        """See `IJobDisk`."""
        return self._monotonic()

    @property
    def place(self) -> Place:
        """The open disk."""
        if self._place is None:
            raise StorageError(StorageErrorKind.ABSENT, self._folder, "the disk is not open")
        return self._place

    def start(self) -> int:
        """Open the disk: folder, lock, index; settle what an earlier run left open.

        :returns: how many blocks and recordings an earlier run left open.
        :raises StorageError: another process has the disk, or it cannot be used.
        """
        files, folder = self._files, self._folder
        if self.is_known and not _is_disk(files, folder):
            asked = f"To begin a new disk here, create {folder / LOCK_NAME}"
            message = f"nothing of the disk is there: is it mounted? {asked}"
            raise StorageError(StorageErrorKind.ABSENT, folder, message)
        with storage_errors(folder, "make the disk's folder"):
            _make_folders(files, folder)
        self._lock = DiskLock.take(files, folder, self._names["serial"], int(self._now() * 1e6))
        self.last_serial = self._lock.last_serial
        index = None
        try:
            put_broken_index_aside(files, folder, int(self._now() * 1e6))
            index = Index.open(files, folder / INDEX_NAME, int(self._now() * 1e6))
            unfinished = settle(index)
            self._place = Place(
                files, folder, index, zone=self._zone, digits=self._digits, **self._names
            )
            with storage_errors(folder / INDEX_NAME, "find the index"):
                self._index_identity = files.identity(folder / INDEX_NAME)
        except BaseException:
            self._place = None
            if index is not None:
                index.close()
            self._unlock()
            raise
        self._look_over()
        return unfinished

    def stop(self) -> None:
        """Close every recording, then the index and the lock.

        :raises StorageError: something of the last bytes is not durable.
        """
        jobs = [CloseRecording(recording) for recording in self.recordings.values()]
        try:
            outcomes = self.process(jobs)
        finally:
            if self._place is not None:
                self._place.index.close()
                self._place = None
            self._unlock()
        for outcome in outcomes:
            if isinstance(outcome, NvrError):
                raise outcome

    def premises(self) -> Premises:
        """Give what chores on the open disk work with, with an index connection of its own.

        :raises StorageError: the index cannot be opened a second time.
        """
        return Premises(
            self._files,
            self._folder,
            Index.join(self._files, self._folder / INDEX_NAME),
            self._now,
            lambda: frozenset(self.recordings),
            self._zone,
            self._names["product"],
            written_bytes=lambda: self.written_bytes,
        )

    def abandon(self) -> None:
        """Let go of a disk that was opened and cannot be used after all; raises nothing."""
        if self._place is not None:
            with suppress(NvrError):
                self.stop()

    def _unlock(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def open_recording(self, details: RecordingDetails, start_us: int) -> RecordingWriter:
        """Begin a recording; nothing of it is on the disk before its first group."""
        place = self.place
        recording_id = place.choose_recording_id(start_us)
        recording = RecordingWriter(place, recording_id, details)
        self.recordings[recording_id] = recording
        return recording

    def try_out(self) -> None:
        """See whether the disk takes bytes.

        :raises StorageError: it does not.
        """
        self.place.check_present()
        try_out(self._files, self._folder)

    def process(self, jobs: Iterable[Job]) -> list[object]:
        """Do a batch.

        :returns: for each job, in order, what its `Job.perform` gave, or the `NvrError` that says
            why it is not done.
        """
        jobs = list(jobs)
        outcomes: list[object] = []
        for job in jobs:
            try:
                outcomes.append(job.perform(self))
            except NvrError as error:
                outcomes.append(error)
        has_failed = any(isinstance(outcome, NvrError) for outcome in outcomes)
        failures = self._sync(dict.fromkeys(job.recording for job in jobs), has_failed=has_failed)
        if failures or has_failed:
            self._distrust()
        for at, job in enumerate(jobs):
            if job.recording in failures and not isinstance(outcomes[at], NvrError):
                outcomes[at] = failures[job.recording]
            if isinstance(job, CloseRecording):
                self._let_go(job.recording)
        self._look_over()
        return outcomes

    def _let_go(self, recording: RecordingWriter) -> None:
        self.recordings.pop(recording.recording_id, None)
        if recording.index_writes:
            self._untold.append(recording)

    def _sync(self, recordings: Iterable[RecordingWriter | None], *, has_failed: bool) -> Failures:
        """Make a batch durable and tell the index; what failed, by recording.

        All files are on their way before the first is waited for, synced side by side where there
        are threads for it: so the disk has them together, and those that wait share a commit of the
        file system's journal.

        :param has_failed: something of the batch could not even be written.
        """
        failures: Failures = {}
        now = self.monotonic()
        touched = [recording for recording in recordings if recording is not None]
        if len(touched) > 1:
            for recording in touched:
                recording.start_sync(self.submit)
        for recording in touched:
            try:
                recording.sync(now)
            except StorageError as error:
                failures[recording] = error
        waiting = self._waiting()
        is_well = not (has_failed or failures) and self.space.free_bytes >= GATHER_FREE_BYTES
        if not waiting or (is_well and all(it.index_writes.due > now for it in waiting)):
            return failures
        try:
            self._tell_index(waiting)
        except StorageError as error:  # what is not told stays, for the next batch
            for recording in waiting:
                if recording.index_writes:
                    failures.setdefault(recording, error)
            self._doubt_index(error)
        else:
            self._index_failures = 0
            self.place.reserved = set(self.recordings)
        self._untold = [recording for recording in self._untold if recording.index_writes]
        return failures

    def _waiting(self) -> list[RecordingWriter]:
        """Give the recordings of which the index does not know all yet."""
        return [it for it in (*self._untold, *self.recordings.values()) if it.index_writes]

    def index_delay(self) -> float | None:
        """Tell in how many seconds the index is to be told what it does not know.

        :returns: None if it knows everything. An index that has just refused is not asked at once.
        """
        due = min((it.index_writes.due for it in self._waiting()), default=None)
        if due is None:
            return None
        return max(due - self.monotonic(), INDEX_RETRY_SECONDS if self._index_failures else 0.0)

    def _doubt_index(self, error: StorageError) -> None:
        """Tell whether the index is lost: it is opened again then, or made anew from the files."""
        self._index_failures += 1
        waiting = sum(len(it.index_writes) for it in (*self._untold, *self.recordings.values()))
        if waiting > MAX_WAITING_INDEX_WRITES:
            for recording in (*self._untold, *self.recordings.values()):
                recording.index_writes.clear()
        is_passing = error.kind in (StorageErrorKind.LOCKED, StorageErrorKind.FULL)
        is_lost = error.kind is StorageErrorKind.CORRUPT or waiting > MAX_WAITING_INDEX_WRITES
        if is_lost:
            condemn_index(self._files, self._folder)
        if is_lost or (self._index_failures >= MAX_INDEX_FAILURES and not is_passing):
            self.trouble = StorageError(StorageErrorKind.CORRUPT, error.path, error.message)

    def _tell_index(self, recordings: Sequence[RecordingWriter]) -> None:
        """Write to the index what it does not know yet, in one transaction."""
        index = self.place.index
        for recording in recordings:
            recording.lay_out_gaps()
        try:
            with index.transaction():
                for recording in recordings:
                    for write in recording.index_writes:
                        write(index)
        except StorageError as error:
            if not isinstance(error.__cause__, sqlite3.IntegrityError):
                raise
            if len(recordings) == 1:  # never writable: the files tell it when it is rebuilt
                recordings[0].index_writes.clear()
                raise
            for recording in recordings:  # the others are not to suffer
                with suppress(StorageError):
                    self._tell_index([recording])
            raise
        for recording in recordings:
            recording.index_writes.clear()

    def _distrust(self) -> None:
        if self._place is not None:
            self._place.distrust_folders()

    def _look_over(self) -> None:
        """See how full the disk is, and whether it is still the one that was opened.

        A disk that was unmounted, or whose index somebody removed, may well go on taking bytes
        where nobody finds them.
        """
        now = self.monotonic()
        if self._looked_at is not None and now - self._looked_at < LOOK_SECONDS:
            return
        self._looked_at = now
        try:
            self.space = self._files.space(self._folder)
            self.place.check_present()
            self._check_index()
        except OSError:
            self.space = Space(0, 0)
        except StorageError as error:
            self.trouble = error

    def _check_index(self) -> None:
        path = self._folder / INDEX_NAME
        try:
            found = self._files.identity(path)
        except FileNotFoundError:
            found = (0, 0)
        if found != self._index_identity:
            message = "somebody removed it while the disk was in use"
            raise StorageError(StorageErrorKind.CORRUPT, path, message)


def _is_disk(files: IFiles, folder: Path) -> bool:
    """Tell whether anything of a disk is in a folder; a lock file alone is enough."""
    if any(files.exists(folder / name) for name in (LOCK_NAME, INDEX_NAME)):
        return True
    with storage_errors(folder, "look into the disk's folder"):
        return files.exists(folder) and any(map(is_day_folder, files.list_folder(folder)))


def _make_folders(files: IFiles, folder: Path) -> None:
    """Make a folder and those above it, with durable names, also of what an earlier try left."""
    if files.exists(folder):
        with suppress(PermissionError):  # a mount point may be in a folder that is not ours
            files.sync_folder(folder.parent)
        return
    if folder.parent != folder:
        _make_folders(files, folder.parent)
    files.make_folder(folder)
    try:
        files.sync_folder(folder.parent)
    except OSError:  # made anew next time: a sync that failed is not tried again
        with suppress(OSError):
            files.remove_folder(folder)
        raise

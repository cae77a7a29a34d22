"""What a disk's writer thread does, without the thread: batches of jobs in, outcomes out.

One batch is everything that was queued. Each group of it is one gathered write; each file is synced
once, however many of its groups are in the batch; the index is written once, if there is anything
to tell it that cannot wait (`axis_nvr.storage.index_news`). So a disk that falls behind does larger
batches and fewer syncs. A batch may be empty, when it is time to tell the index.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import tzinfo
from functools import partial
from pathlib import Path

from axis_nvr.errors import NvrError, StorageError, StorageErrorKind
from axis_nvr.storage.asking import ASK_SECONDS, answer
from axis_nvr.storage.disk_lock import DiskLock
from axis_nvr.storage.files import IFiles, Space, storage_errors
from axis_nvr.storage.horizon import Horizon
from axis_nvr.storage.housekeeping import Premises
from axis_nvr.storage.index import Index
from axis_nvr.storage.index_news import GATHER_FREE_BYTES
from axis_nvr.storage.index_teller import Failures, IndexTeller
from axis_nvr.storage.jobs import CloseRecording, Job
from axis_nvr.storage.layout import INDEX_NAME, LOCK_NAME, is_day_folder
from axis_nvr.storage.place import Place
from axis_nvr.storage.recording import RecordingDetails, RecordingWriter
from axis_nvr.storage.repair.opening import put_broken_index_aside
from axis_nvr.storage.repair.strays import hour_to_begin_from
from axis_nvr.storage.settle import settle
from axis_nvr.storage.sync_threads import Submit
from axis_nvr.storage.trial import try_out

#: How often it is looked whether the disk and its index are still there, and how full it is, in
#: seconds.
LOOK_SECONDS = 5.0


class DiskWriter:
    """Owns a disk's folder and index while it is open; not safe for threads.

    :param now: the UTC clock, seconds since 1970.
    :param monotonic: a clock that never steps, in seconds.
    :ivar space: room on the disk when it was last looked at.
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
        self.written_gops = 0
        self.written_bytes = 0
        self.space = Space(0, 0)
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
        self._asked_at = 0.0
        self._index_identity = (0, 0)
        self._trouble: StorageError | None = None
        self._teller = IndexTeller(files, folder, monotonic)

    def monotonic(self) -> float:
        """See `IJobDisk`."""
        return self._monotonic()

    @property
    def recordings(self) -> Mapping[str, RecordingWriter]:
        """Those being written, by id; replaced, never changed."""
        return self._teller.running

    @property
    def trouble(self) -> StorageError | None:
        """What is wrong with the disk as a whole, though its files may still take bytes."""
        return self._teller.trouble or self._trouble

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
            horizon = Horizon.of(index, hour_to_begin_from(index, self._now(), self._zone))
            zone, digits = self._zone, self._digits
            self._place = Place(
                files, folder, index, horizon, zone=zone, digits=digits, **self._names
            )
            self._teller.open(index, horizon)
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
            now = self.monotonic()
            outcomes += self._teller.tell_what_is_due(now, at_once=True).values()
        finally:
            self._teller.close()
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
            self._teller.busy_ids,
            self._zone,
            self._names["product"],
            written_bytes=lambda: self.written_bytes,
            catch_up=self._teller.catch_up,
            settled=self._teller.settle,
        )

    def catch_up(self, *, recordings_only: bool = False) -> None:
        """See `IndexTeller.catch_up`; safe from any thread, raises nothing."""
        self._teller.catch_up(recordings_only=recordings_only)

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
        self._teller.begin(recording)
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
                self._teller.let_go(job.recording)
        self._look_over()
        return outcomes

    def _sync(self, recordings: Iterable[RecordingWriter | None], *, has_failed: bool) -> Failures:
        """Make a batch durable and tell the index; what failed, by recording.

        All files are on their way before the first is waited for, synced side by side where there
        are threads for it: so the disk has them together, and those that wait share a commit of the
        file system's journal. So are XML and names of recordings and blocks that begin or end: each
        of them waits for the disk four times.

        :param has_failed: something of the batch could not even be written.
        """
        failures: Failures = {}
        now = self.monotonic()
        touched = [recording for recording in recordings if recording is not None]
        if len(touched) > 1:
            for recording in touched:
                recording.start_sync(self.submit)
        submit = self.submit if len(touched) > 1 else None
        syncing: dict[RecordingWriter, Callable[[], None]] = {}
        for recording in touched:
            sync = partial(recording.sync, now)
            by_others = submit if recording.has_papers else None
            syncing[recording] = sync if by_others is None else by_others(sync).wait
        for recording, finish in syncing.items():
            try:
                finish()
            except StorageError as error:
                failures[recording] = error
        is_well = not (has_failed or failures) and self.space.free_bytes >= GATHER_FREE_BYTES
        untold = self._teller.tell_what_is_due(now, at_once=not is_well)
        if self._place is not None and self._teller.knows_all:
            self._place.reserved = set(self.recordings)
        return {**untold, **failures}

    def index_delay(self) -> float:
        """Tell in how many seconds there is something to do though nothing is to be written.

        The index is told what is due, it is looked whether another process asks what is new, and
        whether the disk is still there.
        """
        delay = self._teller.delay()
        return ASK_SECONDS if delay is None else min(delay, ASK_SECONDS)

    def _distrust(self) -> None:
        if self._place is not None:
            self._place.distrust_folders()

    def _look_over(self) -> None:
        """See how full the disk is, and whether it is still the one that was opened.

        A disk that was unmounted, or whose index somebody removed, may well go on taking bytes
        where nobody finds them.
        """
        now = self.monotonic()
        if now - self._asked_at >= ASK_SECONDS:
            self._asked_at = now
            answer(self._files, self._folder, self._teller.catch_up)
        if self._looked_at is not None and now - self._looked_at < LOOK_SECONDS:
            return
        self._looked_at = now
        try:
            self.place.check_present()
            self._check_index()
            self.space = self._files.space(self._folder)
        except OSError:
            self.space = Space(0, 0)
        except StorageError as error:
            self._trouble = error

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

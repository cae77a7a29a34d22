"""The disks as clients see them and what clients do with them, beside recording and reading."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.interfaces import IReactorTime

from axis_nvr.services.disk_encryption import DiskEncryption, EncryptionRefused, Refusal
from axis_nvr.services.disk_facts import FactFinder
from axis_nvr.services.disk_holds import Hold
from axis_nvr.services.disk_jobs import Action, DiskJob, DiskJobs, InThread
from axis_nvr.services.disk_keeper import DiskKeeper
from axis_nvr.services.disk_settings import DiskSetting, DiskSettings
from axis_nvr.services.disk_work import DiskWork
from axis_nvr.services.luks import check_passphrase
from axis_nvr.services.recordings import Recordings
from axis_nvr.storage.files import Files, IFiles
from axis_nvr.storage.index import Index
from axis_nvr.storage.layout import INDEX_NAME
from axis_nvr.storage.retention.policy import Rules
from axis_nvr.storage.retention.usage import used_bytes

#: A disk that was unlocked is waited for so long, in seconds.
USED_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class DiskView:
    """A disk as it is now.

    :param status: in the words of the VAPIX disk list.
    :param file_system: ``ext4``, ``vfat`` or ``cifs``; empty: it is not known.
    :param can_be_encrypted: it has a device of its own.
    """

    disk_id: str
    status: str
    total_bytes: int
    free_bytes: int
    file_system: str
    level_percent: int
    max_age_days: int
    cleanup: str
    is_locked: bool
    is_full: bool
    is_read_only: bool
    encryption_enabled: bool
    is_encrypted: bool
    can_be_encrypted: bool


class Disks:
    """The disks.

    :param keepers: the disks by id.
    :param settings: what is set of them.
    :param in_thread: calls something in a thread of its own.
    :param encryption: gives what handles the encryption of a disk, as it is to be by now.
    :ivar jobs: what is being done with them, and was.
    """

    def __init__(
        self,
        keepers: Mapping[str, DiskKeeper],
        settings: DiskSettings,
        recordings: Recordings,
        in_thread: InThread,
        clock: IReactorTime,
        encryption: Callable[[str], DiskEncryption],
    ) -> None:
        self.jobs = DiskJobs(in_thread)
        self._keepers = keepers
        self._settings = settings
        self._recordings = recordings
        self._in_thread = in_thread
        self._clock = clock
        self._encryption = encryption
        self._work = DiskWork(keepers, encryption, settings, self.jobs, clock)
        self._facts = {
            disk_id: FactFinder(settings.config(disk_id).folder, in_thread, clock)
            for disk_id in keepers
        }
        self._counting = {disk_id: DeferredLock() for disk_id in keepers}
        for disk_id, keeper in keepers.items():
            if settings.of(disk_id).is_locked:
                keeper.hold(Hold.LOCKED)

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of all disks, in the order of the configuration."""
        return tuple(self._keepers)

    def setting(self, disk_id: str) -> DiskSetting:
        """Give what was set of a disk.

        :raises NoDisk: there is none of this id.
        """
        return self._settings.of(disk_id)

    def rules(self, disk_id: str) -> Rules:
        """Give what is removed from a disk, and when."""
        return self._settings.rules(disk_id)

    async def view(self, disk_id: str) -> DiskView:
        """Tell how a disk is.

        :raises NoDisk: there is none of this id.
        """
        disk, keeper = self._settings.config(disk_id), self._keepers[disk_id]
        facts = await self._facts[disk_id].find()
        is_encrypted = await self._encryption(disk_id).is_encrypted()
        report = keeper.report
        is_gone = report.condition == "disconnected" or (keeper.holds and not facts.is_there)
        return DiskView(
            disk_id=disk_id,
            status="disconnected" if is_gone else report.condition,
            total_bytes=0 if is_gone else facts.total_bytes,
            free_bytes=0 if is_gone else facts.free_bytes,
            file_system="" if is_gone else facts.file_system,
            level_percent=disk.level_percent,
            max_age_days=disk.max_age_days,
            cleanup=disk.cleanup,
            is_locked=report.is_locked,
            is_full=report.is_full,
            is_read_only=report.is_read_only,
            encryption_enabled=disk.encryption == "luks",
            is_encrypted=is_encrypted,
            can_be_encrypted=bool(disk.device),
        )

    async def used_bytes(self, disk_id: str) -> int:
        """Count what the recordings of a disk take.

        :raises NoDisk: there is none of this id.
        :raises StorageError: the disk cannot be read.
        """
        files, folder = cast(IFiles, Files()), self._settings.config(disk_id).folder

        def count() -> int:
            self._keepers[disk_id].catch_up()
            index = Index.open_read_only(files, folder / INDEX_NAME)
            try:
                return used_bytes(files, folder, index)
            finally:
                index.close()

        counting: Deferred[int] = self._counting[disk_id].run(self._in_thread, count)
        return await counting

    def begin(self, action: Action, disk_id: str) -> DiskJob:
        """Begin to do something with a disk; see `axis_nvr.services.disk_work`.

        :raises NoDisk: there is none of this id.
        :raises DiskRefused: it is not as it must be for that.
        :raises DiskBusy: something is being done with it.
        """
        self._settings.of(disk_id)
        return self._work.begin(action, disk_id)

    async def change(self, disk_id: str, **values: Any) -> None:
        """Set something of a disk that needs nothing else; see `DiskSetting`.

        :raises NoDisk: there is none of this id.
        :raises StateError: it could not be kept.
        """
        await self._settings.change(disk_id, **values)
        self._keepers[disk_id].wake_chore("retention")

    # The lock.

    async def lock(self, disk_id: str) -> None:
        """Lock a disk: nothing is written to it or removed from it until it is unlocked.

        Recordings that are made continuously or by rule wait for that; those that somebody began
        are ended.

        :raises NoDisk: there is none of this id.
        :raises DiskBusy: something is being done with it.
        :raises StateError: it could not be kept; nothing has changed.
        :raises DiskRefused: it is locked, but does not come to an end with what it was given.
        """
        self._settings.of(disk_id)
        with self.jobs.reserved(disk_id):
            await self._settings.change(disk_id, is_locked=True)
            for run in list(self._recordings.runs):
                if run.order.disk == disk_id and not run.goes_on:
                    Deferred.fromCoroutine(self._recordings.end(run))
            await self._work.let_go(disk_id, Hold.LOCKED)

    async def unlock(self, disk_id: str) -> None:
        """Unlock a disk; it is in use again then, or as soon as it can be.

        :raises NoDisk: there is none of this id.
        :raises DiskBusy: something is being done with it.
        :raises StateError: it could not be kept; nothing has changed.
        """
        self._settings.of(disk_id)
        with self.jobs.reserved(disk_id):
            await self._settings.change(disk_id, is_locked=False)
        used = self._keepers[disk_id].release(Hold.LOCKED).addTimeout(USED_SECONDS, self._clock)
        await used.addErrback(lambda failure: None)  # it is tried again; its status tells why

    # Encryption.

    async def enable_encryption(self, disk_id: str, passphrase: str) -> None:
        """Have a disk be used only if it is encrypted. Nothing is formatted by this.

        :raises NoDisk: there is none of this id.
        :raises DiskBusy: something is being done with it.
        :raises EncryptionRefused: it has no device, is mounted, is to be encrypted already, or this
            is no passphrase.
        :raises StateError: it could not be kept.
        """
        self._check_encryption(disk_id)
        if not check_passphrase(passphrase.encode()):
            raise EncryptionRefused(Refusal.INVALID_PASSPHRASE)
        if self._settings.config(disk_id).encryption == "luks":
            raise EncryptionRefused(Refusal.ALREADY_ENCRYPTED)
        await self._unmounted(disk_id, encryption="luks", passphrase=passphrase)

    async def disable_encryption(self, disk_id: str) -> None:
        """Have a disk be used only if it is not encrypted. Nothing is formatted by this.

        :raises NoDisk: there is none of this id.
        :raises DiskBusy: something is being done with it.
        :raises EncryptionRefused: it has no device, or is mounted.
        :raises StateError: it could not be kept.
        """
        self._check_encryption(disk_id)
        await self._unmounted(disk_id, encryption="none", passphrase="")

    async def _unmounted(self, disk_id: str, **values: Any) -> None:
        if self._keepers[disk_id].is_mounted:
            raise EncryptionRefused(Refusal.MOUNTED)
        with self.jobs.reserved(disk_id):  # it is not mounted as it was while this is being kept
            await self._settings.change(disk_id, **values)

    async def change_passphrase(self, disk_id: str, old: str, new: str) -> None:
        """Let another passphrase open a disk, in place of an old one.

        :raises NoDisk: there is none of this id.
        :raises DiskBusy: something is being done with it.
        :raises EncryptionRefused: see `DiskEncryption.change_passphrase`.
        :raises StorageError: the system cannot.
        :raises StateError: it could not be kept; the old one opens the disk.
        """
        self._check_encryption(disk_id)
        encryption, before, after = self._encryption(disk_id), old.encode(), new.encode()
        if not self._keepers[disk_id].is_mounted:
            raise EncryptionRefused(Refusal.UNMOUNTED)
        with self.jobs.reserved(disk_id):
            await encryption.change_passphrase(before, after)
            try:
                await self._settings.change(disk_id, passphrase=new)
            except BaseException:
                await encryption.change_passphrase(after, before)
                raise

    def _check_encryption(self, disk_id: str) -> None:
        device = self._settings.config(disk_id).device
        self.jobs.check_free(disk_id)
        if not device:
            raise EncryptionRefused(Refusal.UNSUPPORTED)

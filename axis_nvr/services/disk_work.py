"""What is done with a disk when somebody asks for it: format, check, repair, mount, unmount.

==========  ======================================================================================
format      of a folder: all that the recorder wrote to it goes (`axis_nvr.storage.wiping`). Of a
            device that is to be encrypted and is not open: it is made an encrypted one, and gets an
            empty file system. Mounted before, it is mounted afterwards. Not while it is locked
checkdisk   all of it is read, and nothing changed. Not while it is mounted
repair      what can be mended without losing anything is. Not while it is mounted or locked
mount       the recorder uses it
unmount     the recorder lets go of it; its recordings wait
==========  ======================================================================================

While any of these is under way the disk is not used, and none other of them is begun.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import cast

from twisted.internet import defer
from twisted.internet.interfaces import IReactorTime

from axis_nvr.errors import NvrError, StorageError
from axis_nvr.services.disk_encryption import DiskEncryption
from axis_nvr.services.disk_holds import Hold
from axis_nvr.services.disk_jobs import Action, DiskJob, DiskJobs
from axis_nvr.services.disk_keeper import DiskKeeper
from axis_nvr.services.disk_settings import DiskSettings
from axis_nvr.storage.checking.offline import Checking, check_unused, mend_unused
from axis_nvr.storage.files import Files, IFiles
from axis_nvr.storage.wiping import wipe
from axis_nvr.words import count_words

#: A disk that is to be let go of is waited for so long, in seconds.
LET_GO_SECONDS = 20.0
#: The same for one that is to be used.
USE_SECONDS = 300.0


class DiskRefused(NvrError):
    """Something is not done with a disk, as it is."""


class DiskWork:
    """Does it.

    :param keepers: the disks by id.
    :param encryption: gives what handles the encryption of a disk, as it is to be by now.
    :param settings: what is set of the disks.
    """

    def __init__(
        self,
        keepers: Mapping[str, DiskKeeper],
        encryption: Callable[[str], DiskEncryption],
        settings: DiskSettings,
        jobs: DiskJobs,
        clock: IReactorTime,
    ) -> None:
        self._keepers = keepers
        self._encryption = encryption
        self._settings = settings
        self._jobs = jobs
        self._clock = clock
        self._files = cast(IFiles, Files())

    def begin(self, action: Action, disk_id: str) -> DiskJob:
        """Begin something.

        :param disk_id: of a disk that there is.
        :raises DiskRefused: the disk is not as it must be for that.
        :raises DiskBusy: something is being done with it.
        """
        self._jobs.check_free(disk_id)
        keeper = self._keepers[disk_id]
        if action in (Action.FORMAT, Action.REPAIR) and Hold.LOCKED in keeper.holds:
            raise DiskRefused("the disk is locked")
        if action in (Action.CHECK, Action.REPAIR) and keeper.is_mounted:
            raise DiskRefused("the disk is mounted")
        work = {
            Action.FORMAT: self._format,
            Action.CHECK: self._check,
            Action.REPAIR: self._repair,
            Action.MOUNT: self._mount,
            Action.UNMOUNT: self._unmount,
        }
        return self._jobs.begin(disk_id, action, work[action])

    async def let_go(self, disk_id: str, why: Hold) -> None:
        """Have the recorder let go of a disk.

        :raises DiskRefused: it does not come to an end with what it was given. It is let go of as
            soon as it has.
        """
        gone = self._keepers[disk_id].hold(why).addTimeout(LET_GO_SECONDS, self._clock)
        try:
            await gone
        except defer.TimeoutError as error:
            message = "the disk does not come to an end with what it was given"
            raise DiskRefused(message) from error

    async def use(self, disk_id: str, why: Hold) -> None:
        """Have the recorder use a disk again.

        :raises StorageError: it cannot be used; it is tried again.
        :raises DiskRefused: it is not ready yet.
        """
        used = self._keepers[disk_id].release(why).addTimeout(USE_SECONDS, self._clock)
        try:
            await used
        except defer.TimeoutError as error:
            raise DiskRefused("the disk is not ready yet") from error

    async def _unmount(self, job: DiskJob) -> str:
        await self.let_go(job.disk_id, Hold.UNMOUNTED)
        return "unmounted"

    async def _mount(self, job: DiskJob) -> str:
        await self.use(job.disk_id, Hold.UNMOUNTED)
        return "mounted" if self._keepers[job.disk_id].is_mounted else "to be mounted later"

    async def _check(self, job: DiskJob) -> str:
        return await self._look_over(job, check_unused(self._files, self._folder(job)))

    async def _repair(self, job: DiskJob) -> str:
        return await self._look_over(job, mend_unused(self._files, self._folder(job)))

    async def _look_over(self, job: DiskJob, checking: Checking) -> str:
        await self.let_go(job.disk_id, Hold.WORK)
        try:
            await self._encryption(job.disk_id).admit()
            outcome = await self._jobs.go_through(job, checking)
        finally:
            self._leave(job)
        if outcome.left:
            raise DiskRefused(str(outcome))
        return str(outcome)

    async def _format(self, job: DiskJob) -> str:
        try:
            await self.let_go(job.disk_id, Hold.WORK)
            words = await self._empty(job)
        except BaseException:
            self._leave(job)
            raise
        await self.use(job.disk_id, Hold.WORK)
        return words

    async def _empty(self, job: DiskJob) -> str:
        disk, encryption = self._settings.config(job.disk_id), self._encryption(job.disk_id)
        if disk.encryption == "luks" and disk.device and not encryption.is_open():
            passphrase = encryption.passphrase()
            await encryption.format(passphrase, again=True)
            job.advance(0.5)
            await encryption.make_file_system(passphrase)
            self._keepers[job.disk_id].forget()
            return "encrypted and empty"
        await encryption.admit()
        wiped = await self._jobs.go_through(job, wipe(self._files, disk.folder))
        words = f"{count_words(wiped.files, 'file')} removed"
        if wiped.stayed:
            words += f"; kept, as not the recorder's: {count_words(wiped.stayed, 'thing')}"
        return words

    def _leave(self, job: DiskJob) -> None:
        """Have the disk used again if it was; whether it can be is for its status to tell."""
        released = self._keepers[job.disk_id].release(Hold.WORK)
        released.addErrback(lambda failure: failure.trap(StorageError))

    def _folder(self, job: DiskJob) -> Path:
        return self._settings.config(job.disk_id).folder

"""A disk that is to be encrypted is encrypted, or nothing is written to it.

The encryption itself is the kernel's (dm-crypt, LUKS); ``docs/design/encryption.md`` says why. Two
ways lead there: the system opens and mounts the device, and the recorder makes sure that its folder
is on it; or the configuration names ``device`` and ``passphrase_file``, and the recorder opens and
mounts it itself.

`DiskEncryption.admit` stands in front of each start of the disk:

===========  ======================================  =============================================
encryption   what there is                           what comes of it
===========  ======================================  =============================================
none         no `device`, or one not encrypted       goes on
none         `device` is encrypted and not open      no passphrase
luks         the folder is on the encrypted device   goes on
luks         it is on none, and no `device` is told  not encrypted
luks         `device` is not there                   absent
luks         `device` is not encrypted               not encrypted
luks         no passphrase is given                  no passphrase
luks         the passphrase does not open `device`   wrong passphrase
luks         it does                                 opened, mounted, looked at again
===========  ======================================  =============================================
"""

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

from axis_nvr.config.disk import DiskConfig
from axis_nvr.errors import NvrError, StorageError, StorageErrorKind
from axis_nvr.services.encrypted_mount import encrypted_containers
from axis_nvr.services.luks import (
    MAX_PASSPHRASE_BYTES,
    LuksDevice,
    RunProgram,
    WrongPassphrase,
    check_passphrase,
)


class Refusal(StrEnum):
    """Why a disk's encryption is not changed."""

    UNSUPPORTED = "the disk has no device of its own to be encrypted"
    INVALID_PASSPHRASE = "a passphrase is one line of 1 to 512 bytes"  # noqa: S105 - none
    OLD_DIFFERS = "the old passphrase does not match"
    ALREADY_ENCRYPTED = "the disk is encrypted already"
    MOUNTED = "the disk is mounted"
    UNMOUNTED = "the disk is not mounted"


class EncryptionRefused(NvrError):
    """A change of a disk's encryption that is not done."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.value)
        self.refusal = refusal


class DiskEncryption:
    """The encryption of one disk.

    :param disk: how it is to be.
    :param run: runs programs.
    :param passphrase: what an administrator has set; empty: the disk's file has it.
    :param containers: gives the LUKS containers that a folder is in.
    :param luks: makes what handles a device.
    """

    def __init__(
        self,
        disk: DiskConfig,
        run: RunProgram,
        *,
        passphrase: bytes = b"",
        containers: Callable[[Path], set[str]] = encrypted_containers,
        luks: Callable[[Path, RunProgram], LuksDevice] = LuksDevice,
    ) -> None:
        self._disk = disk
        self._given = passphrase
        self._mapping = f"axis_nvr-{disk.disk_id}"
        self._containers = containers
        self._device = luks(Path(disk.device), run) if disk.device else None

    async def admit(self) -> None:
        """Make sure that the disk is as it is configured, before anything is written to it.

        :raises StorageError: it is not; its kind says how.
        """
        if self._disk.encryption != "luks":
            await self._admit_plain()
        elif not await self._is_on_its_device():
            await self._open()
            if not await self._is_on_its_device():
                message = f"{self._disk.device} was opened, and the folder is not on it"
                raise self._error(StorageErrorKind.FAILED, message)

    async def _admit_plain(self) -> None:
        device = self._device
        if device is None or not device.device.exists() or self._containers(self._disk.folder):
            return
        if await device.is_luks():
            message = f"{device.device} is encrypted, and the configuration says that it is not"
            raise self._error(StorageErrorKind.NO_PASSPHRASE, message)

    async def _is_on_its_device(self) -> bool:
        found = self._containers(self._disk.folder)
        if self._device is None or not found:
            return bool(found)
        uuid = (await self._device.uuid()).replace("-", "").lower()
        if uuid not in found:
            message = f"the folder is on another encrypted device than {self._disk.device}"
            raise self._error(StorageErrorKind.NOT_ENCRYPTED, message)
        return True

    async def _open(self) -> None:
        """Open the device, and mount it at the folder."""
        device = self._device
        if device is None:
            message = "the folder is on no encrypted device"
            raise self._error(StorageErrorKind.NOT_ENCRYPTED, message)
        if not await device.is_luks():
            raise self._error(StorageErrorKind.NOT_ENCRYPTED, f"{device.device} is not encrypted")
        passphrase = self.passphrase()
        try:
            await device.test(passphrase)
        except WrongPassphrase as error:
            raise self._error(StorageErrorKind.WRONG_PASSPHRASE, str(error)) from error
        mapped = Path("/dev/mapper") / self._mapping
        if not mapped.exists():
            mapped = await device.open(self._mapping, passphrase)
        self._disk.folder.mkdir(parents=True, exist_ok=True)
        await device.mount(mapped, self._disk.folder)

    def passphrase(self) -> bytes:
        """Give the passphrase that was set, or read it: the first line of its file.

        :raises StorageError: there is none.
        """
        if self._given:
            return self._given
        name = self._disk.passphrase_file
        if not name:
            message = "no passphrase_file is configured"
            raise self._error(StorageErrorKind.NO_PASSPHRASE, message)
        try:
            with open(name, "rb") as file:
                line = file.readline(MAX_PASSPHRASE_BYTES + 3).rstrip(b"\r\n")
        except OSError as error:
            message = f"{name}: {error.strerror or error}"
            raise self._error(StorageErrorKind.NO_PASSPHRASE, message) from error
        if not check_passphrase(line):
            message = f"{name}: {Refusal.INVALID_PASSPHRASE}"
            raise self._error(StorageErrorKind.NO_PASSPHRASE, message)
        return line

    def _error(self, kind: StorageErrorKind, message: str) -> StorageError:
        return StorageError(kind, self._disk.folder, message)

    # What an administrator asks for.

    async def check_passphrase(self, passphrase: bytes) -> bool:
        """Tell whether a passphrase opens the disk's device.

        :raises EncryptionRefused: it cannot be a passphrase, or there is no device.
        :raises StorageError: it cannot be tried.
        """
        device = self._supported(passphrase)
        try:
            await device.test(passphrase)
        except WrongPassphrase:
            return False
        return True

    def is_open(self) -> bool:
        """Tell whether the disk's folder is on an encrypted device."""
        return bool(self._containers(self._disk.folder))

    async def is_encrypted(self) -> bool:
        """Tell whether the disk is encrypted, as far as can be seen; raises nothing of a disk."""
        if self.is_open():
            return True
        try:
            return self._device is not None and await self._device.is_luks()
        except StorageError:
            return False

    async def format(self, passphrase: bytes, *, again: bool = False) -> None:
        """Make the disk's device an encrypted one. All that was on it is lost.

        A file system is not made here: see `make_file_system`.

        :param again: also if it is encrypted already.
        :raises EncryptionRefused: it is encrypted already, in use, or has no device.
        :raises StorageError: the system cannot.
        """
        device = self._supported(passphrase)
        if self._containers(self._disk.folder):
            raise EncryptionRefused(Refusal.MOUNTED)
        if not again and await device.is_luks():
            raise EncryptionRefused(Refusal.ALREADY_ENCRYPTED)
        await device.format(passphrase)

    async def make_file_system(self, passphrase: bytes) -> None:
        """Make an empty file system on the encrypted device, which is open for that time only.

        :raises EncryptionRefused: there is no device.
        :raises StorageError: the system cannot.
        """
        device = self._supported(passphrase)
        try:
            mapped = await device.open(self._mapping, passphrase)
        except WrongPassphrase as error:
            raise self._error(StorageErrorKind.WRONG_PASSPHRASE, str(error)) from error
        try:
            await device.make_file_system(mapped)
        finally:
            await device.close(self._mapping)

    async def change_passphrase(self, old: bytes, new: bytes) -> None:
        """Let a new passphrase open the disk in place of an old one; nothing is written anew.

        :raises EncryptionRefused: the old one is wrong, the new one is none, the disk is not in use
            or has no device.
        :raises StorageError: the system cannot.
        """
        device = self._supported(new)
        if not self._containers(self._disk.folder):
            raise EncryptionRefused(Refusal.UNMOUNTED)
        if not check_passphrase(old):
            raise EncryptionRefused(Refusal.OLD_DIFFERS)
        try:
            await device.change(old, new)
        except WrongPassphrase:
            raise EncryptionRefused(Refusal.OLD_DIFFERS) from None

    def _supported(self, passphrase: bytes) -> LuksDevice:
        if self._device is None:
            raise EncryptionRefused(Refusal.UNSUPPORTED)
        if not check_passphrase(passphrase):
            raise EncryptionRefused(Refusal.INVALID_PASSPHRASE)
        return self._device

"""LUKS devices, as ``cryptsetup`` keeps them.

Each call runs the program once; a passphrase goes to its standard input and nowhere else. A file
can be given where a device is meant, which is how tests do it.
"""

import shutil
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Protocol

from axis_nvr.errors import NvrError, StorageError, StorageErrorKind
from axis_nvr.protocols.program import Ended, ProgramError

#: Where system programs are, also for a service whose path does not name these.
PROGRAM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
#: What takes no passphrase is quick, in seconds; a disk that spins up first is not.
LOOK_SECONDS = 30.0
#: Deriving a key from a passphrase is slow on purpose, in seconds.
KEY_SECONDS = 120.0
#: Making a file system on a large disk may take so long, in seconds.
MAKE_SECONDS = 900.0
#: Bytes of the longest passphrase, as in the VAPIX API.
MAX_PASSPHRASE_BYTES = 512

#: Exit codes of cryptsetup: it did what it should, no such key, no such device.
_DONE, _NO_KEY, _NO_DEVICE = 0, 2, 4
#: What the devices of Axis cards are encrypted with.
_CIPHER = ("--type", "luks2", "--cipher", "aes-xts-plain64", "--key-size", "512")


class RunProgram(Protocol):
    """Runs a program, as `axis_nvr.protocols.program.run_program` with its reactor does."""

    def __call__(
        self, arguments: Sequence[str], given: bytes = b"", *, timeout: float
    ) -> Awaitable[Ended]:
        """Run it; give what came of it."""


class WrongPassphrase(NvrError):
    """A passphrase opens no key of a device."""


def check_passphrase(passphrase: bytes) -> bool:
    """Tell whether something can be a passphrase: not empty, one line, not too long."""
    is_line = not set(passphrase) & {0x00, 0x0A, 0x0D}
    return 0 < len(passphrase) <= MAX_PASSPHRASE_BYTES and is_line


class LuksDevice:
    """A device that is, or may become, a LUKS container.

    :param key_options: further options where a key is made: tests make cheap ones.
    :param find: gives a program's path, None if it is not installed.
    """

    def __init__(
        self,
        device: Path,
        run: RunProgram,
        *,
        key_options: Sequence[str] = (),
        find: Callable[[str], str | None] = lambda name: shutil.which(name, path=PROGRAM_PATH),
    ) -> None:
        self.device = device
        self._run = run
        self._key_options = tuple(key_options)
        self._find = find

    async def is_luks(self) -> bool:
        """Tell whether it is encrypted.

        :raises StorageError: it is not there, or cannot be looked at.
        """
        ended = await self._cryptsetup("isLuks", str(self.device))
        if ended.exit_code == _NO_DEVICE:
            raise self._error(StorageErrorKind.ABSENT, ended)
        if ended.exit_code not in (0, 1):
            raise self._error(StorageErrorKind.FAILED, ended)
        return ended.exit_code == _DONE

    async def uuid(self) -> str:
        """Give the UUID of a device that is encrypted.

        :raises StorageError: it is not, or cannot be looked at.
        """
        return self._done(await self._cryptsetup("luksUUID", str(self.device))).output.strip()

    async def test(self, passphrase: bytes) -> None:
        """See whether a passphrase opens it; nothing is opened.

        :raises WrongPassphrase: it does not.
        :raises StorageError: it cannot be tried.
        """
        arguments = ("open", "--test-passphrase", "--type", "luks", str(self.device))
        self._done(await self._with_key(*arguments, given=passphrase))

    async def open(self, name: str, passphrase: bytes) -> Path:
        """Open it; give the device that its content is at.

        :param name: what the kernel is to call it.
        :raises WrongPassphrase: the passphrase does not open it.
        :raises StorageError: the system cannot: such as for want of device-mapper.
        """
        arguments = ("open", "--type", "luks", str(self.device), name)
        self._done(await self._with_key(*arguments, given=passphrase))
        return Path("/dev/mapper") / name

    async def format(self, passphrase: bytes) -> None:
        """Make it an encrypted device. All that was on it is lost.

        :raises StorageError: the system cannot, or something uses the device.
        """
        arguments = ("luksFormat", "--batch-mode", *_CIPHER, *self._key_options, str(self.device))
        self._done(await self._with_key(*arguments, given=passphrase))

    async def change(self, old: bytes, new: bytes) -> None:
        """Let another passphrase open it, in place of an old one.

        :raises WrongPassphrase: the old one does not.
        :raises StorageError: the system cannot.
        """
        arguments = ("luksChangeKey", "--batch-mode", *self._key_options, str(self.device))
        given = b"%s\n%s\n" % (old, new)
        self._done(await self._cryptsetup(*arguments, given=given, timeout=2 * KEY_SECONDS))

    async def close(self, name: str) -> None:
        """Close what was opened under a name.

        :raises StorageError: the system cannot, or something uses it.
        """
        self._done(await self._cryptsetup("close", name))

    async def make_file_system(self, mapped: Path) -> None:
        """Make an empty ext4 file system on what `open` gave.

        :raises StorageError: the system cannot.
        """
        arguments = ("-q", "-L", "nvr", str(mapped))
        self._done(await self._program("mkfs.ext4", *arguments, timeout=MAKE_SECONDS))

    async def mount(self, mapped: Path, folder: Path) -> None:
        """Mount what `open` gave.

        :raises StorageError: the system cannot.
        """
        self._done(await self._program("mount", "--", str(mapped), str(folder)))

    async def _with_key(self, *arguments: str, given: bytes) -> Ended:
        return await self._cryptsetup(*arguments, "--key-file=-", given=given, timeout=KEY_SECONDS)

    async def _cryptsetup(
        self, *arguments: str, given: bytes = b"", timeout: float = LOOK_SECONDS
    ) -> Ended:
        return await self._program("cryptsetup", *arguments, given=given, timeout=timeout)

    async def _program(
        self, name: str, *arguments: str, given: bytes = b"", timeout: float = LOOK_SECONDS
    ) -> Ended:
        path = self._find(name)
        if path is None:
            message = f"the program {name} is needed for an encrypted disk and is not installed"
            raise StorageError(StorageErrorKind.FAILED, self.device, message)
        try:
            return await self._run((path, *arguments), given, timeout=timeout)
        except ProgramError as error:
            raise StorageError(StorageErrorKind.FAILED, self.device, str(error)) from error

    def _done(self, ended: Ended) -> Ended:
        if ended.exit_code == _NO_KEY:
            raise WrongPassphrase(f"{self.device}: the passphrase does not open it")
        if ended.exit_code != _DONE:
            raise self._error(StorageErrorKind.FAILED, ended)
        return ended

    def _error(self, kind: StorageErrorKind, ended: Ended) -> StorageError:
        words = " ".join(ended.errors.split())[:300] or f"exit code {ended.exit_code}"
        return StorageError(kind, self.device, words)

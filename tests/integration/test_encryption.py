"""Encrypted disks, with the real cryptsetup on containers in files.

Opening a container and mounting it need device-mapper, which a machine for tests seldom has; here
it is shown what is said then. All else is done for real.
"""

import os
import shutil
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs
from twisted.trial.unittest import SkipTest, TestCase

from axis_nvr.config.disk import DiskConfig
from axis_nvr.errors import StorageError, StorageErrorKind
from axis_nvr.protocols.program import Ended, ProgramError, run_program
from axis_nvr.services.disk_encryption import DiskEncryption, EncryptionRefused, Refusal
from axis_nvr.services.luks import PROGRAM_PATH, LuksDevice, RunProgram, WrongPassphrase

#: Keys that cost no time.
CHEAP = ("--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000")
SECRET = b"a secret of some words"
#: A LUKS2 header is 16 MiB.
CONTAINER_BYTES = 20 << 20


class ProgramTests(TestCase):
    """Programs of the system."""

    def run_it(self, *arguments: str, given: bytes = b"", timeout: float = 10) -> Deferred[Ended]:
        return run_program(reactor, arguments, given, timeout=timeout)

    async def outcome(self) -> None:
        self.assertEqual(await self.run_it("/bin/cat", given=b"abc"), Ended(0, "abc", ""))
        ended = await self.run_it("/bin/sh", "-c", "echo x >&2; exit 3")
        self.assertEqual(ended, Ended(3, "", "x\n"))
        ended = await self.run_it("/bin/sh", "-c", "kill -9 $$")
        self.assertEqual(ended.exit_code, -9)

    def test_what_comes_of_it(self) -> Deferred[None]:
        """Input, both outputs and the exit code, or the signal."""
        return Deferred.fromCoroutine(self.outcome())

    def test_an_end_in_time(self) -> Deferred[Any]:
        """A program that hangs is killed."""
        ending: Deferred[Any] = self.run_it("/bin/sleep", "60", timeout=0.1)
        return self.assertFailure(ending, ProgramError)

    async def much(self) -> None:
        ended = await self.run_it("/usr/bin/head", "-c", "1000000", "/dev/zero")
        self.assertEqual(len(ended.output), 1 << 16)

    def test_much_output(self) -> Deferred[None]:
        """What a program says fills no memory."""
        return Deferred.fromCoroutine(self.much())


class EncryptionTests(TestCase):
    """A container in a file, and a disk that is to be in it."""

    def setUp(self) -> None:
        if shutil.which("cryptsetup", path=PROGRAM_PATH) is None:
            raise SkipTest("cryptsetup is not installed")
        self.folder = Path(self.mktemp())
        self.device = Path(self.mktemp()).absolute()
        with open(self.device, "wb") as file:
            file.truncate(CONTAINER_BYTES)
        self.secret_file = Path(self.mktemp())
        self.secret_file.write_bytes(SECRET + b"\n")
        self.mounted: set[str] = set()
        self.calls: list[tuple[str, ...]] = []

    def luks(self, device: Path, run: RunProgram) -> LuksDevice:
        return LuksDevice(device, run, key_options=CHEAP)

    def run_it(self, arguments: Any, given: bytes = b"", *, timeout: float) -> Deferred[Ended]:
        self.calls.append(tuple(arguments))
        return run_program(reactor, arguments, given, timeout=timeout)

    def make(self, **more: Any) -> DiskEncryption:
        settings = {"encryption": "luks", "device": str(self.device)}
        settings["passphrase_file"] = str(self.secret_file)
        disk = DiskConfig("HDD_DISK", self.folder, **{**settings, **more})
        return DiskEncryption(
            disk, self.run_it, containers=lambda folder: self.mounted, luks=self.luks
        )

    async def refused(self, disk: DiskEncryption) -> StorageError:
        """The error with which a disk is not admitted."""
        try:
            await disk.admit()
        except StorageError as error:
            return error
        raise AssertionError("it was admitted")

    async def refusal(self, doing: Coroutine[Any, Any, Any]) -> Refusal:
        """The refusal of what an administrator asks for."""
        try:
            await doing
        except EncryptionRefused as error:
            return error.refusal
        raise AssertionError("it was done")

    def do(self, story: Callable[[], Coroutine[Any, Any, None]]) -> Deferred[None]:
        return Deferred.fromCoroutine(story())

    def test_the_states(self) -> Deferred[None]:
        """Whatever is wrong has its state, and nothing is written to the disk's folder."""

        async def story() -> None:
            error = await self.refused(self.make())
            self.assertIs(error.kind, StorageErrorKind.NOT_ENCRYPTED)
            error = await self.refused(self.make(device="", passphrase_file=""))
            self.assertIs(error.kind, StorageErrorKind.NOT_ENCRYPTED)
            error = await self.refused(self.make(device=str(self.device) + "-none"))
            self.assertIs(error.kind, StorageErrorKind.ABSENT)
            await self.make().format(SECRET)
            error = await self.refused(self.make(passphrase_file=""))
            self.assertIs(error.kind, StorageErrorKind.NO_PASSPHRASE)
            error = await self.refused(self.make(passphrase_file=str(self.secret_file) + "-none"))
            self.assertIs(error.kind, StorageErrorKind.NO_PASSPHRASE)
            for content in (b"", b"\nsecond line", b"x" * 513):
                self.secret_file.write_bytes(content)
                error = await self.refused(self.make())
                self.assertIs(error.kind, StorageErrorKind.NO_PASSPHRASE, content)
            self.secret_file.write_bytes(b"another secret\n")
            error = await self.refused(self.make())
            self.assertIs(error.kind, StorageErrorKind.WRONG_PASSPHRASE)
            self.assertFalse(self.folder.exists())

        return self.do(story)

    def test_encrypted_and_not_said_to_be(self) -> Deferred[None]:
        """A device that is encrypted is not used as a plain one."""

        async def story() -> None:
            await self.make(encryption="none").admit()
            await self.make(encryption="none", device="").admit()
            await self.make().format(SECRET)
            error = await self.refused(self.make(encryption="none"))
            self.assertIs(error.kind, StorageErrorKind.NO_PASSPHRASE)

        return self.do(story)

    def test_mounted_by_the_system(self) -> Deferred[None]:
        """A folder that is in its container is admitted, and no passphrase is asked for."""

        async def story() -> None:
            await self.make().format(SECRET)
            uuid = await self.luks(self.device, self.run_it).uuid()
            self.mounted = {uuid.replace("-", "")}
            await self.make(passphrase_file="").admit()
            await self.make(device="", passphrase_file="").admit()
            self.mounted = {"0" * 32}
            error = await self.refused(self.make())
            self.assertIs(error.kind, StorageErrorKind.NOT_ENCRYPTED)
            self.assertIn("another encrypted device", error.message)

        return self.do(story)

    def test_without_device_mapper(self) -> Deferred[None]:
        """A system that cannot open the container says so; nothing is written beside it."""
        if os.path.exists("/sys/module/dm_mod"):
            raise SkipTest("this machine has device-mapper")

        async def story() -> None:
            await self.make().format(SECRET)
            error = await self.refused(self.make())
            self.assertIs(error.kind, StorageErrorKind.FAILED)
            self.assertIn("device-mapper", error.message)
            self.assertFalse(self.folder.exists())

        return self.do(story)

    def test_without_cryptsetup(self) -> Deferred[None]:
        """A machine without the program says which is missing."""

        async def story() -> None:
            device = LuksDevice(self.device, self.run_it, find=lambda name: None)
            with self.assertRaises(StorageError) as caught:
                await device.is_luks()
            self.assertIn("cryptsetup", caught.exception.message)

        return self.do(story)

    def test_what_an_administrator_asks_for(self) -> Deferred[None]:
        """Format, test and change of passphrase, and each refusal."""

        async def story() -> None:
            disk = self.make()
            for bad in (b"", b"x" * 513, b"two\nlines", b"z\0ero"):
                refusal = await self.refusal(disk.format(bad))
                self.assertIs(refusal, Refusal.INVALID_PASSPHRASE, bad)
            plain = self.make(device="")
            self.assertIs(await self.refusal(plain.format(SECRET)), Refusal.UNSUPPORTED)
            await disk.format(SECRET)
            self.assertIs(await self.refusal(disk.format(SECRET)), Refusal.ALREADY_ENCRYPTED)
            self.assertTrue(await disk.check_passphrase(SECRET))
            self.assertFalse(await disk.check_passphrase(b"x" * 512))
            new = "schön & 'new' $(x)".encode()
            changing = disk.change_passphrase(SECRET, new)
            self.assertIs(await self.refusal(changing), Refusal.UNMOUNTED)
            self.mounted = {"0" * 32}
            self.assertIs(await self.refusal(disk.format(SECRET)), Refusal.MOUNTED)
            changing = disk.change_passphrase(b"wrong", new)
            self.assertIs(await self.refusal(changing), Refusal.OLD_DIFFERS)
            await disk.change_passphrase(SECRET, new)
            self.assertTrue(await disk.check_passphrase(new))
            self.assertFalse(await disk.check_passphrase(SECRET))

        return self.do(story)

    def test_a_passphrase_stays_secret(self) -> Deferred[None]:
        """It stands on no command line, in no log and in no error."""

        async def story() -> None:
            await self.make().format(SECRET)
            error = await self.refused(self.make())
            self.mounted = {"0" * 32}
            await self.make().change_passphrase(SECRET, SECRET + b"!")
            self.assertNotIn(SECRET.decode(), f"{self.calls} {error!r}")

        with capturedLogs() as logs:
            done = self.do(story)
        return done.addCallback(lambda _: self.assertNotIn(SECRET.decode(), repr(logs)))

    def test_keys_as_axis_devices_make_them(self) -> Deferred[None]:
        """The container is LUKS2 with aes-xts-plain64 and a key of 512 bits."""

        async def story() -> None:
            await self.make().format(SECRET)
            path = shutil.which("cryptsetup", path=PROGRAM_PATH) or ""
            ended = await self.run_it((path, "luksDump", str(self.device)), timeout=10)
            for part in ("Version:       \t2", "aes-xts-plain64", "512 bits"):
                self.assertIn(part, ended.output)

        return self.do(story)

    def test_what_a_client_sets(self) -> Deferred[None]:
        """A passphrase that was set wins over the file; formatting again gives it another key."""

        async def story() -> None:
            disk = DiskConfig(
                "HDD_DISK",
                self.folder,
                encryption="luks",
                device=str(self.device),
                passphrase_file=str(self.secret_file),
            )
            encryption = DiskEncryption(
                disk,
                self.run_it,
                passphrase=b"set by a client",
                containers=lambda folder: self.mounted,
                luks=self.luks,
            )
            self.assertFalse(await encryption.is_encrypted())
            await encryption.format(SECRET)
            self.assertTrue(await encryption.is_encrypted())
            error = await self.refused(encryption)
            self.assertIs(error.kind, StorageErrorKind.WRONG_PASSPHRASE)
            await encryption.format(encryption.passphrase(), again=True)
            self.assertTrue(await encryption.check_passphrase(b"set by a client"))
            self.assertFalse(await encryption.check_passphrase(SECRET))
            self.mounted.add("somewhere")
            self.assertTrue(encryption.is_open())
            again = encryption.format(SECRET, again=True)
            self.assertIs(await self.refusal(again), Refusal.MOUNTED)

        return self.do(story)

    def test_wrong_passphrase(self) -> Deferred[Any]:
        """What opens no key is an error of its own."""

        async def story() -> None:
            device = self.luks(self.device, self.run_it)
            await device.format(SECRET)
            await device.test(SECRET + b" ")

        opening: Deferred[Any] = self.do(story)
        return self.assertFailure(opening, WrongPassphrase)

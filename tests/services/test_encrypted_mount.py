"""Whether a folder is on an encrypted device: by what the kernel shows."""

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.services.encrypted_mount import encrypted_containers

UUID = "9f40a6fd43874048870896" + "82f264cba2"


class EncryptedMountTests(SynchronousTestCase):
    """A tree that looks like the kernel's; the folder is on device 253:1."""

    def setUp(self) -> None:
        self.sys = Path(self.mktemp())
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.mounts = Path(self.mktemp())
        self.mounts.write_text("")

    def add(self, number: str, uuid: str, *slaves: str) -> None:
        """Add a device, made of others."""
        place = self.sys / "dev/block" / number
        (place / "dm").mkdir(parents=True)
        (place / "dm/uuid").write_text(uuid + "\n")
        for slave in slaves:
            (place / "slaves").mkdir(exist_ok=True)
            (place / "slaves" / slave).symlink_to((self.sys / "dev/block" / slave).absolute())

    def find(self, folder: Path | None = None, device: int | None = None) -> set[str]:
        number = os.makedev(253, 1) if device is None else device
        return encrypted_containers(
            folder or self.folder, sys=self.sys, mounts=self.mounts, device_of=lambda path: number
        )

    def test_a_plain_device(self) -> None:
        """A partition, or a device that dm made for something else, is not encrypted."""
        self.assertEqual(self.find(), set())
        self.add("253:1", "LVM-abcdef")
        self.assertEqual(self.find(), set())

    def test_plain_dm_crypt_is_not_luks(self) -> None:
        """Encryption without a LUKS header is none that we know."""
        self.add("253:1", "CRYPT-PLAIN-data")
        self.assertEqual(self.find(), set())

    def test_luks(self) -> None:
        """The container is named by its UUID, LUKS1 or LUKS2, whatever its name holds."""
        for version in (1, 2):
            self.sys = Path(self.mktemp())
            self.add("253:1", f"CRYPT-LUKS{version}-{UUID}-a-name-with-dashes")
            self.assertEqual(self.find(), {UUID})

    def test_luks_below_lvm(self) -> None:
        """A volume of LVM on an encrypted device is encrypted."""
        self.add("253:1", "LVM-abcdef", "253:0")
        self.add("253:0", f"CRYPT-LUKS2-{UUID}-pv")
        self.assertEqual(self.find(), {UUID})

    def test_a_loop_of_devices_ends(self) -> None:
        """Nonsense below /sys ends too."""
        self.add("253:1", "LVM-a", "253:2")
        self.add("253:2", "LVM-b", "253:1")
        self.assertEqual(self.find(), set())

    def test_a_folder_that_is_not_there_yet(self) -> None:
        """The nearest folder above it is asked."""
        self.add("253:1", f"CRYPT-LUKS2-{UUID}-data")
        self.assertEqual(self.find(self.folder / "HDD_DISK/more"), {UUID})

    def test_a_file_system_with_numbers_of_its_own(self) -> None:
        """What btrfs is on stands in the table of mounts; the innermost mount counts."""
        self.add("1:3", f"CRYPT-LUKS2-{UUID}-data")  # the numbers of /dev/null
        self.mounts.write_text(
            "1 0 0:30 / / rw - ext4 /dev/zero rw\n"
            f"2 1 0:31 / {self.folder.resolve()} rw - btrfs /dev/null rw\n"
            "nonsense\n"
        )
        self.assertEqual(self.find(device=os.makedev(0, 31)), {UUID})
        self.assertEqual(self.find(Path("/"), device=os.makedev(0, 30)), set())

    def test_this_machine(self) -> None:
        """The real tables are read without an error."""
        self.assertIsInstance(encrypted_containers(self.folder), set)

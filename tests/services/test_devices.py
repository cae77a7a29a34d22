"""External devices: kept, changed, removed; what can be recorded from."""

from typing import Any

from axis_nvr.config import CameraConfig
from axis_nvr.services.devices import (
    MAX_DEVICES,
    Device,
    DeviceExists,
    DeviceIsConfigured,
    Devices,
    NoDevice,
    TooManyDevices,
    is_address,
)
from axis_nvr.services.state_database import StateError
from axis_nvr.services.vault import Vault
from tests.services.state import StateTestCase

FRONT = Device("front", "Door", "ACCC8E000001", "192.168.0.90", "root", "geheim", "rtsph", port=81)


class DevicesTests(StateTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.cameras: dict[str, CameraConfig | None] = {}
        self.devices = self.load()

    def load(self) -> Devices:
        yard = CameraConfig("yard", url="rtsp://10.0.0.2/live", username="u", password="p")
        return Devices(self.database, Vault(self.folder), [yard], self.cameras.__setitem__)

    def create(self, device: Device = FRONT) -> None:
        self.run_now(self.devices.create(device))

    def test_after_a_restart(self) -> None:
        """A device is there again with its password, which is nowhere on the disk in the clear."""
        self.create()
        self.reopen()
        self.cameras.clear()
        again = self.load()
        self.assertEqual(again.all["front"], FRONT)
        camera = self.cameras["front"]
        assert camera is not None
        self.assertEqual((camera.password, camera.port), ("geheim", 81))
        files = b"".join(path.read_bytes() for path in self.folder.path.iterdir())
        self.assertNotIn(b"geheim", files)
        self.assertNotIn("geheim", repr(again.all))

    def test_an_id_alone(self) -> None:
        """It is known, but nothing can be recorded from it before it has an address."""
        self.create(Device("later"))
        self.assertIsNone(self.cameras["later"])

        def change(device: Device) -> Device:
            return Device(device.id, address="[fe80::1]", username="u", password="p")

        self.run_now(self.devices.update("later", change))
        camera = self.cameras["later"]
        assert camera is not None
        self.assertEqual((camera.address, camera.port), ("fe80::1", None))

    def test_removed(self) -> None:
        """It cannot be recorded from any more, also after a restart."""
        self.create()
        self.run_now(self.devices.delete("front"))
        self.assertIsNone(self.cameras["front"])
        self.refused(self.devices.delete("front"), NoDevice)
        self.reopen()
        self.assertNotIn("front", self.load().all)

    def test_ids_are_taken_once(self) -> None:
        """Also by those of the configuration file, which cannot be changed here."""
        self.create()
        self.refused(self.devices.create(FRONT), DeviceExists)
        self.refused(self.devices.create(Device("yard")), DeviceExists)
        self.refused(self.devices.update("yard", lambda d: d), DeviceIsConfigured)
        self.refused(self.devices.delete("yard"), DeviceIsConfigured)
        self.assertEqual(self.devices.find("yard").address, "10.0.0.2")
        self.assertEqual(list(self.devices.all), ["yard", "front"])

    def test_bounded(self) -> None:
        """There is a most of them."""
        own: Any = self.devices
        own._devices = {str(n): Device(str(n)) for n in range(MAX_DEVICES)}
        self.refused(self.devices.create(FRONT), TooManyDevices)

    def test_a_disk_that_fails(self) -> None:
        """What could not be kept has not changed."""
        self.create()
        self.database.change(lambda c: c.execute("DROP TABLE devices"))
        self.refused(self.devices.update("front", lambda d: Device(d.id)), StateError)
        self.refused(self.devices.delete("front"), StateError)
        self.assertEqual(self.devices.find("front"), FRONT)

    def test_addresses(self) -> None:
        """Names and numbers are addresses; paths, accounts and spaces are not."""
        for good in ("cam.example", "10.0.0.1", "fe80::1", "[::1]", "a_b-c"):
            self.assertTrue(is_address(good), good)
        for bad in ("", "a b", "a/b", "u@h", "a\nb", "ä", "x" * 254, "h?x", "h#x"):
            self.assertFalse(is_address(bad), bad)

"""What clients set of a disk: kept, over the configuration, and in force at once."""

from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.config.disk import DiskConfig
from axis_nvr.services.disk_settings import DiskSetting, DiskSettings, NoDisk
from axis_nvr.services.state_database import StateDatabase, StateError
from axis_nvr.services.state_folder import StateFolder
from axis_nvr.services.vault import Vault

HDD = DiskConfig("HDD_DISK", Path("/disk"), level_percent=80, max_age_days=5)
SD = DiskConfig("SD_DISK", Path("/card"), cleanup="none", encryption="luks", device="/dev/sdx")


class SettingsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = StateFolder(Path(self.mktemp()))
        self.folder.open()
        self.vault = Vault(self.folder)
        self.settings = self.load()

    def load(self) -> DiskSettings:
        """Read what is kept, as after a restart."""
        self.database = StateDatabase(self.folder.path / "state.db", maybeDeferred)
        self.addCleanup(self.database.close)
        return DiskSettings(self.database, self.vault, {"HDD_DISK": HDD, "SD_DISK": SD})

    def change(self, disk_id: str = "HDD_DISK", **values: Any) -> Deferred[None]:
        return Deferred.fromCoroutine(self.settings.change(disk_id, **values))

    def test_nothing_set(self) -> None:
        """Then the configuration says how the disk is."""
        self.assertEqual(self.settings.of("HDD_DISK"), DiskSetting())
        self.assertEqual(self.settings.config("HDD_DISK"), HDD)
        self.assertEqual(self.settings.config("SD_DISK"), SD)
        rules = self.settings.rules("HDD_DISK")
        told = rules.is_automatic, rules.level_percent, rules.max_age_days, rules.limit_bytes
        self.assertEqual(told, (True, 80, 5, 0))
        self.assertFalse(self.settings.rules("SD_DISK").is_automatic)

    def test_set_and_kept(self) -> None:
        """What is set counts at once and after a restart, for this disk only."""
        rules = self.settings.rules("HDD_DISK")
        values: dict[str, Any] = {
            "cleanup": "none",
            "max_age_days": 0,
            "limit_kib": 2048,
            "wear_level": 90,
            "temperature_level": 330,
            "is_locked": True,
            "encryption": "luks",
            "passphrase": "så hemlig",
        }
        for name, value in values.items():
            self.successResultOf(self.change(**{name: value}))
        for settings in (self.settings, self.load()):
            self.assertEqual(settings.of("HDD_DISK"), DiskSetting(**values))
            config = settings.config("HDD_DISK")
            self.assertEqual(
                (config.cleanup, config.max_age_days, config.encryption), ("none", 0, "luks")
            )
            self.assertEqual((config.level_percent, config.folder), (80, Path("/disk")))
            self.assertEqual(settings.config("SD_DISK"), SD)
        self.assertIs(rules, self.settings.rules("HDD_DISK"))
        told = rules.is_automatic, rules.max_age_days, rules.limit_bytes
        self.assertEqual(told, (False, 0, 2 << 20))

    def test_the_passphrase_is_secret(self) -> None:
        """It is neither in the database's files nor in what is logged of a setting."""
        self.successResultOf(self.change(passphrase="hush-hush"))
        for path in self.folder.path.iterdir():
            self.assertNotIn(b"hush-hush", path.read_bytes(), path)
        self.assertNotIn("hush", repr(self.settings.of("HDD_DISK")))

    def test_unknown_disks(self) -> None:
        """What is set of a disk that is not configured any more waits for it, and does no harm."""
        self.failureResultOf(self.change("USB_DISK", cleanup="none"), NoDisk)
        self.assertRaises(NoDisk, self.settings.of, "USB_DISK")
        self.assertRaises(NoDisk, self.settings.config, "")
        self.successResultOf(self.change(max_age_days=9))
        fewer = DiskSettings(self.database, self.vault, {"SD_DISK": SD})
        self.assertRaises(NoDisk, fewer.of, "HDD_DISK")
        self.assertEqual(self.load().of("HDD_DISK").max_age_days, 9)

    def test_not_kept(self) -> None:
        """What could not be kept has not changed."""
        self.database.close()
        self.failureResultOf(self.change(cleanup="none"), StateError)
        self.assertEqual(self.settings.of("HDD_DISK"), DiskSetting())
        self.assertTrue(self.settings.rules("HDD_DISK").is_automatic)

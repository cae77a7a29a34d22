"""What clients have set of a disk: it wins over the configuration file, and survives a restart.

Each change goes to the state database first and then counts at once, for a disk that is in use too:
its retention goes by the `Rules` given here, which are the same object for as long as the recorder
runs. A passphrase is encrypted at rest.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from twisted.internet.defer import DeferredLock

from axis_nvr.config.disk import DiskConfig
from axis_nvr.errors import NvrError
from axis_nvr.services.state_database import StateDatabase
from axis_nvr.services.vault import Vault
from axis_nvr.storage.retention.policy import Rules

#: Alert levels until somebody sets others: all of the expected life used; 70 degrees Celsius.
DEFAULT_WEAR_PERCENT = 100
DEFAULT_TEMPERATURE_KELVIN = 343

_KIB = 1024
_COLUMNS = (
    "cleanup, max_age_days, limit_kib, wear_level, temperature_level, is_locked, encryption, "
    "passphrase"
)


class NoDisk(NvrError):
    """There is no disk of this id."""


@dataclass(frozen=True, slots=True)
class DiskSetting:
    """What clients have set of a disk.

    :param cleanup: one of `axis_nvr.config.disk.CLEANUPS`; None: what the configuration says.
    :param max_age_days: None: what the configuration says; 0: nothing is too old.
    :param limit_kib: what recordings may take, in units of 1024 bytes; 0: as much as there is.
    :param wear_level: of the expected life, in percent: from here on an alert.
    :param temperature_level: the same, in kelvin.
    :param is_locked: nothing is written to it or removed from it.
    :param encryption: one of `axis_nvr.config.disk.ENCRYPTIONS`; None: what the configuration says.
    :param passphrase: opens its device; empty: what the configuration says.
    """

    cleanup: str | None = None
    max_age_days: int | None = None
    limit_kib: int = 0
    wear_level: int = DEFAULT_WEAR_PERCENT
    temperature_level: int = DEFAULT_TEMPERATURE_KELVIN
    is_locked: bool = False
    encryption: str | None = None
    passphrase: str = field(default="", repr=False)


class DiskSettings:
    """What clients have set of the disks.

    :param disks: the configured disks by id.
    :raises ConfigError: the database cannot be read.
    """

    def __init__(
        self, database: StateDatabase, vault: Vault, disks: Mapping[str, DiskConfig]
    ) -> None:
        self._database = database
        self._vault = vault
        self._disks = disks
        self._lock = DeferredLock()
        self._settings: dict[str, DiskSetting] = {}
        for disk, *row in database.rows(f"SELECT disk, {_COLUMNS} FROM disk_settings"):  # noqa: S608
            values: dict[str, Any] = dict(zip(_COLUMNS.split(", "), row, strict=True))
            values["is_locked"] = bool(values["is_locked"])
            values["passphrase"] = values["passphrase"] and vault.decrypt(values["passphrase"])
            self._settings[disk] = DiskSetting(**values)
        self._rules = {disk_id: Rules() for disk_id in disks}
        for disk_id in disks:
            self._bring_into_line(disk_id)

    def of(self, disk_id: str) -> DiskSetting:
        """Give what was set of a disk.

        :raises NoDisk: there is none of this id.
        """
        if disk_id not in self._disks:
            raise NoDisk(f"no disk {disk_id!r:.60}")
        return self._settings.get(disk_id, DiskSetting())

    def config(self, disk_id: str) -> DiskConfig:
        """Give a disk as it is to be by now.

        :raises NoDisk: there is none of this id.
        """
        setting, disk = self.of(disk_id), self._disks[disk_id]
        if setting.cleanup is not None:
            disk = replace(disk, cleanup=setting.cleanup)
        if setting.max_age_days is not None:
            disk = replace(disk, max_age_days=setting.max_age_days)
        if setting.encryption is not None:
            disk = replace(disk, encryption=setting.encryption)
        return disk

    def rules(self, disk_id: str) -> Rules:
        """Give what is removed from a disk, and when; it changes with what is set."""
        return self._rules[disk_id]

    async def change(self, disk_id: str, **values: Any) -> None:
        """Set something of a disk.

        :param values: fields of `DiskSetting`; whoever calls has checked them.
        :raises NoDisk: there is none of this id.
        :raises StateError: it could not be kept; nothing has changed.
        """
        async with self._lock:
            setting = replace(self.of(disk_id), **values)
            row = (
                disk_id,
                setting.cleanup,
                setting.max_age_days,
                setting.limit_kib,
                setting.wear_level,
                setting.temperature_level,
                setting.is_locked,
                setting.encryption,
                self._vault.encrypt(setting.passphrase) if setting.passphrase else "",
            )
            statement = (
                f"INSERT OR REPLACE INTO disk_settings (disk, {_COLUMNS})"  # noqa: S608
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
            )
            await self._database.execute(statement, *row)
            self._settings[disk_id] = setting
            self._bring_into_line(disk_id)

    def _bring_into_line(self, disk_id: str) -> None:
        rules, disk = self._rules[disk_id], self.config(disk_id)
        rules.is_automatic = disk.cleanup == "fifo"
        rules.level_percent = disk.level_percent
        rules.max_age_days = disk.max_age_days
        rules.limit_bytes = self.of(disk_id).limit_kib * _KIB

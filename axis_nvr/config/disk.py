"""The disks: where each is, what is removed from it and when, and how it is encrypted.

In the file a disk is a table, ``[disk.HDD_DISK]``; where nothing but its folder is to be said,
``HDD_DISK = "folder"`` within ``[disk]`` is enough, and so is ``ID=DIR`` on the command line.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from axis_nvr.config.table import MAX_ENTRIES, Table

#: What is done when a disk gets full: remove what is oldest, or nothing.
CLEANUPS = ("fifo", "none")
#: How a disk is encrypted.
ENCRYPTIONS = ("none", "luks")
#: The most days that an age may have, as in the VAPIX API.
MAX_DAYS = 7000
#: How full a disk may get unless told otherwise, in percent.
DEFAULT_LEVEL_PERCENT = 95
#: A disk is looked over in so many days unless told otherwise.
DEFAULT_SCRUB_DAYS = 30

_DISK_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")


@dataclass(frozen=True, slots=True)
class DiskConfig:
    """One disk.

    :param disk_id: such as ``HDD_DISK``.
    :param folder: where its recordings are.
    :param cleanup: one of `CLEANUPS`.
    :param level_percent: how full the disk may get, in percent of its file system.
    :param max_age_days: what is older and not locked is removed; 0: nothing is too old.
    :param scrub_days: all of the disk is read and checked in so many days; 0: never.
    :param encryption: one of `ENCRYPTIONS`.
    :param device: the block device that is encrypted, or may be by a client; empty if it is found
        by the mount table.
    :param passphrase_file: the file whose first line opens an encrypted disk; empty: none.
    """

    disk_id: str
    folder: Path
    cleanup: str = "fifo"
    level_percent: int = DEFAULT_LEVEL_PERCENT
    max_age_days: int = 0
    scrub_days: int = DEFAULT_SCRUB_DAYS
    encryption: str = "none"
    device: str = ""
    passphrase_file: str = ""


def read_disks(written: Table, given: Table, default: Mapping[str, Path]) -> dict[str, DiskConfig]:
    """Read ``disk`` of the file and of the command line.

    The command line says which disks there are and where; what the file says of a disk of the same
    id beside its folder stays in force.

    :param default: the disks, by id, if neither names one.
    :raises ConfigError: naming the key.
    """
    in_file, on_line = _disks(written), _disks(given)
    if on_line:
        return {
            disk_id: replace(in_file.get(disk_id, disk), folder=disk.folder)
            for disk_id, disk in on_line.items()
        }
    return in_file or {disk_id: DiskConfig(disk_id, folder) for disk_id, folder in default.items()}


def _disks(table: Table) -> dict[str, DiskConfig]:
    disks: dict[str, DiskConfig] = {}
    folders: set[Path] = set()
    for disk_id, value in _entries(table):
        if not _DISK_ID.fullmatch(disk_id):
            words = "1 to 32 letters, digits, - and _, and begin with a letter or digit"
            raise table.wrong("disk", f"is ID=DIR, and the id must have {words}, not {disk_id!r}")
        if disk_id in disks:
            raise table.wrong("disk", f"names {disk_id} twice")
        disk = _disk(table, disk_id, value)
        if disk.folder in folders:
            raise table.wrong("disk", f"names the folder {disk.folder} twice")
        folders.add(disk.folder)
        disks[disk_id] = disk
    return disks


def _entries(table: Table) -> list[tuple[str, Any]]:
    """Give ids and what is said of them: a table by id, or a list of ``ID=DIR``."""
    values = table.take("disk", object, [])
    if isinstance(values, dict):
        pairs = list(values.items())
    elif isinstance(values, list) and all(isinstance(value, str) for value in values):
        pairs = [value.partition("=")[::2] for value in values]
    else:
        raise table.wrong("disk", "must be a table of folders by id, or an array of ID=DIR")
    if len(pairs) > MAX_ENTRIES:
        raise table.wrong("disk", f"names {len(pairs)} disks, more than {MAX_ENTRIES}")
    return pairs


def _disk(table: Table, disk_id: str, value: object) -> DiskConfig:
    if isinstance(value, dict):
        inner = Table(value, f"{table.place}: [disk.{disk_id}]", table.folder)
        return _disk_of_table(inner, disk_id)
    if not isinstance(value, str) or not value or not value.isprintable():
        raise table.wrong("disk", f"must name a folder for {disk_id}")
    return DiskConfig(disk_id, table.folder / Path(value).expanduser())


def _disk_of_table(table: Table, disk_id: str) -> DiskConfig:
    if "folder" not in table:
        raise table.missing("folder")
    disk = DiskConfig(
        disk_id=disk_id,
        folder=table.path("folder", ""),
        cleanup=table.one_of("cleanup", CLEANUPS, CLEANUPS[0]),
        level_percent=table.integer("level_percent", 1, 99, DEFAULT_LEVEL_PERCENT),
        max_age_days=table.integer("max_age_days", 0, MAX_DAYS, 0),
        scrub_days=table.integer("scrub_days", 0, MAX_DAYS, DEFAULT_SCRUB_DAYS),
        encryption=table.one_of("encryption", ENCRYPTIONS, ENCRYPTIONS[0]),
        device=_device(table),
        passphrase_file=_passphrase_file(table),
    )
    if disk.passphrase_file and disk.encryption == "none":
        raise table.wrong("passphrase_file", 'goes with encryption = "luks"')
    table.finish()
    return disk


def _device(table: Table) -> str:
    device = table.text("device")
    if "device" in table and not device.startswith("/"):
        raise table.wrong("device", "must be the path of a block device, such as /dev/sdb1")
    return device


def _passphrase_file(table: Table) -> str:
    """Give the file's path; it is read when the disk is opened, and its content kept nowhere."""
    if "passphrase_file" not in table:
        return ""
    if not (text := table.text("passphrase_file")):
        raise table.wrong("passphrase_file", "must name a file")
    return str(table.folder / Path(text).expanduser())

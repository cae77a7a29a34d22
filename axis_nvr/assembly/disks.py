"""The disks: what keeps each of them open, mended and within its bounds."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred

from axis_nvr.assembly.foundation import Foundation
from axis_nvr.config import DEFAULT_DISK_ID, Config
from axis_nvr.config.disk import DiskConfig
from axis_nvr.protocols.program import run_program
from axis_nvr.services.disk_chores import chores_for
from axis_nvr.services.disk_encryption import DiskEncryption
from axis_nvr.services.disk_keeper import DiskKeeper
from axis_nvr.services.disk_settings import DiskSettings
from axis_nvr.services.disruption import IDisruptionObserver
from axis_nvr.services.known_disks import DiskMemory, KnownDisks
from axis_nvr.storage.disk import Disk
from axis_nvr.storage.errands import Errands


@dataclass(frozen=True, slots=True)
class Kept:
    """The disks by id, and what belongs to each.

    :param settings: what clients have set of them.
    :param errands: what is to be done in the thread of a disk.
    """

    settings: DiskSettings
    keepers: dict[str, DiskKeeper]
    errands: dict[str, Errands]


def keep_disks(base: Foundation, *observers: IDisruptionObserver) -> Kept:
    """Make what keeps the disks; none is touched yet.

    :param observers: hear of disruptions, beside the log.
    """
    disks = demo_disks(base.config) if base.config.demo else base.config.disks
    settings = DiskSettings(base.database, base.vault, disks)
    known = KnownDisks(base.state)
    keepers: dict[str, DiskKeeper] = {}
    errands = {
        name: Errands(base.reactor, disk.folder, partial(_wake, keepers, name))
        for name, disk in disks.items()
    }
    kept = Kept(settings, keepers, errands)
    for name, disk in disks.items():
        memory = DiskMemory(known, name, disk.folder)
        keepers[name] = _keep(base, kept, name, memory, observers)
    return kept


def demo_disks(config: Config) -> Mapping[str, DiskConfig]:
    """Return the disks that were configured, or a fresh one."""
    default = DiskConfig(DEFAULT_DISK_ID, config.state_dir / DEFAULT_DISK_ID)
    if config.disks != {DEFAULT_DISK_ID: default}:
        return config.disks
    stamp = time.strftime("%Y%m%d_%H%M%S")
    fresh, number = config.state_dir / "demo" / stamp, 2
    while fresh.exists():
        fresh, number = fresh.with_name(f"{stamp}_{number}"), number + 1
    return {DEFAULT_DISK_ID: DiskConfig(DEFAULT_DISK_ID, fresh / DEFAULT_DISK_ID)}


def _wake(keepers: Mapping[str, DiskKeeper], disk_id: str, chore: str) -> None:
    keepers[disk_id].wake_chore(chore)


def _keep(
    base: Foundation,
    kept: Kept,
    disk_id: str,
    memory: DiskMemory,
    observers: Sequence[IDisruptionObserver],
) -> DiskKeeper:
    disk = kept.settings.config(disk_id)

    def make() -> Disk:
        return Disk(
            disk.disk_id,
            disk.folder,
            base.serial,
            reactor=base.reactor,
            product=f"axis_nvr {base.release.version}",
            chores=chores_for(disk, kept.settings.rules(disk_id), kept.errands[disk_id]),
        )

    return DiskKeeper(
        make,
        base.reactor,
        observers=observers,
        admit=lambda: Deferred.fromCoroutine(encryption(base.reactor, kept, disk_id).admit()),
        memory=memory,
    )


def encryption(reactor: Any, kept: Kept, disk_id: str) -> DiskEncryption:
    """Make what handles a disk's encryption, as it is to be by now."""
    passphrase = kept.settings.of(disk_id).passphrase.encode()
    run = partial(run_program, reactor)
    return DiskEncryption(kept.settings.config(disk_id), run, passphrase=passphrase)

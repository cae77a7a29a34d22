"""What all parts stand on: configuration, identity, the state folder, the events."""

import time
from dataclasses import dataclass
from typing import Any

from axis_nvr.config import Config
from axis_nvr.services.event_bus import EventBus
from axis_nvr.services.state_database import FILE_NAME, StateDatabase
from axis_nvr.services.state_folder import StateFolder
from axis_nvr.services.state_thread import StateThread
from axis_nvr.services.vault import Vault


@dataclass(frozen=True, slots=True)
class Release:
    """Which program this is.

    :param build_date: such as ``Feb 14 2018 13:08``.
    """

    version: str
    build_date: str


@dataclass(frozen=True, slots=True)
class Foundation:
    """What the other parts of a recorder are given.

    :param thread: where the database is written; a service, to be started before what writes.
    :param bus: all events pass it.
    """

    reactor: Any
    config: Config
    release: Release
    serial: str
    state: StateFolder
    thread: StateThread
    database: StateDatabase
    vault: Vault
    bus: EventBus


def utc_us() -> int:
    """Tell the time of day: UTC, microseconds since 1970."""
    return int(time.time() * 1e6)


def lay_foundation(reactor: Any, config: Config, release: Release) -> Foundation:
    """Open the state folder.

    :raises ConfigError: it cannot be used.
    """
    state = StateFolder(config.state_dir)
    state.open()
    serial = state.serial(config.serial)
    thread = StateThread(reactor)
    database = StateDatabase(state.path / FILE_NAME, thread.run)
    thread.ended = database.close
    bus = EventBus(utc_us)
    return Foundation(reactor, config, release, serial, state, thread, database, Vault(state), bus)

"""Recording groups: what is recorded of a device, and how long it is kept.

Groups live on their disk (`axis_nvr.storage.groups`): they are known while it is in use, and come
with it from another recorder. A change is on the disk before it counts. What is recorded of a group
carries its id; by that retention knows how long to keep it (`axis_nvr.storage.retention.policy`),
at its next look, within a minute.

Where two disks bring a group of the same id, that of the disk that came first is served; the
recordings on each are kept as their own disk says.
"""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import tzinfo
from functools import partial
from types import MappingProxyType

from twisted.internet.defer import DeferredLock
from twisted.logger import Logger
from twisted.python.failure import Failure

from axis_nvr.errors import ConfigError, NvrError, WireError
from axis_nvr.media.stream_options import StreamOptions
from axis_nvr.services.library import Library, Shelf
from axis_nvr.services.recordings import Recordings
from axis_nvr.services.removals import Removals
from axis_nvr.storage.groups import (
    MAX_GROUPS,
    Group,
    ReadGroups,
    is_group_id,
    read_groups,
    remove_group,
    write_group,
)
from axis_nvr.storage.housekeeping import Premises
from axis_nvr.storage.layout import local_stamp
from axis_nvr.storage.reading.search import Search
from axis_nvr.storage.retention.policy import Rules

#: Characters of a disk's id in an id that is made up.
_DISK_CHARACTERS = 24
_HOUR_SECONDS = 3600


class NoGroup(NvrError):
    """There is no group of this id."""


class GroupExists(NvrError):
    """There is a group of this id, or one that differs from it in small and capital letters."""


class TooManyGroups(NvrError):
    """There are `MAX_GROUPS` already."""


class WrongStreamOptions(NvrError):
    """The stream options cannot be read, or name no device that is known."""


class GroupInUse(NvrError):
    """Something that is configured records by the group."""


class UnknownDisk(NvrError):
    """There is no disk of this id."""


class DiskNotInUse(NvrError):
    """The disk is not in use, or its groups are not known yet."""


@dataclass(frozen=True, slots=True)
class PlacedGroup:
    """A group and the disk that it is on."""

    group: Group
    disk: str


class Groups:
    """The groups of all disks that are in use.

    :param rules: gives what retention goes by, for the id of a disk.
    :param now: the UTC clock, seconds since 1970.
    :param zone: whose local time is in ids that are made up; None is the zone of this machine.
    :ivar followers: called after each change: of a group, of what groups there are.
    :ivar in_use: tells whether something that is configured records by a group; such a group is not
        deleted.
    """

    log = Logger()

    def __init__(
        self,
        library: Library,
        recordings: Recordings,
        removals: Removals,
        rules: Callable[[str], Rules],
        now: Callable[[], float],
        zone: tzinfo | None = None,
    ) -> None:
        self.followers: list[Callable[[], None]] = []
        self.in_use: Callable[[str], bool] = lambda group_id: False
        self._library = library
        self._recordings = recordings
        self._removals = removals
        self._rules = rules
        self._now = now
        self._zone = zone
        self._lock = DeferredLock()
        self._of_disks: dict[str, dict[str, Group]] = {}
        self._deleting: set[str] = set()
        library.follow(self._came, self._went)

    @property
    def all(self) -> Mapping[str, PlacedGroup]:
        """The groups by id, those of the disk that came first before the others."""
        placed: dict[str, PlacedGroup] = {}
        for disk, groups in self._of_disks.items():
            for group in groups.values():
                placed.setdefault(group.id, PlacedGroup(group, disk))
        return MappingProxyType(placed)

    def find(self, group_id: str) -> PlacedGroup:
        """Give a group.

        :raises NoGroup: there is none of this id.
        """
        placed = self.all.get(group_id)
        if placed is None:
            raise NoGroup(f"no recording group {group_id!r:.60}")
        return placed

    # Disks that come and go.

    def _came(self, shelf: Shelf) -> None:
        reading = shelf.errands.run(lambda premises: read_groups(premises.files, premises.folder))
        reading.addCallbacks(
            self._loaded, self._not_loaded, callbackArgs=(shelf.disk,), errbackArgs=(shelf.disk,)
        )

    def _loaded(self, found: ReadGroups, disk: str) -> None:
        for problem in found.problems:
            self.log.error("{disk}: {problem}", disk=disk, problem=problem)
        others = {
            g.id for d, groups in self._of_disks.items() if d != disk for g in groups.values()
        }
        for group_id in sorted(others & found.groups.keys()):
            self.log.warn(
                "{disk}: the recording group {group} is on another disk too, which came first",
                disk=disk,
                group=group_id,
            )
        self._of_disks[disk] = found.groups
        self._tell(disk)

    def _not_loaded(self, failure: Failure, disk: str) -> None:
        words = failure.getErrorMessage()
        self.log.error("{disk}: its groups are not known: {error}", disk=disk, error=words)

    def _went(self, disk: str) -> None:
        self._of_disks.pop(disk, None)
        self._tell(disk)

    def _tell(self, disk: str) -> None:
        """Tell retention, and who follows, of a change at a disk."""
        self._rules(disk).group_seconds = {
            group.id: group.retention_hours * _HOUR_SECONDS
            for group in self._of_disks.get(disk, {}).values()
        }
        for follower in self.followers:
            follower()

    # Changes.

    async def create(self, group: Group, disk: str) -> str:
        """Add a group.

        :param group: without an id it gets one.
        :returns: its id.
        :raises UnknownDisk: see there.
        :raises DiskNotInUse: see there.
        :raises WrongStreamOptions: see there.
        :raises GroupExists: its id is taken.
        :raises TooManyGroups: see there.
        :raises StorageError: the disk does not take it.
        """
        async with self._lock:
            shelf = self._shelf(disk)
            self._check_options(group)
            if len(self.all) >= MAX_GROUPS:
                raise TooManyGroups(f"there are {MAX_GROUPS} recording groups already")
            group = group if group.id else replace(group, id=self._free_id(disk))
            if not is_group_id(group.id):
                raise WireError(f"no id of a recording group: {group.id!r:.60}")
            if group.id.casefold() in {group_id.casefold() for group_id in self.all}:
                raise GroupExists(f"there is a recording group {group.id!r} already")
            await shelf.errands.run(partial(_write, group=group))
            self._keep(disk, group)
        return group.id

    async def update(self, group_id: str, changed: Callable[[Group], Group]) -> None:
        """Change a group; who records by it follows.

        :raises NoGroup: there is none of this id.
        :raises DiskNotInUse: see there.
        :raises WrongStreamOptions: see there.
        :raises StorageError: the disk does not take it; nothing has changed.
        """
        async with self._lock:
            placed = self.find(group_id)
            group = changed(placed.group)
            if group.stream_options != placed.group.stream_options:
                self._check_options(group)
            await self._shelf(placed.disk).errands.run(partial(_write, group=group))
            self._keep(placed.disk, group)

    async def delete(self, group_id: str) -> None:
        """Remove a group with its recordings; those that are locked stay, as of no group.

        :raises NoGroup: there is none of this id.
        :raises GroupInUse: see there.
        :raises DiskNotInUse: see there.
        :raises StorageError: the disk cannot be written; some of its recordings may be gone.
        """
        async with self._lock:
            placed = self.find(group_id)
            if self.in_use(group_id):
                raise GroupInUse(f"the recording group {group_id!r} is in use")
            shelf = self._shelf(placed.disk)
            self._deleting.add(group_id)
            try:
                await self.end_group(group_id)
                await self._remove_recordings(placed)
                await shelf.errands.run(partial(_remove, group_id=group_id))
                self._of_disks.get(placed.disk, {}).pop(group_id, None)
                self._tell(placed.disk)
            finally:
                self._deleting.discard(group_id)

    async def _remove_recordings(self, placed: PlacedGroup) -> None:
        search = Search(group=placed.group.id, newest_first=False)
        async for removed in self._removals.remove_all(search, placed.disk):
            if removed.words:
                self.log.warn(
                    "{recording_id} of the deleted group {group} stays: {words}",
                    recording_id=removed.recording_id,
                    group=placed.group.id,
                    words=removed.words,
                )

    def _keep(self, disk: str, group: Group) -> None:
        self._of_disks.setdefault(disk, {})[group.id] = group
        self._tell(disk)

    def _shelf(self, disk: str) -> Shelf:
        if disk not in self._library.disks:
            raise UnknownDisk(f"there is no disk {disk!r:.60}")
        shelf = self._library.shelves.get(disk)
        if shelf is None or disk not in self._of_disks:
            raise DiskNotInUse(f"the disk {disk!r:.60} is not in use")
        return shelf

    def _check_options(self, group: Group) -> None:
        registry = self._recordings.registry
        try:
            options = StreamOptions.parse(group.stream_options)
            request = registry.request(options, pre_buffer=group.pre_ms > 0)
        except (WireError, ConfigError) as error:
            raise WrongStreamOptions(str(error)) from error
        for warning in request.options.warnings(pre_buffer=request.pre_buffer):
            self.log.warn(
                "recording group {group}: {doubt}",
                group=group.id or group.nice_name,
                doubt=str(warning),
            )

    def _free_id(self, disk: str) -> str:
        """Make an id up: disk, local time, eight digits."""
        name = "".join(c if is_group_id(c) else "_" for c in disk)[:_DISK_CHARACTERS]
        stamp = local_stamp(int(self._now() * 1e6), self._zone)
        return f"{name}_{stamp}_{secrets.token_hex(4).upper()}"

    # Recording by a group: `axis_nvr.services.triggered` begins it.

    def recordable(self, group_id: str) -> PlacedGroup:
        """Give a group that may be recorded by.

        :raises NoGroup: there is none of this id, or it is being deleted.
        """
        if group_id in self._deleting:
            raise NoGroup(f"the recording group {group_id!r} is being deleted")
        return self.find(group_id)

    async def end_group(self, group_id: str) -> None:
        """End all that is recorded by a group."""
        for run in list(self._recordings.runs):
            if run.order.group == group_id:
                await self._recordings.end(run)


def _write(premises: Premises, group: Group) -> None:
    write_group(premises.files, premises.folder, group)


def _remove(premises: Premises, group_id: str) -> None:
    remove_group(premises.files, premises.folder, group_id)

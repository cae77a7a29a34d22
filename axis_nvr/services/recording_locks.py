"""Locks on recordings, over all disks (`axis_nvr.storage.locks`)."""

from collections.abc import Callable
from functools import partial
from itertools import islice

from axis_nvr.errors import NvrError
from axis_nvr.services.library import Library, Shelf
from axis_nvr.storage.housekeeping import Premises
from axis_nvr.storage.index import Index
from axis_nvr.storage.locks import Locks, find_locks
from axis_nvr.storage.locks_xml import Lock

#: Locks told in one answer.
MAX_TOLD = 10_000


class NoLock(NvrError):
    """There is no such lock."""


class RecordingLocks:
    """Makes locks, tells of them, and takes them away."""

    def __init__(self, library: Library) -> None:
        self._library = library

    async def lock(
        self,
        recording_id: str,
        start_us: int | None,
        stop_us: int | None,
        *,
        reason: str,
        owner: str,
    ) -> Lock:
        """Lock a recording, or a span of it; see `axis_nvr.storage.locks.Locks.lock`.

        :raises NoRecording: there is none of this id.
        :raises StorageError: there is nothing to lock, or it cannot be.
        """
        shelf = (await self._library.locate(recording_id)).shelf

        def work(locks: Locks) -> Lock:
            return locks.lock(recording_id, start_us, stop_us, reason=reason, owner=owner)

        return await shelf.errands.run(partial(_with_locks, work=work))

    async def unlock(self, token: str) -> Lock:
        """Take a lock away.

        :returns: what it was.
        :raises NoLock: there is none of this name.
        :raises StorageError: a disk cannot be read, or not be written.
        """
        for shelf in self._library.chosen():
            if await shelf.reader.ask(_locks, None, token):
                return await shelf.errands.run(
                    partial(_with_locks, work=lambda locks: locks.unlock(token))
                )
        raise NoLock(f"there is no lock {token!r:.80}")

    async def all(self, recording_id: str | None = None) -> list[tuple[Shelf, Lock]]:
        """Give the locks, those of each disk by recording, at most `MAX_TOLD`.

        :param recording_id: those of this recording only.
        :raises StorageError: a disk cannot be read.
        """
        found: list[tuple[Shelf, Lock]] = []
        for shelf in self._library.chosen():
            locks = await shelf.reader.ask(_locks, recording_id)
            found += [(shelf, lock) for lock in locks]
        return found[:MAX_TOLD]


def _locks(index: Index, recording_id: str | None, token: str | None = None) -> list[Lock]:
    return list(islice(find_locks(index, recording_id, token=token), MAX_TOLD))


def _with_locks(premises: Premises, work: Callable[[Locks], Lock]) -> Lock:
    return work(Locks(premises.files, premises.folder, premises.index, premises.now))

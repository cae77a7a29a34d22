"""Recordings removed because somebody asked for it, one by one or all that match.

What is being written is ended first; a continuous recording then goes on as another one. What is
locked is refused. A removal is answered once it is noted durably on its disk (see
`axis_nvr.storage.removal`); the files go after that, in the disk's housekeeping thread.
"""

from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import NamedTuple

from axis_nvr.errors import NvrError, StorageError
from axis_nvr.services.library import Library, Shelf
from axis_nvr.services.recordings import Recordings
from axis_nvr.storage.housekeeping import Premises
from axis_nvr.storage.reading.search import Found, Page, Place, Search, find
from axis_nvr.storage.removal import note_recordings

#: Recordings that are removed together, at most.
BATCH = 100


class Removed(NamedTuple):
    """What came of one.

    :ivar words: why it is not removed; empty: it is.
    """

    recording_id: str
    words: str = ""


class Removals:
    """Removes recordings."""

    def __init__(self, library: Library, recordings: Recordings) -> None:
        self._library = library
        self._recordings = recordings

    async def remove(self, recording_id: str, disk: str | None = None) -> Removed:
        """Remove one recording.

        :param disk: from this disk only.
        """
        try:
            located = await self._library.locate(recording_id, disk)
        except NvrError as error:
            return Removed(recording_id, _words(error))
        (removed,) = await self._remove(located.shelf, [located.found])
        return removed

    async def remove_all(self, search: Search, disk: str | None = None) -> AsyncIterator[Removed]:
        """Remove all that match, a batch for each time that more is asked for.

        :param disk: from this disk only.
        :raises StorageError: a disk cannot be read.
        """
        for shelf in self._library.chosen(disk):
            after: Place | None = None
            while True:
                page: Page = await shelf.reader.ask(find, search, BATCH, after)
                for removed in await self._remove(shelf, page.found):
                    yield removed
                if page.next is None:
                    break
                after = page.next

    async def _remove(self, shelf: Shelf, found: Sequence[Found]) -> list[Removed]:
        for one in found:
            if one.row.stop_us is None and not one.locked:
                await self._recordings.conclude(one.row.recording_id)
        waiting = [one.row.recording_id for one in found]
        outcomes: list[Removed] = []
        while waiting:
            try:
                noted = await shelf.errands.run(partial(_note, recording_ids=waiting))
            except NvrError as error:
                return [*outcomes, *(Removed(name, _words(error)) for name in waiting)]
            for name, refusal in zip(waiting, noted, strict=False):
                outcomes.append(Removed(name, "" if refusal is None else _words(refusal)))
            waiting = waiting[len(noted) :]
        shelf.errands.wake("retention")
        return outcomes


def _note(premises: Premises, recording_ids: Sequence[str]) -> list[StorageError | None]:
    return note_recordings(premises.index, premises.folder, recording_ids, premises.running())


def _words(error: NvrError) -> str:
    """Say for a client why; no path of ours is in it."""
    return error.message if isinstance(error, StorageError) else str(error)

"""What is played: one recording, or all that there is of a device on a disk."""

from collections.abc import Callable
from dataclasses import dataclass

from axis_nvr.media.units import Format
from axis_nvr.services.library import Located, Shelf
from axis_nvr.session.replay.order import Extent
from axis_nvr.storage.index import Index
from axis_nvr.storage.reading.device_trail import DeviceTrail
from axis_nvr.storage.reading.first_formats import first_formats
from axis_nvr.storage.reading.reader import ReadingCursor
from axis_nvr.storage.reading.search import Search, find
from axis_nvr.storage.reading.trail import RecordingTrail, Trail


@dataclass(frozen=True, slots=True)
class Subject:
    """What is played.

    :param open: gives a cursor that stands before its beginning.
    """

    shelf: Shelf
    open: Callable[[], ReadingCursor]
    _make_trail: Callable[[Callable[[], Index]], Trail]
    _search: Search

    async def formats(self) -> dict[int, Format]:
        """Tell its tracks, as its first block has them.

        :raises StorageError: the index cannot be read, here and below.
        """
        reader = self.shelf.reader
        return await reader.ask(first_formats, reader.maps, self._make_trail)

    async def extent(self) -> Extent | None:
        """Tell of what time there is anything now; None if it is gone."""
        return await self.shelf.reader.ask(_extent, self._search)


def recording_subject(located: Located) -> Subject:
    """Play one recording."""
    reader, recording_id = located.shelf.reader, located.found.row.recording_id
    return Subject(
        located.shelf,
        lambda: reader.recording(recording_id),
        lambda index: RecordingTrail(index, recording_id),
        Search(recording_id=recording_id),
    )


def device_subject(shelf: Shelf, device: str) -> Subject:
    """Play all that a disk has of a device, each moment once."""
    return Subject(
        shelf,
        lambda: shelf.reader.device(device),
        lambda index: DeviceTrail(index, device),
        Search(device=device),
    )


def _extent(index: Index, search: Search) -> Extent | None:
    oldest = find(index, Search(search.recording_id, device=search.device, newest_first=False), 1)
    if not oldest.found or (start_us := oldest.found[0].row.start_us) is None:
        return None
    if search.device is not None:
        running = find(index, Search(device=search.device, running=True), 1)
        if running.found:
            return Extent(start_us, None)
    newest = oldest if search.device is None else find(index, search, 1)
    return Extent(start_us, newest.found[0].row.stop_us)

"""A search over all disks: their results in one order, page by page.

Each disk gives its results in order of their start, so a merge of the disks' next ones is the whole
in order; memory holds a page of each disk.

To pass over the first n of d disks without reading them, each is asked for its result number n/d.
The earliest of these answers has at most n results before it and with it, n/d of them on its own
disk: those are passed over, and the rest is n less n/d. A few such rounds are enough.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from axis_nvr.services.library import Shelf
from axis_nvr.storage.reading.search import MAX_PAGE, Found, Place, Search, count, find, place_of

#: Results asked of a disk at a time.
PAGE = 200


@dataclass(frozen=True, slots=True)
class Hit:
    """A recording that was found, and the disk it is on."""

    shelf: Shelf
    found: Found


@dataclass(slots=True, eq=False)
class _Stack:
    """What a disk has to give.

    :ivar skipped: results passed over.
    :ivar after: the last one that was read or passed over.
    :ivar found: read and not given yet, the next one last.
    """

    shelf: Shelf
    rank: int
    skipped: int = 0
    after: Place | None = None
    found: list[Found] = field(default_factory=list)
    is_read: bool = False


class Results:
    """The results of a search.

    :param page: results asked of a disk at a time, at most `MAX_PAGE`.
    """

    def __init__(self, shelves: Sequence[Shelf], search: Search, page: int = PAGE) -> None:
        self._search = search
        self._page = max(1, min(page, MAX_PAGE))
        self._stacks = [_Stack(shelf, rank) for rank, shelf in enumerate(shelves)]

    async def count(self) -> int:
        """Tell how many there are.

        :raises StorageError: a disk cannot be read; here and below.
        """
        counts = [await s.shelf.reader.ask(count, self._search) for s in self._stacks]
        return sum(counts)

    async def skip(self, number: int) -> None:
        """Pass over the first ones; before any is read."""
        stacks = list(self._stacks)
        while number > 0 and stacks:
            step = max(1, number // len(stacks))
            places: list[tuple[_Stack, Place]] = []
            for stack in stacks:
                target = stack.skipped + step
                place = await stack.shelf.reader.ask(place_of, self._search, target)
                if place is not None:
                    places.append((stack, place))
            if not places:  # there are not as many
                for stack in stacks:
                    stack.is_read = True
                return
            first, place = self._first([(stack, place.start, place) for stack, place in places])
            first.skipped += step
            first.after = place
            number -= step

    def _first(self, candidates: Sequence[tuple[_Stack, str, Place]]) -> tuple[_Stack, Place]:
        if self._search.newest_first:
            stack, _, place = max(candidates, key=lambda c: (c[1], -c[0].rank))
        else:
            stack, _, place = min(candidates, key=lambda c: (c[1], c[0].rank))
        return stack, place

    def __aiter__(self) -> AsyncIterator[Hit]:
        return self._hits()

    async def _hits(self) -> AsyncIterator[Hit]:
        stacks = list(self._stacks)
        while True:
            for stack in stacks:
                if not stack.found and not stack.is_read:
                    await self._read(stack)
            stacks = [stack for stack in stacks if stack.found]
            if not stacks:
                return
            stack = self._next(stacks)
            yield Hit(stack.shelf, stack.found.pop())

    def _next(self, stacks: Sequence[_Stack]) -> _Stack:
        if self._search.newest_first:
            return max(stacks, key=lambda s: (s.found[-1].row.start_us or 0, -s.rank))
        return min(stacks, key=lambda s: (s.found[-1].row.start_us or 0, s.rank))

    async def _read(self, stack: _Stack) -> None:
        page = await stack.shelf.reader.ask(find, self._search, self._page, stack.after)
        while not page.found and page.next is not None:  # all of it was removed meanwhile
            page = await stack.shelf.reader.ask(find, self._search, self._page, page.next)
        stack.found = list(reversed(page.found))
        stack.after, stack.is_read = page.next, page.next is None

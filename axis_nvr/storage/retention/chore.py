"""The chore "retention": removes what is oldest when room is needed, and what is too old.

Each step does the first of these that there is to do:

1. Files of blocks that are noted for removal go, also those an earlier run noted
   (`axis_nvr.storage.sweeper`).
2. If less is free than the rules ask for, or recordings take more than they may, the oldest blocks
   are noted, as many as make that much room, and their files go.
3. Blocks that are too old are noted, of the disk as a whole and then of each recording group, and
   their files go.

A step notes a few blocks and never more than are needed; the next one looks at the disk again.
While the index is being made anew from the files, what is oldest in it may not be the oldest there
is: then nothing goes for its age, and for room only once most of the reserve is used up.

When what was removed does not show as free it is waited for before more is removed, and nothing is
removed for its age by a clock that has just been set (`axis_nvr.storage.retention.patience`).
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from twisted.logger import Logger

from axis_nvr.errors import StorageError, StorageErrorKind
from axis_nvr.storage.files import Space, storage_errors
from axis_nvr.storage.housekeeping import Premises, Progress
from axis_nvr.storage.removal import Noted, emptied_recordings, forget_emptied, note_blocks
from axis_nvr.storage.retention.ballast import Ballast
from axis_nvr.storage.retention.candidates import Candidate, Hunt, Page, oldest_of_group
from axis_nvr.storage.retention.patience import ClockWatch, Settling
from axis_nvr.storage.retention.policy import Rules, Why
from axis_nvr.storage.retention.rate import RateMeter
from axis_nvr.storage.retention.usage import Usage
from axis_nvr.storage.schema import REBUILD_STATE
from axis_nvr.storage.sweeper import Sweeper
from axis_nvr.words import count_words, size_words

#: Blocks noted or swept in one step.
BATCH_BLOCKS = 16
#: Pages of the index looked at in one step.
BATCH_PAGES = 4
#: The disk is looked at so often, in seconds, and sooner if its room may not last as long.
LOOK_SECONDS = 30.0
#: It is not looked at more often than this, nor less often until its rate is known.
SOON_SECONDS = 1.0
#: While what was removed does not show as free, it is looked at so often.
SETTLING_SECONDS = 0.5
#: What is too old is looked for so often.
AGE_SECONDS = 60.0
#: What could not be removed is tried again after this time.
STUCK_SECONDS = 600.0
#: With so many things that cannot be removed nothing more is noted: it would only leave the index.
MAX_STUCK = 32
#: The search for the oldest block begins from the very beginning again so often.
FORGET_SECONDS = 3600.0
#: While the index is being made anew, this part of the reserve may be used up first.
PATIENT_PART = 0.75
#: What was removed is told so often.
TELL_SECONDS = 600.0

#: Blocks one by one, and a None behind each page of the index.
Finding = Iterator[Candidate | None]


@dataclass(slots=True)
class _Due:
    """When things are to be done again, by a clock that never steps."""

    age: float = 0.0
    forget: float = 0.0
    stuck: float = 0.0
    tell: float = 0.0


@dataclass(slots=True)
class _Removed:
    """How much was removed."""

    blocks: int = 0
    size_bytes: int = 0

    def add(self, noted: Noted) -> None:
        self.blocks += noted.blocks
        self.size_bytes += noted.size_bytes

    def __str__(self) -> str:
        return f"{count_words(self.blocks, 'block')}, {size_words(self.size_bytes)}"


class Retention:
    """The chore.

    :param rules: what is removed, and when.
    :param monotonic: a clock that never steps, in seconds.
    :ivar progress: for people; see `axis_nvr.storage.housekeeping.Chore`.
    """

    log = Logger()
    name = "retention"

    def __init__(
        self,
        premises: Premises,
        rules: Rules,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.progress: Progress | None = None
        self._premises = premises
        self._rules = rules
        self._monotonic = monotonic
        self._sweeper = Sweeper(premises.files, premises.folder, premises.index)
        self._ballast = Ballast(premises.files, premises.folder)
        self._hunt = Hunt(premises.index)
        self._rate = RateMeter()
        self._usage = Usage(premises)
        self._clock = ClockWatch()
        self._settling = Settling()
        self._due = _Due()
        self._removed = _Removed()
        self._untold: dict[Why, _Removed] = {}
        self._finding: Finding | None = None
        self._aging: Iterator[tuple[Why, Candidate] | None] | None = None
        self._is_helpless = False

    def step(self) -> float | None:
        """See `axis_nvr.storage.housekeeping.Chore`."""
        now = self._monotonic()
        self._clock.look(self._premises.now(), now)
        if self._does_work_left(now):
            return 0.0
        space = self._space()
        is_settled = self._settling.is_over(space.free_bytes, now)
        self._rate.note(self._premises.written_bytes(), now)
        rate = self._rate.bytes_per_second()
        missing = self._rules.missing_bytes(space, rate)
        if self._knows_a_part() and missing:
            missing -= int(self._rules.reserve_bytes(space, rate) * PATIENT_PART)
        why, excess = Why.ROOM, self._excess(now)
        if excess > missing:
            why, missing = Why.LIMIT, excess
        self._tell(space, missing, now)
        if len(self._sweeper.stuck) >= MAX_STUCK:
            return LOOK_SECONDS
        if missing > 0:
            return self._make_room(missing, space, now, why) if is_settled else SETTLING_SECONDS
        self._has_room(space)
        if not self._knows_a_part() and self._removes_old(now):
            return 0.0
        return self._delay(space, rate)

    def _delay(self, space: Space, rate: float) -> float:
        """Tell when to look again: in half the time that the room lasts, and soon at the start."""
        if not self._rate.is_known:
            return SOON_SECONDS
        spare = space.free_bytes - self._rules.reserve_bytes(space, rate)
        return min(LOOK_SECONDS, max(SOON_SECONDS, spare / rate / 2)) if rate > 0 else LOOK_SECONDS

    # What is left to do of what was decided before.

    def _does_work_left(self, now: float) -> bool:
        """Sweep what is noted; tell whether there is more."""
        if self._sweeper.stuck and now >= self._due.stuck:
            self._sweeper.try_again()
        if now >= self._due.forget:
            self._due.forget = now + FORGET_SECONDS
            self._hunt.forget()
        self._clear_emptied()
        return self._sweep(now)

    def _sweep(self, now: float) -> bool:
        swept = self._sweeper.sweep(2 * BATCH_BLOCKS)
        if swept.error is not None:
            self._due.stuck = now + STUCK_SECONDS
            raise swept.error
        return swept.has_more

    def _clear_emptied(self) -> None:
        """See to recordings that lost all their blocks while they ran."""
        index = self._premises.index
        gone = emptied_recordings(index, self._premises.running())
        if gone:
            for recording_id in gone:
                self._sweeper.remove_leftovers(recording_id)
            forget_emptied(index, gone)

    def _knows_a_part(self) -> bool:
        """Tell whether the index is being made anew: what is oldest in it may not be the oldest."""
        is_partial = self._premises.index.state(REBUILD_STATE) is not None
        if is_partial:
            self._hunt.forget()  # what is taken in is older than what is there
        return is_partial

    # Room.

    def _space(self) -> Space:
        folder = self._premises.folder
        with storage_errors(folder, "look at the disk's room"):
            return self._premises.files.space(folder)

    def _has_room(self, space: Space) -> None:
        self._finding = None
        self._is_helpless = False
        if self._rules.is_automatic:
            self._ballast.lay(space.free_bytes)

    def _excess(self, now: float) -> int:
        """Tell how much more recordings take than they may."""
        if not self._rules.has_limit or self._knows_a_part():
            return 0
        return self._rules.excess_bytes(self._usage.bytes(now))

    def _make_room(self, missing: int, space: Space, now: float, why: Why) -> float:
        """Remove the oldest blocks; tell when to go on."""
        if self._finding is None:
            self._finding = _one_by_one(self._hunt.oldest())
        chosen, is_over = _choose(self._finding, missing)
        if chosen or is_over:
            self._finding = None  # the next search is from the oldest again: locks may have changed
        if chosen:
            self._is_helpless = False
            noted = self._note(chosen, why)
            self._settling.expect(space.free_bytes, noted.size_bytes, now)
            self._sweep(now)
            return 0.0
        if not is_over:
            return 0.0
        self._premises.catch_up()  # the next look finds what waited
        if not self._is_helpless:
            self._is_helpless = True
            self.log.error(
                "{folder}: {size} more should be free, and all there is is locked or being"
                " recorded",
                folder=str(self._premises.folder),
                size=size_words(missing),
            )
        return LOOK_SECONDS

    def _note(self, chosen: Iterable[Candidate], why: Why) -> Noted:
        """Note blocks; on a disk that is full to the last byte, with the room of the ballast."""
        premises, names = self._premises, [candidate.block_id for candidate in chosen]
        try:
            noted = note_blocks(premises.index, names, premises.running())
        except StorageError as error:
            if error.kind is not StorageErrorKind.FULL or not self._ballast.drop():
                raise
            noted = note_blocks(premises.index, names, premises.running())
        self._removed.add(noted)
        self._usage.removed(noted.size_bytes)
        self._untold.setdefault(why, _Removed()).add(noted)
        return noted

    # Age.

    def _removes_old(self, now: float) -> bool:
        """Remove blocks that are too old; tell whether there may be more."""
        if self._aging is None:
            if now < self._due.age or not self._clock.is_believed(now):
                return False
            self._due.age = now + AGE_SECONDS
            self._aging = self._too_old(int(self._premises.now() * 1e6))
        chosen: dict[Why, list[Candidate]] = {}
        pages = blocks = 0
        for found in self._aging:
            if found is None:
                pages += 1
            else:
                blocks += 1
                chosen.setdefault(found[0], []).append(found[1])
            if pages == BATCH_PAGES or blocks == BATCH_BLOCKS:
                break
        else:
            self._aging = None
        for why, candidates in chosen.items():
            self._note(candidates, why)
        if chosen:
            self._sweep(now)
        return self._aging is not None

    def _too_old(self, now_us: int) -> Iterator[tuple[Why, Candidate] | None]:
        """Find what is too old, with a None behind each page of the index."""
        limit_us = self._rules.too_old_us(now_us)
        if limit_us is not None:
            yield from _ended(Why.AGE, self._hunt.oldest(limit_us), limit_us)
        for group, limit_us in self._rules.too_old_of_groups(now_us).items():
            pages = oldest_of_group(self._premises.index, group, limit_us)
            yield from _ended(Why.GROUP, pages, limit_us)

    # What is told.

    def _tell(self, space: Space, missing: int, now: float) -> None:
        """Keep `progress` up to date, and log what was removed now and then."""
        words = f"{size_words(space.free_bytes)} free"
        if missing > 0:
            words += f", {size_words(missing)} more wanted"
        if self._is_helpless:
            words += ", and all is locked or being recorded"
        if self._removed.blocks:
            words += f"; removed {self._removed}"
        if self._sweeper.stuck:
            words += f"; {count_words(len(self._sweeper.stuck), 'thing')} cannot be removed"
        self.progress = Progress(words)
        if not self._untold or now < self._due.tell:
            return
        self._due.tell = now + TELL_SECONDS
        for why, removed in self._untold.items():
            self.log.info(
                "{folder}: removed {amount}, as {why}",
                folder=str(self._premises.folder),
                amount=str(removed),
                why=why.value,
            )
        self._untold.clear()


def _one_by_one(pages: Iterable[Page]) -> Finding:
    for page in pages:
        yield from page
        yield None


def _ended(
    why: Why, pages: Iterable[Page], limit_us: int
) -> Iterator[tuple[Why, Candidate] | None]:
    for candidate in _one_by_one(pages):
        if candidate is None:
            yield None
        elif candidate.stop_us <= limit_us:
            yield why, candidate


def _choose(finding: Finding, missing: int) -> tuple[list[Candidate], bool]:
    """Choose as many blocks as make enough room, or as one step takes; tell if there are no more.

    One whose size nobody knows is the last of its step: what it frees is for the next one to see.
    """
    chosen: list[Candidate] = []
    pages = size_bytes = 0
    for candidate in finding:
        if candidate is None:
            pages += 1
        else:
            chosen.append(candidate)
            size_bytes += candidate.size_bytes
        is_enough = size_bytes >= missing or (candidate is not None and not candidate.size_bytes)
        if is_enough or len(chosen) == BATCH_BLOCKS or pages == BATCH_PAGES:
            return chosen, False
    return chosen, True

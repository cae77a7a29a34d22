"""Which ways to lose what was not synced are tried: all if they are few, else a sample."""

import itertools
import math
from collections.abc import Iterator, Sequence
from functools import partial
from random import Random

from tests.storage.faults.medium import (
    SECTOR_BYTES,
    Fate,
    Mark,
    Medium,
    Open,
    Operation,
    Write,
    Zeros,
)

#: Up to so many ways are all tried.
ALL_WAYS = 24
#: A write is torn at so many places at most.
MAX_TEARS = 16


def ways(change_of: Open) -> list[Fate]:
    """Give what may become of one change; the first loses it, the last keeps it."""
    change = change_of.change
    if isinstance(change, Write) and change.data:
        return [(), (Zeros(change.offset + len(change.data)),), *_torn(change), (change,)]
    return [(), (change,)]


def _torn(write: Write) -> Iterator[Fate]:
    """Cut a write at the borders of sectors: the beginning without the end, and the other way."""
    end = write.offset + len(write.data)
    first = SECTOR_BYTES - write.offset % SECTOR_BYTES
    borders = range(first, len(write.data), SECTOR_BYTES)
    for at in borders[:: 1 + len(borders) // MAX_TEARS]:
        yield (Write(write.offset, write.data[:at]),)
        yield (Zeros(end), Write(write.offset, write.data[:at]))
        yield (Write(write.offset + at, write.data[at:]),)


def survivors(medium: Medium, random: Random, samples: int) -> Iterator[Medium]:
    """Give disks as they may be found if the power goes now.

    :param samples: how many at most, where there are more than `ALL_WAYS`.
    """
    items = medium.open_changes()
    choices = [ways(item) for item in items]
    if math.prod(map(len, choices)) <= max(ALL_WAYS, samples):
        picks: Iterator[Sequence[Fate]] = itertools.product(*choices)
    else:
        picks = _sample(choices, random, samples)
    for pick in picks:
        fates = {item[:2]: fate for item, fate in zip(items, pick, strict=True)}
        yield medium.survivor(partial(_fate, fates))


def _fate(fates: dict[tuple[int, int], Fate], item: Open) -> Fate:
    return fates.get(item[:2], ())


def _sample(choices: list[list[Fate]], random: Random, samples: int) -> Iterator[Sequence[Fate]]:
    yield [choice[0] for choice in choices]
    yield [choice[-1] for choice in choices]
    for _ in range(samples - 2):
        likely = random.choice((0.1, 0.5, 0.9))  # mostly lost, mixed, mostly kept
        yield [
            choice[-1] if random.random() < likely else random.choice(choice) for choice in choices
        ]


def crashes(
    begin: Medium,
    log: Sequence[Operation],
    random: Random,
    *,
    samples: int,
    every: int = 1,
) -> Iterator[tuple[int, Medium]]:
    """Give disks as they may be found if the power goes at any moment.

    :param begin: the disk before the first operation; it is changed.
    :param samples: how many for each moment at most.
    :param every: look at each so-many-th moment only.
    :returns: how many operations had begun, and the disk.
    """
    seen: set[tuple[int, int]] = set()
    offset, marks = random.randrange(every), 0
    for at, operation in enumerate((None, *log)):
        if operation is not None:
            begin.apply(operation)
            marks += isinstance(operation, Mark)
        if at % every != offset and at != len(log):
            continue
        for medium in survivors(begin, random, samples):
            key = (medium.fingerprint(), marks)  # what was promised in between counts
            if key not in seen:
                seen.add(key)
                yield at, medium

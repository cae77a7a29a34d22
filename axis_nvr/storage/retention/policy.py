"""What must be free, and what is too old: the rules, without a disk.

Room. A disk is to be no fuller than its level, and what is free must take some minutes of what is
being written, so that it does not run full while blocks are being removed, or while removing has to
wait. That reserve has a floor for a disk that nobody writes to yet, and a ceiling, so that a small
disk still holds something.

Limit. Somebody may have said how much of the disk recordings may take; what is more than that goes,
however much is free.

Age. A block is too old once it ended longer ago than the disk's max age or its group's retention
time, whichever is shorter. Only its end counts: as long as a moment of it is to be kept, all is.

With the policy ``none`` nothing is removed for either reason: only by hand.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from axis_nvr.storage.files import Space

#: What is free is to take so many seconds of what is being written.
RESERVE_SECONDS = 300
#: What is to be free at least, in bytes.
FLOOR_BYTES = 512 << 20
#: Floor and rate ask for no more than this part of a disk.
CEILING = 1 / 4

_DAY_SECONDS = 86_400


class Why(StrEnum):
    """Why something is removed."""

    ROOM = "the disk was getting full"
    LIMIT = "recordings took more of the disk than they may"
    AGE = "it was older than the disk keeps anything"
    GROUP = "it was older than its group is kept"


@dataclass(slots=True)
class Rules:
    """What is removed from a disk, and when; each of it may change while the disk is in use.

    :param is_automatic: False: only by hand (the policy ``none``).
    :param level_percent: how full the disk may get.
    :param max_age_days: 0: nothing is too old.
    :param group_seconds: by the token of a recording group: how long its recordings are kept; 0 or
        absent: as long as any.
    :param limit_bytes: what recordings may take of the disk; 0: as much as there is.
    """

    is_automatic: bool = True
    level_percent: int = 95
    max_age_days: int = 0
    group_seconds: Mapping[str, int] = field(default_factory=dict)
    limit_bytes: int = 0

    def reserve_bytes(self, space: Space, bytes_per_second: float) -> int:
        """Tell how much is to be free."""
        level = space.total_bytes * (100 - self.level_percent) // 100
        wanted = max(FLOOR_BYTES, int(bytes_per_second * RESERVE_SECONDS))
        return max(level, min(wanted, int(space.total_bytes * CEILING)))

    def missing_bytes(self, space: Space, bytes_per_second: float) -> int:
        """Tell how much is to be removed; 0 if there is room."""
        if not self.is_automatic or not space.total_bytes:
            return 0
        return max(0, self.reserve_bytes(space, bytes_per_second) - space.free_bytes)

    @property
    def has_limit(self) -> bool:
        """Whether it matters how much recordings take."""
        return self.is_automatic and self.limit_bytes > 0

    def excess_bytes(self, used_bytes: int) -> int:
        """Tell how much of what recordings take is to be removed.

        :param used_bytes: what they take.
        """
        return max(0, used_bytes - self.limit_bytes) if self.has_limit else 0

    def too_old_us(self, now_us: int) -> int | None:
        """Give the time at which everything must end that is to be kept; None: anything is."""
        if not self.is_automatic or not self.max_age_days:
            return None
        return now_us - self.max_age_days * _DAY_SECONDS * 1_000_000

    def too_old_of_groups(self, now_us: int) -> dict[str, int]:
        """Give the same for each group that is not kept as long as the disk keeps anything."""
        if not self.is_automatic:
            return {}
        return {
            group: now_us - seconds * 1_000_000
            for group, seconds in self.group_seconds.items()
            if group and seconds > 0
        }

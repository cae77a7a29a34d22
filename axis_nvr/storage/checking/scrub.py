"""The scrub: every block of a disk read and checked once in so many days, beside recording.

Disks lose bits that nobody reads. So all of it is read, in the order of the index's rows, evenly
over the days of a round; what is found is logged and kept in the index, so that readers pass over
it and people hear of it while the camera may still have the pictures.

It gives way: it reads nothing while groups pile up in front of the writer, at idle priority where
the system knows such a thing, and never faster than `MAX_BYTES_A_SECOND`. Where it is stands in the
index, so that a restart costs some seconds of it. A block that is not closed is not its business.
"""

import json
from collections.abc import Iterator

from twisted.logger import Logger

from axis_nvr.storage.checking.blocks import check_block
from axis_nvr.storage.checking.damage import damaged_blocks, has_damage, note_damage
from axis_nvr.storage.checking.findings import Finding, FindingKind, Looked
from axis_nvr.storage.checking.pace import idle_io
from axis_nvr.storage.checking.rows import BadRow, IndexedBlock, block_after, block_again
from axis_nvr.storage.housekeeping import Premises, Progress
from axis_nvr.storage.layout import utc_text

#: What the index remembers it under.
STATE = "scrub"
DAY_SECONDS = 86_400
#: The rate is what lets a round end in time, between these.
MIN_BYTES_A_SECOND = 1e6
MAX_BYTES_A_SECOND = 40e6
#: How much there is left is counted so often, in seconds.
PLAN_SECONDS = 3600.0
#: The place is saved so often, in seconds: each time costs a sync.
SAVE_SECONDS = 10.0
#: How long it gives way at a time, in seconds.
BUSY_SECONDS = 5.0


class Scrub:
    """The chore.

    :param days: how long a round takes.
    :ivar progress: how far the round is, and how many blocks are damaged.
    """

    log = Logger()
    name = "scrub"

    def __init__(self, premises: Premises, days: int) -> None:
        self.progress: Progress | None = None
        self._premises = premises
        self._round_seconds = days * DAY_SECONDS
        self._began, self._position = self._remembered()
        self._saved_at = self._planned_at = float("-inf")
        self._rate = MIN_BYTES_A_SECOND
        self._counts = (0, 0)
        self._damaged = 0
        self._block: IndexedBlock | None = None
        self._steps: Iterator[Finding | Looked] = iter(())
        self._findings: list[Finding] = []

    def step(self) -> float:
        """See `axis_nvr.storage.housekeeping.Chore`: read a cluster, or turn to the next block."""
        now = self._premises.now()
        if self._premises.is_busy():
            return BUSY_SECONDS
        if now < self._began:  # the clock stepped back
            self._began = now
        if not 0 <= now - self._planned_at < PLAN_SECONDS:
            self._plan(now)
        if self._block is None and not self._turn(now):
            return self._rest(now)
        with idle_io():
            for found in self._steps:
                if isinstance(found, Looked):
                    return found.size_bytes / self._rate
                self._findings.append(found)
        self._conclude(now)
        return 0.0

    def _turn(self, now: float) -> bool:
        """Turn to the next block; tell whether there is one."""
        found = block_after(self._premises.index, self._position)
        while isinstance(found, BadRow):  # told by a check
            self._position = found.row_id
            found = block_after(self._premises.index, self._position)
        if found is not None:
            self._begin(found)
        return found is not None

    def _begin(self, block: IndexedBlock) -> None:
        self._block, self._findings = block, []
        self._steps = check_block(self._premises.files, self._premises.folder, block.row)

    def _conclude(self, now: float) -> None:
        """Take what was found of a block, if its row is still what it was."""
        block, self._block = self._block, None
        assert block is not None
        again = block_again(self._premises.index, block.row_id) if self._findings else block
        if isinstance(again, IndexedBlock) and again != block and again.row.stop_us is not None:
            self._begin(again)
            return
        if again == block and block.row.unfinished is None:
            self._keep(block, now)
        self._position = block.row_id
        self._counts = (self._counts[0] + 1, self._counts[1])
        self._tell()
        if not 0 <= now - self._saved_at < SAVE_SECONDS:
            self._save(now)

    def _keep(self, block: IndexedBlock, now: float) -> None:
        index = self._premises.index
        findings = [f for f in self._findings if f.kind is not FindingKind.UNFINISHED]
        if findings or has_damage(index, block.row_id):
            with index.transaction():
                note_damage(index, block.row_id, findings, int(now * 1e6))
            self._damaged = damaged_blocks(index)
        for finding in findings:
            time_us = block.row.start_us if finding.loss is None else finding.loss.start_us
            self.log.error(
                "{folder}: {recording}/{block} at {start}: {finding} [{kind}]",
                folder=str(self._premises.folder),
                recording=finding.recording_id,
                block=finding.block_id,
                start=utc_text(time_us),
                finding=finding.message,
                kind=finding.kind.value,
            )

    def _rest(self, now: float) -> float:
        """Wait for the next round, or begin it."""
        left = self._began + self._round_seconds - now
        if left > 0:
            self._save(now)
            self.progress = Progress(f"the disk is looked over{self._damage_words()}")
            return min(left, PLAN_SECONDS)
        self._began, self._position = now, 0
        self._planned_at = float("-inf")
        self._save(now)
        return 0.0

    def _plan(self, now: float) -> None:
        """Find the rate at which the round ends in time."""
        ((done, total, size_bytes),) = self._premises.index.query(
            "SELECT COUNT(*) FILTER (WHERE id <= ?1), COUNT(*),"
            " SUM(filesize) FILTER (WHERE id > ?1) FROM blocks WHERE stoptime NOT NULL",
            self._position,
        )
        left_seconds = max(self._began + self._round_seconds - now, 1.0)
        rate = float(size_bytes or 0) / left_seconds
        self._rate = min(max(rate, MIN_BYTES_A_SECOND), MAX_BYTES_A_SECOND)
        self._counts = (done, total)
        self._damaged = damaged_blocks(self._premises.index)
        self._planned_at = now
        self._tell()

    def _tell(self) -> None:
        done, total = self._counts
        words = f"looks the disk over{self._damage_words()}"
        self.progress = Progress(words, min(done, total), total)

    def _damage_words(self) -> str:
        if not self._damaged:
            return ""
        return f", {self._damaged} damaged block{'s' if self._damaged > 1 else ''}"

    def _remembered(self) -> tuple[float, int]:
        """Give when the round began and where it is; what cannot be read begins a new one."""
        try:
            told = json.loads(self._premises.index.state(STATE) or "{}")
            return float(told["began"]), int(told["position"])
        except (ValueError, KeyError, TypeError):
            return self._premises.now(), 0

    def _save(self, now: float) -> None:
        self._saved_at = now
        index = self._premises.index
        state = json.dumps({"began": self._began, "position": self._position})
        if index.state(STATE) != state:
            with index.transaction():
                index.set_state(STATE, state)

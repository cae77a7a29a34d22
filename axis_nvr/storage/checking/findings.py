"""What a check finds: its kinds, and what a finding tells."""

from dataclasses import dataclass
from enum import StrEnum

from axis_nvr.storage.layout import utc_text


class FindingKind(StrEnum):
    """What is not as it should be. The names are stable: programs go by them."""

    INDEX_DAMAGED = "index-damaged"
    INDEX_INCOMPLETE = "index-incomplete"
    BAD_ROW = "bad-row"
    NO_BLOCKS = "no-blocks"
    NOT_INDEXED = "not-indexed"
    LEFTOVER = "leftover"
    FILE_MISSING = "file-missing"
    UNREADABLE = "unreadable"
    XML_MISSING = "xml-missing"
    XML_DAMAGED = "xml-damaged"
    XML_DIFFERS = "xml-differs"
    UNFINISHED = "unfinished"
    SIZE_DIFFERS = "size-differs"
    FRONT_DAMAGED = "front-damaged"
    CLUSTER_DAMAGED = "cluster-damaged"
    CUES_DAMAGED = "cues-damaged"
    TAGS_DAMAGED = "tags-damaged"
    TIME_DIFFERS = "time-differs"
    TIME_DISORDER = "time-disorder"
    STOP_BEFORE_START = "stop-before-start"
    OVERLAP = "overlap"


@dataclass(frozen=True, slots=True)
class Loss:
    """A part of a block that cannot be trusted: what readers skip.

    :param start_us: from when on, UTC, microseconds since 1970; `end_us`: up to when.
    :param offset: its first byte in the block's file, `size_bytes` in all.
    """

    start_us: int
    end_us: int
    offset: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be.

    :param recording_id: empty where it is about the disk as a whole.
    :param block_id: empty where it is about the recording as a whole.
    :param loss: what of the pictures is lost by it; None if nothing is.
    :param mended: what was done about it, so that it is no more; empty: it is as it was found.
    """

    kind: FindingKind
    recording_id: str
    block_id: str
    message: str
    loss: Loss | None = None
    mended: str = ""

    @property
    def place(self) -> str:
        """Recording and block, or ``disk``."""
        return "/".join(part for part in (self.recording_id, self.block_id) if part) or "disk"

    def __str__(self) -> str:
        time = "" if self.loss is None else f" at {utc_text(self.loss.start_us)}"
        mended = f", mended: {self.mended}" if self.mended else ""
        return f"{self.place}{time}: {self.message} [{self.kind}]{mended}"


@dataclass(frozen=True, slots=True)
class Looked:
    """How far a check came since it last told: whole blocks, and bytes that were read."""

    blocks: int = 0
    size_bytes: int = 0

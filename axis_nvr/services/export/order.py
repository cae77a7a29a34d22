"""What somebody wants exported, and why it cannot be."""

from dataclasses import dataclass
from enum import Enum

from axis_nvr.errors import NvrError

MATROSKA = "matroska"
MP4 = "mp4"
#: Formats, and the ending of a file's name.
FORMATS = {MATROSKA: "mkv", MP4: "mp4"}
CONTENT_TYPES = {
    "mkv": "video/x-matroska",
    "mp4": "video/mp4",
    "zip": "application/zip",
}


class Why(Enum):
    """Why something cannot be exported."""

    NO_RECORDING = "there is no such recording, or nothing in it"
    START_BEHIND_END = "the start time is behind the end of the recording"
    STOP_BEFORE_BEGIN = "the stop time is before the start of the recording"
    NOT_IN_FORMAT = "what was recorded has no place in a file of this format"
    TOO_MANY = "too many exports at once"
    NO_DISK = "there is no such external disk"
    DISK_UNUSABLE = "the external disk cannot be used"
    BAD_PATH = "the file path cannot be used"


class CannotExport(NvrError):
    """Something cannot be exported.

    :param words: more than `why` says.
    """

    def __init__(self, why: Why, words: str = "") -> None:
        super().__init__(why, words)
        self.why = why

    def __str__(self) -> str:
        return str(self.args[1]) or self.why.value


@dataclass(frozen=True, slots=True)
class ExportOrder:
    """What somebody wants.

    :param recording_ids: of these recordings, in one file; empty: of `device`.
    :param disk: recordings of this disk only; None: of any.
    :param device: all recordings of it; empty: of `recording_ids`.
    :param start_us: UTC, microseconds since 1970; None: from the beginning.
    :param stop_us: None: to the end, or to what is there now.
    :param form: one of `FORMATS`.
    :param name: of the file, without its ending; empty: by its times.
    :param password: of the archive that it goes into; empty: into none.
    :param account: for whom.
    """

    recording_ids: tuple[str, ...] = ()
    disk: str | None = None
    device: str = ""
    start_us: int | None = None
    stop_us: int | None = None
    form: str = MATROSKA
    name: str = ""
    password: str = ""
    account: str = ""

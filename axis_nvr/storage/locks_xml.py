"""``locks.xml`` in a recording's folder: its locks, for when the index is lost.

One line, no declaration, like the XML beside it::

    Locks @RecordingToken
      Lock @LockToken                  as many as there are
        StartTime                      absent: from the recording's beginning
        StopTime                       absent: to its end, whenever that is
        Owner  Reason  Created

A recording without locks has no such file.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET
from xml.sax.saxutils import quoteattr

from axis_nvr.errors import WireError
from axis_nvr.storage.files import IFiles, read_text, replace_file, storage_errors
from axis_nvr.storage.layout import parse_utc, utc_text
from axis_nvr.storage.xml import element, parse_root, text_of

LOCKS_XML = "locks.xml"
#: The most locks on one recording; with texts of full length their file is within what is read.
MAX_LOCKS_PER_RECORDING = 256
#: Characters of the longest texts.
MAX_OWNER_LENGTH = 100
MAX_REASON_LENGTH = 400
MAX_TOKEN_LENGTH = 64


@dataclass(frozen=True, slots=True)
class Lock:
    """Keeps a recording, or a span of it, from being removed.

    :param token: its name; no two on a disk are the same.
    :param start_us: UTC, microseconds since 1970; None: from the recording's beginning.
    :param end_us: the first moment that is not held; None: to the recording's end, also of one that
        still runs.
    :param owner: who wants it held.
    :param created_us: when they said so.
    """

    token: str
    recording_id: str
    start_us: int | None
    end_us: int | None
    owner: str
    reason: str
    created_us: int

    def holds(self, start_us: int, stop_us: int | None) -> bool:
        """Tell whether any moment of a stretch is held.

        :param stop_us: None: it goes on and on.
        """
        begins_before = self.start_us is None or stop_us is None or self.start_us < stop_us
        return begins_before and (self.end_us is None or start_us < self.end_us)


def build_locks(recording_id: str, locks: Iterable[Lock]) -> bytes:
    """Write a ``locks.xml``."""
    content = "".join(_lock(lock) for lock in locks)
    return f"<Locks RecordingToken={quoteattr(recording_id)}>{content}</Locks>".encode()


def _lock(lock: Lock) -> str:
    parts = (
        f"<Lock LockToken={quoteattr(lock.token)}>",
        "" if lock.start_us is None else element("StartTime", utc_text(lock.start_us)),
        "" if lock.end_us is None else element("StopTime", utc_text(lock.end_us)),
        element("Owner", lock.owner),
        element("Reason", lock.reason),
        element("Created", utc_text(lock.created_us)),
        "</Lock>",
    )
    return "".join(parts)


def parse_locks(data: bytes) -> list[Lock]:
    """Read a ``locks.xml``.

    :raises WireError: no such document, or one with too many locks.
    """
    root = parse_root(data, "Locks")
    found = root.findall("Lock")
    if len(found) > MAX_LOCKS_PER_RECORDING:
        raise WireError(f"{len(found)} locks on a recording")
    recording_id = root.get("RecordingToken", "")
    return [_parse_lock(recording_id, child) for child in found]


def _parse_lock(recording_id: str, child: ET.Element) -> Lock:
    token = child.get("LockToken", "")
    if not 0 < len(token) <= MAX_TOKEN_LENGTH or not token.isprintable():
        raise WireError(f"LockToken {token!r:.80}")
    return Lock(
        token=token,
        recording_id=recording_id,
        start_us=_time(child, "StartTime"),
        end_us=_time(child, "StopTime"),
        owner=text_of(child, "Owner")[:MAX_OWNER_LENGTH],
        reason=text_of(child, "Reason")[:MAX_REASON_LENGTH],
        created_us=parse_utc(text_of(child, "Created").strip()),
    )


def _time(parent: ET.Element, name: str) -> int | None:
    text = text_of(parent, name).strip()
    return parse_utc(text) if text else None


def read_locks(files: IFiles, recording: Path) -> list[Lock]:
    """Read the locks in a recording's folder; none if it has no such file.

    :raises StorageError: the file cannot be read.
    :raises WireError: it is none of ours.
    """
    path = recording / LOCKS_XML
    with storage_errors(path, "read"):
        try:
            data = read_text(files, path)
        except FileNotFoundError:
            return []
    return parse_locks(data)


def write_locks(files: IFiles, recording: Path, recording_id: str, locks: Iterable[Lock]) -> None:
    """Put the locks into a recording's folder, whole or not at all, and make that durable.

    :raises StorageError: it could not; the file says what it said before.
    """
    path, locks = recording / LOCKS_XML, list(locks)
    with storage_errors(path, "write"):
        if locks:
            replace_file(files, path, build_locks(recording_id, locks))
        elif files.exists(path):
            files.remove(path)
        else:
            return
        files.sync_folder(recording)

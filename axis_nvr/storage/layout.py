"""Names and places on a disk, as Axis devices give them.

::

    <disk folder>/index.db
    <disk folder>/YYYYMMDD/HH/<recording id>/recording.xml
    <disk folder>/YYYYMMDD/HH/<recording id>/YYYYMMDD_HH/<block id>.mkv
    <disk folder>/YYYYMMDD/HH/<recording id>/YYYYMMDD_HH/<block id>.xml

A recording id is ``YYYYMMDD_HHMMSS_XXXX_SERIAL``, a block id the same without the serial number.
Names are local time; ``XXXX`` is chosen so that no two names on a disk are the same, also in the
hour that comes twice when summer time ends. XML and index hold UTC.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

from axis_nvr.errors import StorageError, StorageErrorKind, WireError

INDEX_NAME = "index.db"
LOCK_NAME = ".axis_nvr.lock"
RECORDING_XML = "recording.xml"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
#: Tries to find a name that is not taken: 65 536 names fit a second.
MAX_NAME_TRIES = 1000

_DATE_TIME = r"(?P<day>[0-9]{8})_(?P<hour>[0-9]{2})[0-9]{4}_[0-9A-F]{4}"
_RECORDING_ID = re.compile(_DATE_TIME + r"_[0-9A-F]{12}", re.ASCII)
#: Firmware before 2018 put the serial number behind block ids too.
_BLOCK_ID = re.compile(_DATE_TIME + r"(_[0-9A-F]{12})?", re.ASCII)
_DAY = re.compile(r"[0-9]{8}", re.ASCII)
_HOUR = re.compile(r"[0-9]{2}", re.ASCII)
_DAY_HOUR = re.compile(r"[0-9]{8}_[0-9]{2}", re.ASCII)
_UTC_TEXT = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,6}))?Z", re.ASCII
)


def is_recording_id(name: str) -> bool:
    """Tell whether a name has the form of a recording id; only then may it become a path."""
    return _RECORDING_ID.fullmatch(name) is not None


def is_block_id(name: str) -> bool:
    """Tell whether a name has the form of a block id; only then may it become a path."""
    return _BLOCK_ID.fullmatch(name) is not None


def is_day_folder(name: str) -> bool:
    """Tell whether a folder of the disk holds a day."""
    return _DAY.fullmatch(name) is not None


def is_hour_folder(name: str) -> bool:
    """Tell whether a folder of a day holds an hour."""
    return _HOUR.fullmatch(name) is not None


def is_block_path(path: str) -> bool:
    """Tell whether a path within a recording's folder, such as an index names, holds blocks."""
    return _DAY_HOUR.fullmatch(path) is not None


def recording_path(recording_id: str) -> str:
    """Give the folder that holds a recording's folder, relative to the disk: ``YYYYMMDD/HH``.

    :raises WireError: no recording id.
    """
    match = _RECORDING_ID.fullmatch(recording_id)
    if match is None:
        raise WireError(f"no recording id: {recording_id!r:.60}")
    return f"{match['day']}/{match['hour']}"


def block_path(block_id: str) -> str:
    """Give the folder that holds a block, relative to its recording's: ``YYYYMMDD_HH``.

    :raises WireError: no block id.
    """
    match = _BLOCK_ID.fullmatch(block_id)
    if match is None:
        raise WireError(f"no block id: {block_id!r:.60}")
    return f"{match['day']}_{match['hour']}"


def recording_folder(disk: Path, recording_id: str) -> Path:
    """Give the folder of a recording on a disk.

    :raises WireError: no recording id.
    """
    return disk / recording_path(recording_id) / recording_id


def block_file(recording: Path, block_id: str) -> Path:
    """Give a block's Matroska file in its recording's folder; its XML is beside it.

    :raises WireError: no block id.
    """
    return recording / block_path(block_id) / f"{block_id}.mkv"


def utc_datetime(utc_us: int) -> datetime:
    """Give UTC microseconds since 1970 as a date, exactly."""
    return _EPOCH + timedelta(microseconds=utc_us)


def utc_text(utc_us: int) -> str:
    """Give UTC microseconds since 1970 as XML and index hold them, six digits behind the point."""
    return utc_datetime(utc_us).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_utc(text: str) -> int:
    """Read a time of XML or index as UTC microseconds since 1970.

    :raises WireError: another form, or no such time.
    """
    match = _UTC_TEXT.fullmatch(text)
    try:
        if match is None:
            raise ValueError
        whole = datetime.fromisoformat(match[1]).replace(tzinfo=UTC)
    except ValueError:
        raise WireError(f"no UTC time: {text!r:.60}") from None
    return (whole - _EPOCH) // _MICROSECOND + int((match[2] or "0").ljust(6, "0"))


def local_stamp(utc_us: int, zone: tzinfo | None = None) -> str:
    """Give a time as names hold it: local, ``YYYYMMDD_HHMMSS``.

    :param zone: None is the zone of this machine.
    """
    return utc_datetime(utc_us).astimezone(zone).strftime("%Y%m%d_%H%M%S")


def choose_name(
    stamp: str, suffix: str, digits: Callable[[], int], taken: Callable[[str], bool]
) -> str:
    """Choose a recording id or block id that nobody has.

    :param stamp: from `local_stamp`.
    :param suffix: ``_SERIAL`` for a recording, empty for a block.
    :param digits: gives numbers from 0 to 65535, at random.
    :param taken: tells whether a name exists.
    :raises StorageError: `MAX_NAME_TRIES` names were all taken.
    """
    for _ in range(MAX_NAME_TRIES):
        name = f"{stamp}_{digits():04X}{suffix}"
        if not taken(name):
            return name
    raise StorageError(StorageErrorKind.FAILED, Path(stamp), "no free name")

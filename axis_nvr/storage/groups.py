"""Recording groups, kept on the disk that their recordings are on.

::

    <disk folder>/recording_groups/<id>.xml

    RecordingGroup @RecordingGroupToken
      NiceName  Description
      RetentionTime                    hours; 0: as long as any
      StreamOptions
      PreDuration  PostDuration        milliseconds

One line, no declaration, like the XML beside recordings. So groups move with their disk, and an
index that is made anew has nothing to do with them. A file is replaced whole, and its name is
durable before a change is acknowledged.
"""

import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree as ET
from xml.sax.saxutils import quoteattr

from axis_nvr.errors import NvrError, StorageError, StorageErrorKind, WireError
from axis_nvr.storage.files import IFiles, read_text, replace_file, storage_errors
from axis_nvr.storage.xml import element, parse_root, text_of

FOLDER = "recording_groups"
#: Groups read of one disk.
MAX_GROUPS = 256

_ID = re.compile(r"[A-Za-z0-9_-]{1,50}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Group:
    """A recording group.

    :param id: its token in recordings, and its name among files.
    :param retention_hours: how long its recordings are kept; 0: as long as any.
    :param stream_options: as they were given, ``device`` among them.
    :param pre_ms: how much is recorded from before a start.
    :param post_ms: how much is recorded after a stop.
    """

    id: str
    nice_name: str = ""
    description: str = ""
    retention_hours: int = 0
    stream_options: str = ""
    pre_ms: int = 0
    post_ms: int = 0


class ReadGroups(NamedTuple):
    """What groups a disk has, by id.

    :ivar problems: what is wrong with those that cannot be read, in words.
    """

    groups: dict[str, Group]
    problems: list[str]


def is_group_id(text: str) -> bool:
    """Tell whether a text has the form of a group's id; only then may it become a file's name."""
    return _ID.fullmatch(text) is not None


def build_group(group: Group) -> bytes:
    """Write a group's file."""
    texts = (
        ("NiceName", group.nice_name),
        ("Description", group.description),
        ("RetentionTime", str(group.retention_hours)),
        ("StreamOptions", group.stream_options),
        ("PreDuration", str(group.pre_ms)),
        ("PostDuration", str(group.post_ms)),
    )
    content = "".join(element(name, text) for name, text in texts)
    head = f"<RecordingGroup RecordingGroupToken={quoteattr(group.id)}>"
    return f"{head}{content}</RecordingGroup>".encode()


def parse_group(data: bytes) -> Group:
    """Read a group's file.

    :raises WireError: no such document.
    """
    root = parse_root(data, "RecordingGroup")
    group_id = root.get("RecordingGroupToken", "")
    if not is_group_id(group_id):
        raise WireError(f"RecordingGroupToken {group_id!r:.80}")
    return Group(
        id=group_id,
        nice_name=text_of(root, "NiceName"),
        description=text_of(root, "Description"),
        retention_hours=_number(root, "RetentionTime"),
        stream_options=text_of(root, "StreamOptions"),
        pre_ms=_number(root, "PreDuration"),
        post_ms=_number(root, "PostDuration"),
    )


def _number(root: ET.Element, name: str) -> int:
    text = text_of(root, name).strip()
    if re.fullmatch("[0-9]{1,12}", text, re.ASCII) is None:
        raise WireError(f"{name} {text!r:.40}")
    return int(text)


def read_groups(files: IFiles, disk: Path) -> ReadGroups:
    """Read all groups of a disk; one that cannot be read does not keep the others from it.

    :raises StorageError: the folder cannot be read.
    """
    groups: dict[str, Group] = {}
    problems: list[str] = []
    with storage_errors(disk / FOLDER, "read the recording groups"):
        names = files.list_folder(disk / FOLDER) if files.exists(disk / FOLDER) else []
    for name in names:
        group_id = name.removesuffix(".xml")
        if group_id == name or not is_group_id(group_id):
            continue
        if len(groups) >= MAX_GROUPS:
            problems.append(f"there are over {MAX_GROUPS} recording groups")
            break
        path = disk / FOLDER / name
        try:
            with storage_errors(path, "read"):
                group = parse_group(read_text(files, path))
            if group.id != group_id:
                raise WireError(f"it is the file of the group {group.id!r}")
        except NvrError as error:
            problems.append(f"recording group {group_id}: {error}")
        else:
            groups[group_id] = group
    return ReadGroups(groups, problems)


def write_group(files: IFiles, disk: Path, group: Group) -> None:
    """Put a group on its disk, in place of what it was; durable when this returns.

    :raises StorageError: it could not; the disk has what it had before.
    """
    path = _path(disk, group.id)
    with storage_errors(path, "write"):
        with suppress(FileExistsError):
            files.make_folder(disk / FOLDER)
        files.sync_folder(disk)
        replace_file(files, path, build_group(group))
        files.sync_folder(path.parent)


def remove_group(files: IFiles, disk: Path, group_id: str) -> None:
    """Take a group from its disk; durable when this returns. One that is not there is no error.

    :raises StorageError: it could not.
    """
    path = _path(disk, group_id)
    with storage_errors(path, "remove"):
        if files.exists(path):
            files.remove(path)
            files.sync_folder(path.parent)


def _path(disk: Path, group_id: str) -> Path:
    if not is_group_id(group_id):
        raise StorageError(StorageErrorKind.FAILED, disk, f"no group id: {group_id!r:.60}")
    return disk / FOLDER / f"{group_id}.xml"

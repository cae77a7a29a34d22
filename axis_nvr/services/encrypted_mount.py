"""Whether a folder is on an encrypted device, as the kernel tells it.

A folder's file system is on a device; that may be an encrypted one, or be made of others that are
(LVM, RAID), each below ``/sys/dev/block``. A device that dm-crypt made for LUKS has an identity
``CRYPT-LUKS2-<uuid of the container, without dashes>-<name>``.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

_PREFIX = "CRYPT-LUKS"
#: Devices looked at below a folder: stacks are not deeper than this.
MAX_DEVICES = 64


def encrypted_containers(
    folder: Path,
    *,
    sys: Path = Path("/sys"),
    mounts: Path = Path("/proc/self/mountinfo"),
    device_of: Callable[[Path], int] = lambda path: os.stat(path).st_dev,
) -> set[str]:
    """Give the UUIDs of the LUKS containers that a folder is in, without dashes.

    :param folder: it, or the nearest folder above it that is there, is looked at.
    :param device_of: gives the number of the device that a file is on.
    :returns: nothing if it is on no encrypted device, or on none that can be told.
    """
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    device = device_of(folder)
    if os.major(device) == 0:  # btrfs and others have numbers of their own
        device = _mounted_device(folder, mounts) or device
    start = sys / "dev/block" / f"{os.major(device)}:{os.minor(device)}"
    return {uuid for place in _devices(start) if (uuid := _luks_uuid(place))}


def _devices(start: Path) -> Iterator[Path]:
    """Give a device and those it is made of."""
    waiting, seen = [start], 0
    while waiting and seen < MAX_DEVICES:
        place = waiting.pop()
        seen += 1
        yield place
        slaves = place / "slaves"
        if slaves.is_dir():
            waiting.extend(sorted(slaves.iterdir()))


def _luks_uuid(place: Path) -> str:
    try:
        identity = (place / "dm/uuid").read_text("ascii", "replace").strip()
    except OSError:
        return ""
    parts = identity.split("-")
    return parts[2].lower() if identity.startswith(_PREFIX) and len(parts) > 2 else ""


def _mounted_device(folder: Path, mounts: Path) -> int | None:
    """Find the device of the mount that a folder is in.

    A line of the table: ``36 35 0:31 /root /mount-point options - type /dev/source options``.
    """
    best, found = -1, None
    try:
        lines = mounts.read_text("utf-8", "replace").splitlines()
    except OSError:
        return None
    path = folder.resolve()
    for line in lines:
        before, _, after = line.partition(" - ")
        fields, source = before.split(), after.split()
        if len(fields) < 5 or len(source) < 2:
            continue
        point = Path(fields[4].replace("\\040", " "))
        if len(point.parts) >= best and path.is_relative_to(point):
            best, found = len(point.parts), source[1]
    try:
        return os.stat(found).st_rdev or None if found else None
    except OSError:
        return None

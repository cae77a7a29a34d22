"""Reading the configuration file and the command line: what each key means, and who wins."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from axis_nvr.config.camera import read_cameras
from axis_nvr.config.disk import DiskConfig, read_disks
from axis_nvr.config.events import read_events
from axis_nvr.config.multicast import read_multicast
from axis_nvr.config.table import Table, read_toml
from axis_nvr.config.values import MEBIBYTE, NONE, Config, RecordingConfig

#: What is listened at unless told otherwise.
DEFAULT_ENDPOINTS = {
    "http": "tcp:8080",
    "https": "ssl:8443",
    "rtsp": "tcp:8554",
    "rtsps": "ssl:8322",
}
DEFAULT_STATE_DIR = "nvr-state"
DEFAULT_DISK_ID = "HDD_DISK"

_SERIAL = re.compile("[0-9A-F]{12}")


def load_config(path: Path | None, options: Mapping[str, Any], folder: Path) -> Config:
    """Read the configuration file, if any, and lay the command line over it.

    :param path: the file; its relative paths count from its own folder.
    :param options: what the command line gave: the keys of the file's top level.
    :param folder: the working folder; relative paths of the command line count from it.
    :raises ConfigError: naming the key.
    """
    given = Table(options, "the command line", folder)
    if path is None:
        written = Table({}, "the configuration", folder)
    else:
        path = folder / path
        written = Table(read_toml(path), path.name, path.parent)
    config = _read(written, given)
    written.finish()
    given.finish()
    return config


def _read(written: Table, given: Table) -> Config:
    """Read both; the file must be sound even where the command line wins."""
    state_dir = written.path("state_dir", DEFAULT_STATE_DIR)
    if "state_dir" in given or "state_dir" not in written:
        state_dir = given.path("state_dir", DEFAULT_STATE_DIR)
    disks = read_disks(written, given, {DEFAULT_DISK_ID: state_dir / DEFAULT_DISK_ID})
    serials = [_serial(given), _serial(written)]
    rtsp = _endpoint(written, given, "rtsp")
    # who wants no RTSP server wants none in TLS either, unless they say so
    rtsps_default = NONE if rtsp == NONE else DEFAULT_ENDPOINTS["rtsps"]
    announced = not _switch(written, given, "no_discovery")
    return Config(
        state_dir=state_dir,
        disks=disks,
        http=_endpoint(written, given, "http"),
        https=_endpoint(written, given, "https"),
        rtsp=rtsp,
        rtsps=_endpoint(written, given, "rtsps", rtsps_default),
        serial=serials[0] or serials[1],
        ssdp=written.take("ssdp", bool, True) and announced,
        mdns=written.take("mdns", bool, True) and announced,
        demo=_switch(written, given, "demo"),
        cameras=read_cameras(written.tables("camera")),
        recordings=_recordings(written.tables("recording"), disks),
        stream_buffer_bytes=written.integer("stream_buffer_mib", 1, 65_536, 64) * MEBIBYTE,
        total_buffer_bytes=written.integer("total_buffer_mib", 1, 1_048_576, 512) * MEBIBYTE,
        events=read_events(written.table("events")),
        multicast=read_multicast(written.table("multicast")) if "multicast" in written else None,
        usb_disk=written.path("usb_disk", "") if "usb_disk" in written else None,
    )


def _switch(written: Table, given: Table, key: str) -> bool:
    values = [table.take(key, bool, False) for table in (written, given)]
    return any(values)


def _endpoint(written: Table, given: Table, key: str, default: str = "") -> str:
    default = written.text(key, default or DEFAULT_ENDPOINTS[key])
    value = given.text(key, default)
    table = given if key in given else written
    if value != NONE and ":" not in value:
        raise table.wrong(key, f"must be an endpoint such as tcp:8080, or none, not {value!r}")
    return value


def _serial(table: Table) -> str:
    serial = table.text("serial").upper().replace(":", "")
    if serial and not _SERIAL.fullmatch(serial):
        raise table.wrong("serial", "must be 12 hexadecimal digits")
    return serial


def _recordings(
    tables: Iterable[Table], disks: Mapping[str, DiskConfig]
) -> tuple[RecordingConfig, ...]:
    recordings = []
    for table in tables:
        for key in ("disk", "options"):
            if key not in table:
                raise table.missing(key)
        recording = RecordingConfig(table.text("disk"), table.text("options"), table.place)
        if recording.disk not in disks:
            known = ", ".join(disks)
            raise table.wrong("disk", f"{recording.disk!r} is not among the disks: {known}")
        table.finish()
        recordings.append(recording)
    return tuple(recordings)

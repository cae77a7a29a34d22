"""Reading the configuration file and the command line: what each key means, and who wins."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from axis_nvr.config.camera import read_cameras
from axis_nvr.config.table import Table, read_toml
from axis_nvr.config.values import MEBIBYTE, NONE, Config, RecordingConfig

#: What is listened at unless told otherwise.
DEFAULT_ENDPOINTS = {"http": "tcp:8080", "https": "ssl:8443", "rtsp": "tcp:8554"}
DEFAULT_STATE_DIR = "nvr-state"
DEFAULT_DISK_ID = "HDD_DISK"

_DISK_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
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
    written_disks = _disks(written)
    disks = _disks(given) or written_disks or {DEFAULT_DISK_ID: state_dir / DEFAULT_DISK_ID}
    serials = [_serial(given), _serial(written)]
    announced = not _switch(written, given, "no_discovery")
    return Config(
        state_dir=state_dir,
        disks=disks,
        http=_endpoint(written, given, "http"),
        https=_endpoint(written, given, "https"),
        rtsp=_endpoint(written, given, "rtsp"),
        serial=serials[0] or serials[1],
        ssdp=written.take("ssdp", bool, True) and announced,
        mdns=written.take("mdns", bool, True) and announced,
        demo=_switch(written, given, "demo"),
        cameras=read_cameras(written.tables("camera")),
        recordings=_recordings(written.tables("recording"), disks),
        stream_buffer_bytes=written.integer("stream_buffer_mib", 1, 65_536, 64) * MEBIBYTE,
        total_buffer_bytes=written.integer("total_buffer_mib", 1, 1_048_576, 512) * MEBIBYTE,
    )


def _switch(written: Table, given: Table, key: str) -> bool:
    values = [table.take(key, bool, False) for table in (written, given)]
    return any(values)


def _endpoint(written: Table, given: Table, key: str) -> str:
    default = written.text(key, DEFAULT_ENDPOINTS[key])
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


def _disks(table: Table) -> dict[str, Path]:
    """Read ``disk``: a table of folders by id, or a list of ``ID=DIR`` as on the command line."""
    values = table.take("disk", object, [])
    if isinstance(values, dict):
        pairs = list(values.items())
    elif isinstance(values, list) and all(isinstance(value, str) for value in values):
        pairs = [value.partition("=")[::2] for value in values]
    else:
        raise table.wrong("disk", "must be a table of folders by id, or an array of ID=DIR")
    disks: dict[str, Path] = {}
    for disk_id, folder in pairs:
        if not _DISK_ID.fullmatch(disk_id):
            words = "1 to 32 letters, digits, - and _, and begin with a letter or digit"
            raise table.wrong("disk", f"is ID=DIR, and the id must have {words}, not {disk_id!r}")
        if not isinstance(folder, str) or not folder or not folder.isprintable():
            raise table.wrong("disk", f"must name a folder for {disk_id}")
        if disk_id in disks:
            raise table.wrong("disk", f"names {disk_id} twice")
        path = table.folder / Path(folder).expanduser()
        if path in disks.values():
            raise table.wrong("disk", f"names the folder {path} twice")
        disks[disk_id] = path
    return disks


def _recordings(tables: Iterable[Table], disks: Mapping[str, Path]) -> tuple[RecordingConfig, ...]:
    recordings = []
    for table in tables:
        for key in ("disk", "options"):
            if key not in table:
                raise table.wrong(key, "is missing")
        recording = RecordingConfig(table.text("disk"), table.text("options"), table.place)
        if recording.disk not in disks:
            known = ", ".join(disks)
            raise table.wrong("disk", f"{recording.disk!r} is not among the disks: {known}")
        table.finish()
        recordings.append(recording)
    return tuple(recordings)

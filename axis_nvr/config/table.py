"""Tables of TOML, read key by key: whatever is wrong names its place.

A table is read by taking each key that it may have; `Table.finish` then refuses what is left. So
a key that is misspelt never goes unnoticed.
"""

import tomllib
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

from axis_nvr.errors import ConfigError

#: The largest configuration, password or certificate file that is read, in bytes.
MAX_FILE_BYTES = 4 * 1024 * 1024
#: The most cameras, recordings or disks a configuration may name.
MAX_ENTRIES = 4096

_Value = TypeVar("_Value")


class Table:
    """A TOML table that says where it is when something in it is wrong.

    :param values: key to value; ``-`` and ``_`` are the same in keys.
    :param place: its name in messages.
    :param folder: what relative paths count from.
    """

    def __init__(self, values: Mapping[str, Any], place: str, folder: Path) -> None:
        self._values: dict[str, Any] = {}
        self.place = place
        self.folder = folder
        for key, value in values.items():
            name = key.replace("-", "_")
            if name in self._values:
                raise self.wrong(key, "is given twice, spelt with - and with _")
            self._values[name] = value
        self._given = frozenset(self._values)
        self._known: set[str] = set()

    def __contains__(self, key: str) -> bool:
        self._known.add(key)
        return key in self._given

    def wrong(self, key: str, words: str) -> ConfigError:
        """Make the error that names a key."""
        return ConfigError(f"{self.place}: {key} {words}")

    def missing(self, key: str) -> ConfigError:
        """Make the error for a key that must be there, and name one that may be meant for it."""
        near = get_close_matches(key, sorted(self._values), 1)
        return self.wrong(key, f"is missing; {near[0]} is not a key" if near else "is missing")

    def take(self, key: str, kind: type[_Value], default: _Value) -> _Value:
        """Return a key's value, or the default; each key is taken once."""
        self._known.add(key)
        value = self._values.pop(key, default)
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise self.wrong(key, f"must be {_KINDS[kind]}, not {_kind_of(value)}")
        return value

    def text(self, key: str, default: str = "") -> str:
        """Return a text without control characters."""
        value = self.take(key, str, default)
        if not value.isprintable():
            raise self.wrong(key, "must be one line of printable characters")
        return value

    def one_of(self, key: str, choices: Sequence[str], default: str) -> str:
        """Return a word out of a few."""
        value = self.text(key, default)
        if value not in choices:
            raise self.wrong(key, f"must be one of {', '.join(choices)}, not {value!r}")
        return value

    def integer(self, key: str, lowest: int, highest: int, default: int) -> int:
        """Return a whole number within bounds."""
        value = self.take(key, int, default)
        if not lowest <= value <= highest:
            raise self.wrong(key, f"must be {lowest} to {highest}, not {value}")
        return value

    def path(self, key: str, default: str) -> Path:
        """Return a path, made absolute."""
        value = self.text(key, default)
        if not value:
            raise self.wrong(key, "must name a folder")
        return self.folder / Path(value).expanduser()

    def content(self, key: str) -> bytes:
        """Return what is in the file that a key names; nothing if there is no such key."""
        if key not in self:
            return b""
        path = self.path(key, "")
        try:
            with path.open("rb") as file:
                data = file.read(MAX_FILE_BYTES + 1)
        except OSError as error:
            raise self.wrong(key, f"names {path}, which cannot be read: {error.strerror}")
        if len(data) > MAX_FILE_BYTES:
            raise self.wrong(key, f"names {path}, which is larger than {MAX_FILE_BYTES} bytes")
        return data

    def table(self, key: str) -> "Table":
        """Return a table within this one; an empty one if it is not there."""
        return Table(self.take(key, dict, {}), f"{self.place}: [{key}]", self.folder)

    def tables(self, key: str) -> list["Table"]:
        """Return an array of tables, each with its place."""
        values = self.take(key, list, [])
        if len(values) > MAX_ENTRIES:
            raise self.wrong(key, f"has more than {MAX_ENTRIES} entries")
        for value in values:
            if not isinstance(value, dict):
                raise self.wrong(key, f"must be an array of tables: [[{key}]]")
        return [
            Table(value, f"{self.place}: [[{key}]] number {number}", self.folder)
            for number, value in enumerate(values, 1)
        ]

    def finish(self) -> None:
        """Refuse keys that nobody took; a known one that may be meant is named."""
        if self._values:
            key = min(self._values)
            near = get_close_matches(key, sorted(self._known - self._given), 1)
            meant = f"; {near[0]} is" if near else ""
            raise self.wrong(key, f"is not a key that is known here{meant}")


_KINDS: dict[type, str] = {
    str: "a text",
    int: "a whole number",
    bool: "true or false",
    list: "an array",
    dict: "a table",
}


def _kind_of(value: object) -> str:
    return _KINDS.get(type(value), f"a {type(value).__name__}")


def read_toml(path: Path) -> dict[str, Any]:
    """Read the configuration file.

    :raises ConfigError: it cannot be read, or is not TOML.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"--config: {path} cannot be read: {error.strerror}")
    if len(data) > MAX_FILE_BYTES:
        raise ConfigError(f"--config: {path} is larger than {MAX_FILE_BYTES} bytes")
    try:
        return tomllib.loads(data.decode())
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path.name}: is not UTF-8 at byte {error.start}")
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"{path.name}: is not TOML: {error}")

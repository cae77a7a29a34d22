"""The state folder: what the recorder knows apart from media, for its own eyes only.

======================  ============================================================
``serial``              the serial number, made at the first start
``disks.json``          the disks that were in use, and their folders
``https.pem``           private key and self-made certificate of the HTTPS server
``export.pem``          private key and self-made certificate that sign exports
======================  ============================================================
"""

import os
import re
import secrets
from contextlib import suppress
from pathlib import Path

from axis_nvr.errors import ConfigError

#: A private folder, and a private file in it.
FOLDER_MODE = 0o700
FILE_MODE = 0o600

_SERIAL = re.compile("[0-9A-F]{12}")


class StateFolder:
    """Reads and writes small private files.

    :param path: the folder; made when it is opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def open(self) -> None:
        """Make the folder if it is not there.

        :raises ConfigError: it cannot be made, is no folder, or cannot be written to.
        """
        try:
            self.path.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"state_dir: {self.path} cannot be made: {error.strerror}")
        if not os.access(self.path, os.W_OK | os.X_OK):
            raise ConfigError(f"state_dir: {self.path} cannot be written to")

    def read(self, name: str) -> bytes:
        """Return what a file holds; nothing if it is not there.

        :raises ConfigError: it is there and cannot be read.
        """
        try:
            return (self.path / name).read_bytes()
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise ConfigError(f"state_dir: {self.path / name} cannot be read: {error.strerror}")

    def write(self, name: str, data: bytes) -> Path:
        """Put a file there whole, durable, and readable by its owner only.

        :raises ConfigError: it cannot be written.
        """
        target = self.path / name
        draft = self.path / f".{name}.{os.getpid()}"
        try:
            self._write_draft(draft, data)
            os.replace(draft, target)
            self._sync_folder()
        except OSError as error:
            with suppress(OSError):
                draft.unlink()
            raise ConfigError(f"state_dir: {target} cannot be written: {error.strerror}")
        return target

    def serial(self, configured: str = "") -> str:
        """Return the serial number: the configured one, or the one that was made here once.

        It looks like a MAC address that no manufacturer owns: the bit for local administration is
        set, the one for groups is not (IEEE 802 §8.2).
        """
        if configured:
            return configured
        known = self.read("serial").decode("ascii", "replace").strip()
        if _SERIAL.fullmatch(known):
            return known
        made = secrets.token_bytes(6)
        serial = (bytes([made[0] & 0xFC | 0x02]) + made[1:]).hex().upper()
        self.write("serial", serial.encode() + b"\n")
        return serial

    def _write_draft(self, draft: Path, data: bytes) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
        descriptor = os.open(draft, flags, FILE_MODE)
        try:
            os.fchmod(descriptor, FILE_MODE)
            view = memoryview(data)
            while view:
                view = view[os.write(descriptor, view) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _sync_folder(self) -> None:
        descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

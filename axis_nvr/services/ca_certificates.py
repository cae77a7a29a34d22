"""The CA certificates that cameras are checked against.

Whoever runs the recorder puts them as PEM files into the folder ``ca`` of the state folder; a
file's name without its ending is the certificate's id. Clients choose which of them are trusted.
"""

import re
from pathlib import Path

from cryptography import x509
from twisted.logger import Logger

from axis_nvr.errors import NvrError
from axis_nvr.services.state_database import StateDatabase

FOLDER = "ca"
#: Bytes of the largest file read.
MAX_FILE_BYTES = 1 << 20
#: Name of the setting that holds the chosen ids.
_SETTING = "ca_certificates"

_ID = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}", re.ASCII)


class NoCertificate(NvrError):
    """There is no CA certificate of this id, or it cannot be read."""


class CaCertificates:
    """The CA certificates.

    :param folder: where they are; it need not exist.
    :raises ConfigError: the database cannot be read.
    :ivar chosen: ids of those that are trusted.
    """

    log = Logger()

    def __init__(self, database: StateDatabase, folder: Path) -> None:
        self._database = database
        self._folder = folder
        rows = database.rows("SELECT value FROM settings WHERE name = ?", _SETTING)
        self.chosen: tuple[str, ...] = tuple(rows[0][0].split()) if rows else ()

    def read(self, certificate_id: str) -> bytes:
        """Give a certificate as PEM.

        :raises NoCertificate: there is none of this id, or what is there is none.
        """
        if not _ID.fullmatch(certificate_id):
            raise NoCertificate(f"no certificate id: {certificate_id!r:.60}")
        path = self._folder / f"{certificate_id}.pem"
        try:
            with path.open("rb") as file:
                data = file.read(MAX_FILE_BYTES)
            x509.load_pem_x509_certificates(data)
        except (OSError, ValueError) as error:
            raise NoCertificate(f"{path.name} is no certificate: {error}") from error
        return data

    def bundle(self) -> bytes:
        """Give all that are trusted, as PEM; those that are gone since are told of and left out."""
        found = []
        for certificate_id in self.chosen:
            try:
                found.append(self.read(certificate_id))
            except NoCertificate as error:
                self.log.error("{error}", error=str(error))
        return b"\n".join(found)

    async def choose(self, ids: tuple[str, ...]) -> None:
        """Trust these and no others.

        :raises NoCertificate: one of them is not there.
        :raises StateError: it could not be kept.
        """
        for certificate_id in ids:
            self.read(certificate_id)
        text = " ".join(ids)
        statement = "INSERT OR REPLACE INTO settings VALUES (?, ?)"
        await self._database.execute(statement, _SETTING, text)
        self.chosen = ids

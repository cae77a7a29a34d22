"""Secrets at rest: encrypted with a key that lies in the state folder, for its owner's eyes only.

Who gets hold of a copy of the database alone, such as from a backup, learns no password from it.
"""

from cryptography.fernet import Fernet, InvalidToken

from axis_nvr.errors import ConfigError
from axis_nvr.services.state_folder import StateFolder

FILE_NAME = "secret.key"


class Vault:
    """Encrypts and decrypts short texts.

    :raises ConfigError: the key cannot be read, or is none.
    """

    def __init__(self, folder: StateFolder) -> None:
        key = folder.read(FILE_NAME).strip()
        if not key:
            key = Fernet.generate_key()
            folder.write(FILE_NAME, key + b"\n")
        try:
            self._fernet = Fernet(key)
        except ValueError as error:
            raise ConfigError(f"state_dir: {folder.path / FILE_NAME} holds no key") from error

    def encrypt(self, secret: str) -> str:
        """Encrypt a text; the same text gives another result each time."""
        return self._fernet.encrypt(secret.encode()).decode()

    def decrypt(self, sealed: str) -> str:
        """Give back what was encrypted.

        :raises ConfigError: it was encrypted with another key, or changed since.
        """
        try:
            return self._fernet.decrypt(sealed.encode()).decode()
        except InvalidToken:
            raise ConfigError(f"state_dir: {FILE_NAME} is not the key the secrets were made with")

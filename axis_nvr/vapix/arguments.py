"""The arguments of a CGI: from the query and from a form's body, as text.

Arguments that nobody asks for are passed over without a word; of one that comes twice the first
counts. Characters are UTF-8, and Latin-1 where they are not that.
"""

from collections.abc import Iterator, Mapping
from urllib.parse import unquote_to_bytes

from axis_nvr.errors import WireError
from axis_nvr.wire.authentication import decode_text

#: Arguments of one request.
MAX_ARGUMENTS = 256
#: Bytes of a query, and of a form.
MAX_QUERY_BYTES = 64 * 1024

FORM_TYPE = "application/x-www-form-urlencoded"


class Arguments(Mapping[str, str]):
    """Arguments by name; names are lower case, as VAPIX has them.

    :raises WireError: too many, or too long.
    """

    def __init__(self, *texts: bytes) -> None:
        self._values: dict[str, str] = {}
        for text in texts:
            if len(text) > MAX_QUERY_BYTES:
                raise WireError(f"arguments of over {MAX_QUERY_BYTES} bytes")
            parts = text.split(b"&", MAX_ARGUMENTS)
            if len(parts) > MAX_ARGUMENTS:
                raise WireError(f"over {MAX_ARGUMENTS} arguments")
            for part in parts:
                name, _, value = part.partition(b"=")
                if name:
                    self._values.setdefault(_decode(name), _decode(value))

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def _decode(text: bytes) -> str:
    return decode_text(unquote_to_bytes(text.replace(b"+", b" ")))

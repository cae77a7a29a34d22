"""A file within an encrypted ZIP archive, made while it is read (WinZip AES-256, AE-2).

Video does not get smaller, so nothing is compressed: the file goes in as stored blocks of Deflate,
since only those can be streamed before their length is known.
"""

import zlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from axis_nvr.storage.reading.moving import Piece

#: Bytes given at once.
PIECE_BYTES = 1 << 20
_FILE_MODE = 0o100600


def zip_pieces(name: str, pieces: Iterable[Piece], utc_us: int, password: str) -> Iterator[bytes]:
    """Give an archive of one file.

    :param name: of the file in it.
    :param utc_us: the time that the archive tells of the file: UTC, microseconds since 1970.
    """
    from stream_zip import ZIP_64, stream_zip  # loaded with its ciphers only if it is asked for

    moment = datetime.fromtimestamp(utc_us // 1_000_000, UTC)
    member = (name, moment, _FILE_MODE, ZIP_64, map(bytes, pieces))
    secret = password.encode().decode("latin-1")  # its bytes are what counts, and those are UTF-8
    return iter(
        stream_zip([member], chunk_size=PIECE_BYTES, get_compressobj=_store, password=secret)
    )


def _store() -> "zlib._Compress":
    return zlib.compressobj(level=0, wbits=-zlib.MAX_WBITS)

"""Parts of a file that a client asks for (RFC 9110 §14)."""

import re
from collections.abc import Mapping
from typing import NamedTuple

_RANGE = re.compile(r"bytes\s*=\s*([0-9]{0,19})\s*-\s*([0-9]{0,19})", re.ASCII | re.IGNORECASE)


class ByteRange(NamedTuple):
    """Bytes of a file: the first, and behind the last."""

    start: int
    end: int

    def content_range(self, size_bytes: int) -> str:
        """Tell it as ``Content-Range``."""
        return f"bytes {self.start}-{self.end - 1}/{size_bytes}"


class NotSatisfiable(Exception):
    """A range is asked for that the file does not have."""


def asked_range(headers: Mapping[str, str], size_bytes: int, etag: str) -> ByteRange | None:
    """Tell which range is asked for; None: all of it.

    Several ranges at once, and what cannot be read, are as good as none (§14.2); so is a range of
    a file that is not ours any more (``If-Range``, §13.1.5).

    :param headers: names in lower case.
    :raises NotSatisfiable: the file does not have it.
    """
    match = _RANGE.fullmatch(headers.get("range", "").strip())
    if match is None or headers.get("if-range", f'"{etag}"').strip() != f'"{etag}"':
        return None
    first, last = match.groups()
    if not first and not last:
        return None
    if not first:
        count = min(int(last), size_bytes)
        found = ByteRange(size_bytes - count, size_bytes)
    else:
        if last and int(last) < int(first):
            return None
        end = size_bytes if not last else min(int(last) + 1, size_bytes)
        found = ByteRange(int(first), end)
    if found.start >= found.end:
        raise NotSatisfiable
    return found

"""Characters that XML cannot hold."""

import re

#: Outside of ``Char`` (XML 1.0 §2.2).
_NOT_CHAR = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def xml_text(text: str) -> str:
    """Put U+FFFD in place of each character that XML cannot hold, escaped or not."""
    if text.isprintable():  # nothing that is printable is among them; five times as fast
        return text
    return _NOT_CHAR.sub("\ufffd", text)

"""Documents of the old style that are sent while they are made, however long they are."""

import re
from collections.abc import AsyncIterator
from contextlib import aclosing
from xml.etree import ElementTree as ET

from axis_nvr.vapix.call import Reply
from axis_nvr.vapix.xml_cgi import old_style

#: Characters of text that are gathered before they are sent.
PIECE_CHARS = 32 * 1024

_SPECIAL = re.compile('[&<>"\r\n\t]')
_ESCAPES = str.maketrans(
    {
        "&": "&amp;",
        "<": "&lt;",
        ">": "&gt;",
        '"': "&quot;",
        "\r": "&#13;",
        "\n": "&#10;",
        "\t": "&#09;",
    }
)


def written(made: ET.Element) -> str:
    """Write an element without namespaces; three times as fast as ElementTree, and held equal."""
    parts: list[str] = []
    _write(made, parts)
    return "".join(parts)


def _write(made: ET.Element, parts: list[str]) -> None:
    parts.append(f"<{made.tag}")
    for name, value in made.attrib.items():
        text = value.translate(_ESCAPES) if _SPECIAL.search(value) else value
        parts.append(f' {name}="{text}"')
    if not made.text and not len(made):
        parts.append(" />")
        return
    parts.append(">")
    if made.text:
        parts.append(made.text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))
    for child in made:
        _write(child, parts)
    parts.append(f"</{made.tag}>")


def streamed(
    schema: str, children: AsyncIterator[ET.Element], within: ET.Element | None = None
) -> Reply:
    """Answer in the old style, one element after another.

    :param schema: below `axis_nvr.vapix.xml_cgi.SCHEMAS`.
    :param children: what is asked for as fast as the client takes it; closed at the end, also when
        the client has left.
    :param within: an element in the root that holds them; without it they stand in the root.
    """
    marker = ET.Element("marker")
    if within is None:
        whole = old_style(schema, marker)
    else:
        within.append(marker)
        whole = old_style(schema, within)
    assert isinstance(whole.body, bytes), "it was made whole"
    head, _, tail = whole.body.partition(b"<marker />")
    return Reply(_pieces(head, children, tail), whole.content_type)


async def _pieces(
    head: bytes, children: AsyncIterator[ET.Element], tail: bytes
) -> AsyncIterator[bytes]:
    gathered: list[str] = []
    size = 0
    yield head
    async with aclosing(children) as elements:  # type: ignore[type-var]
        async for child in elements:
            text = written(child)
            gathered.append(text)
            size += len(text)
            if size >= PIECE_CHARS:
                yield "".join(gathered).encode()
                gathered, size = [], 0
    yield "".join(gathered).encode() + tail

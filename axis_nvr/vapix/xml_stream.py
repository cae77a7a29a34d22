"""Documents of the old style that are sent while they are made, however long they are."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from xml.etree import ElementTree as ET

from axis_nvr.vapix.call import Reply
from axis_nvr.vapix.xml_cgi import old_style

#: Characters of text that are gathered before they are sent.
PIECE_CHARS = 32 * 1024


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
            text = ET.tostring(child, encoding="unicode")
            gathered.append(text)
            size += len(text)
            if size >= PIECE_CHARS:
                yield "".join(gathered).encode()
                gathered, size = [], 0
    yield "".join(gathered).encode() + tail

"""XML documents of clients, read into a small tree.

Nothing of what makes XML dangerous is taken: a document type declaration ends the reading, so there
are no entities but the five that are always there; bytes, depth, elements, attributes and
namespaces have limits. The encoding is UTF-8, or UTF-16 where the bytes show it, whatever the
document says.

Each element keeps which prefixes are declared where it stands: topic expressions use them in text.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from xml.parsers import expat

from axis_nvr.errors import WireError
from axis_nvr.vapix.soap.names import XML

#: Bytes of one document; a rule with all that it may have is under 64 KiB.
MAX_DOCUMENT_BYTES = 256 * 1024
#: How deep elements may nest.
MAX_DEPTH = 32
#: Elements of one document.
MAX_ELEMENTS = 4096
#: Attributes of one element.
MAX_ATTRIBUTES = 32
#: Namespaces declared in the whole document.
MAX_DECLARATIONS = 256
#: Characters of a name with its namespace.
MAX_NAME_CHARACTERS = 512

_SEPARATOR = " "


@dataclass(slots=True)
class Node:
    """An element.

    :param namespace: empty for none.
    :param attributes: by name; ``{namespace}name`` of those that have a namespace.
    :param prefixes: the namespace of each prefix that is declared here; ``""`` is the default one.
    :param text: all characters in it, those of its children apart.
    """

    namespace: str
    name: str
    attributes: dict[str, str]
    prefixes: Mapping[str, str]
    text: str = ""
    children: list["Node"] = field(default_factory=list)

    @property
    def qualified(self) -> tuple[str, str]:
        """Namespace and name."""
        return self.namespace, self.name


def read_document(data: bytes) -> Node:
    """Read a document.

    :returns: its root.
    :raises WireError: it is none, has a document type, or is beyond the limits.
    """
    if len(data) > MAX_DOCUMENT_BYTES:
        raise WireError(f"a document of over {MAX_DOCUMENT_BYTES} bytes")
    builder = _Builder()
    try:
        builder.parser.Parse(data, True)
    except expat.ExpatError as error:
        offset = builder.parser.ErrorByteIndex
        raise WireError(f"no XML: {expat.ErrorString(error.code)}", offset=offset) from None
    assert builder.root is not None, "expat has seen one"
    return builder.root


class _Builder:
    """Takes what expat finds."""

    def __init__(self) -> None:
        self.root: Node | None = None
        self._open: list[tuple[Node, list[str]]] = []
        self._declared: dict[str, str] = {}
        self._elements = self._declarations = 0
        parser = self.parser = expat.ParserCreate("UTF-8", _SEPARATOR)
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._refuse_doctype
        parser.StartNamespaceDeclHandler = self._declare
        parser.StartElementHandler = self._begin
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters

    def _refuse_doctype(self, *told: object) -> None:
        raise WireError("a document type declaration", offset=self.parser.CurrentByteIndex)

    def _declare(self, prefix: str | None, namespace: str | None) -> None:
        self._declarations += 1
        self._check("declarations of namespaces", self._declarations, MAX_DECLARATIONS)
        self._check("characters in a name", len(namespace or ""), MAX_NAME_CHARACTERS)
        self._declared[prefix or ""] = namespace or ""

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        self._elements += 1
        self._check("elements", self._elements, MAX_ELEMENTS)
        self._check("levels of elements", len(self._open) + 1, MAX_DEPTH)
        self._check("attributes", len(attributes), MAX_ATTRIBUTES)
        self._check("characters in a name", max(map(len, (name, *attributes))), MAX_NAME_CHARACTERS)
        above = self._open[-1][0].prefixes if self._open else {"xml": XML}
        prefixes = {**above, **self._declared} if self._declared else above
        self._declared = {}
        namespace, _, local = name.rpartition(_SEPARATOR)
        node = Node(namespace, local, {_braced(n): v for n, v in attributes.items()}, prefixes)
        if self._open:
            self._open[-1][0].children.append(node)
        else:
            self.root = node
        self._open.append((node, []))

    def _characters(self, text: str) -> None:
        self._open[-1][1].append(text)

    def _end(self, name: str) -> None:
        node, parts = self._open.pop()
        node.text = "".join(parts)

    def _check(self, what: str, count: int, limit: int) -> None:
        if count > limit:
            raise WireError(f"over {limit} {what}", offset=self.parser.CurrentByteIndex)


def _braced(name: str) -> str:
    namespace, _, local = name.rpartition(_SEPARATOR)
    return f"{{{namespace}}}{local}" if namespace else local

"""The children of an element, each of which must be one that is known there.

An element that is not known, comes twice, is missing, or holds what it should not is the sender's
fault: what a client misspells must not be passed over, a rule without its condition records all
day.
"""

import re
from collections.abc import Sequence

from axis_nvr.vapix.soap.document import Node
from axis_nvr.vapix.soap.faults import sender_fault

#: Characters of one text.
MAX_TEXT_CHARACTERS = 16 * 1024

_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}", re.ASCII)


class Fields:
    """Gives the children of an element by their names.

    :param once: names of those that may come once.
    :param often: names of those that may come more than once.
    :param namespace: of all of them; that of the element if it is None.
    :raises SoapFault: there is another one, or one too often.
    """

    def __init__(
        self,
        node: Node,
        once: Sequence[str] = (),
        often: Sequence[str] = (),
        namespace: str | None = None,
    ) -> None:
        self._node = node
        self._found: dict[str, list[Node]] = {}
        space = node.namespace if namespace is None else namespace
        for child in node.children:
            if child.namespace != space or child.name not in (*once, *often):
                raise sender_fault(f"{child.name} is not expected in {node.name}")
            if child.name in self._found and child.name not in often:
                raise sender_fault(f"{child.name} comes twice in {node.name}")
            self._found.setdefault(child.name, []).append(child)

    def all(self, name: str) -> list[Node]:
        """Give all children of a name."""
        return self._found.get(name, [])

    def find(self, name: str) -> Node | None:
        """Give a child, if it is there."""
        return next(iter(self.all(name)), None)

    def need(self, name: str) -> Node:
        """Give a child.

        :raises SoapFault: it is missing.
        """
        found = self.find(name)
        if found is None:
            raise sender_fault(f"{name} is missing in {self._node.name}")
        return found

    def text(self, name: str, default: str | None = None) -> str:
        """Give the text of a child, without white space around it.

        :param default: if the child is missing; None if it must be there.
        :raises SoapFault: it is missing, holds elements, or is too long.
        """
        if default is not None and name not in self._found:
            return default
        return text_of(self.need(name))

    def boolean(self, name: str) -> bool:
        """Give the boolean in a child."""
        value = _BOOLEANS.get(self.text(name))
        if value is None:
            raise sender_fault(f"{name}: true or false was expected")
        return value

    def integer(self, name: str) -> int:
        """Give the whole number in a child."""
        text = self.text(name)
        if not _INTEGER.fullmatch(text):
            raise sender_fault(f"{name}: a whole number was expected")
        return int(text)


def text_of(node: Node) -> str:
    """Give the text of an element that holds nothing else, without white space around it.

    :raises SoapFault: it holds elements, or is too long.
    """
    if node.children:
        raise sender_fault(f"{node.name}: a text was expected, not elements")
    if len(node.text) > MAX_TEXT_CHARACTERS:
        raise sender_fault(f"{node.name}: a text of over {MAX_TEXT_CHARACTERS} characters")
    return node.text.strip()


def nothing(node: Node) -> None:
    """Make sure that an operation that takes nothing is given nothing.

    :raises SoapFault: it is.
    """
    Fields(node)

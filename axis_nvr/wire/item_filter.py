"""Filters of what a notification says: the dialect ``ItemFilter``, a small part of XPath 1.0.

::

    Expression = Term *( "or" Term )
    Term       = Factor *( "and" Factor )
    Factor     = "boolean(" Expression ")" / "not(" Expression ")" / "(" Expression ")" / Path
    Path       = "//" [ prefix ":" ] ( "SimpleItem" / "ElementItem" ) 1*( "[" Test "]" )
    Test       = the same again, of Comparisons in place of Paths
    Comparison = ( "@Name" / "@Value" ) "=" ( '"' *char '"' / "'" *char "'" )

such as ``boolean(//SimpleItem[@Name="port" and @Value="1"])``. A path holds if there is an item of
which the test holds. The items of source, key and data are looked at alike. Devices write booleans
as ``1`` and ``0`` or as ``true`` and ``false``: those are equal. Notifications here have no element
items: a path that looks for one never holds.

Source: ONVIF Core Specification §9.4.4.2 (ItemFilter).
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from axis_nvr.errors import WireError

MAX_CHARACTERS = 8192
#: How deep parentheses may nest.
MAX_DEPTH = 32

Item = tuple[str, str]
Subject = TypeVar("Subject")
Test = Callable[[Subject], bool]

_TOKEN = re.compile(
    r"""\s*(?:(//|[()\[\]=]|@?[^\W\d][\w.-]*(?::[^\W\d][\w.-]*)?)|"([^"]*)"|'([^']*)')"""
)
_SOURCE = "ONVIF Core, ItemFilter"
_ALIKE = {"true": "1", "false": "0"}


def comparable(value: str) -> str:
    """A value as it is compared: ``true`` is ``1``, ``false`` is ``0``."""
    return _ALIKE.get(value.lower(), value) if 4 <= len(value) <= 5 else value


@dataclass(frozen=True, slots=True)
class ItemFilter:
    """What somebody wants a notification to say; made by `parse`.

    :param text: as it was written.
    """

    text: str
    _holds: Test[list[Item]] = field(repr=False, compare=False)

    @classmethod
    def parse(cls, text: str) -> "ItemFilter":
        """Read a filter; a blank one lets everything pass.

        :raises WireError: it is none, or beyond the limits.
        """
        if len(text) > MAX_CHARACTERS:
            raise WireError(f"an item filter of {len(text)} characters", source=_SOURCE)
        if not text.strip():
            return cls(text, lambda _: True)
        tokens = _Tokens(text)
        holds = _Expression(tokens, _path, ("boolean", "not", "")).read()
        if tokens.next:
            raise tokens.unexpected()
        return cls(text, holds)

    def matches(self, items: Iterable[Item]) -> bool:
        """Tell whether a notification says it.

        :param items: names and values of its source, key and data.
        """
        return self._holds([(name, comparable(value)) for name, value in items])


class _Tokens:
    """The words of a filter, one after the other.

    :ivar next: the next word or sign; "" at the end and where a text stands.
    :ivar text: the text in quotes that comes next, None if there is none.
    """

    def __init__(self, source: str) -> None:
        self._source = source.rstrip()
        self._offset = self._end = 0
        self.depth = 0
        self.take()

    def take(self) -> None:
        """Go on to the next one."""
        self._offset = self._end
        self.next, self.text = "", None
        if self._end == len(self._source):
            return
        if not (match := _TOKEN.match(self._source, self._end)):
            raise self.unexpected()
        self._end = match.end()
        self.next = match[1] or ""
        self.text = match[2] if match[2] is not None else match[3]

    def expect(self, sign: str) -> None:
        """Pass a sign that must stand here."""
        if self.next != sign:
            raise self.unexpected()
        self.take()

    def unexpected(self) -> WireError:
        """What to raise if nothing fits here."""
        rest = self._source[self._offset :].strip()[:40]
        return WireError(f"not expected: {rest!a}", offset=self._offset, source=_SOURCE)


class _Expression(Generic[Subject]):
    """Reads expressions of one kind of leaves.

    :param leaf: reads one leaf.
    :param functions: what may stand before a parenthesis.
    """

    def __init__(
        self,
        tokens: _Tokens,
        leaf: Callable[[_Tokens], Test[Subject]],
        functions: tuple[str, ...],
    ) -> None:
        self._tokens = tokens
        self._leaf = leaf
        self._functions = functions

    def read(self) -> Test[Subject]:
        """Read terms joined by ``or``."""
        tests = [self._term()]
        while self._tokens.next == "or":
            self._tokens.take()
            tests.append(self._term())
        return tests[0] if len(tests) == 1 else lambda of: any(test(of) for test in tests)

    def _term(self) -> Test[Subject]:
        """Read factors joined by ``and``."""
        tests = [self._factor()]
        while self._tokens.next == "and":
            self._tokens.take()
            tests.append(self._factor())
        return tests[0] if len(tests) == 1 else lambda of: all(test(of) for test in tests)

    def _factor(self) -> Test[Subject]:
        """Read a leaf, or an expression in parentheses."""
        tokens, function = self._tokens, ""
        if tokens.next in self._functions and tokens.next:
            function = tokens.next
            tokens.take()
        elif tokens.next != "(":
            return self._leaf(tokens)
        tokens.expect("(")
        tokens.depth += 1
        if tokens.depth > MAX_DEPTH:
            raise WireError(f"parentheses deeper than {MAX_DEPTH}", source=_SOURCE)
        test = self.read()
        tokens.depth -= 1
        tokens.expect(")")
        return (lambda of: not test(of)) if function == "not" else test


def _path(tokens: _Tokens) -> Test[list[Item]]:
    """Read ``//SimpleItem[…]``: whether there is such an item."""
    tokens.expect("//")
    kind = tokens.next.rpartition(":")[2]
    if kind not in ("SimpleItem", "ElementItem"):
        raise tokens.unexpected()
    tokens.take()
    tests = [_predicate(tokens)]
    while tokens.next == "[":
        tests.append(_predicate(tokens))
    if kind == "ElementItem":
        return lambda _: False
    return lambda items: any(all(test(item) for test in tests) for item in items)


def _predicate(tokens: _Tokens) -> Test[Item]:
    """Read ``[…]``: what must hold of one item."""
    tokens.expect("[")
    test = _Expression(tokens, _comparison, ("not",)).read()
    tokens.expect("]")
    return test


def _comparison(tokens: _Tokens) -> Test[Item]:
    """Read ``@Name="…"`` or ``@Value="…"``."""
    if tokens.next not in ("@Name", "@Value"):
        raise tokens.unexpected()
    place = 0 if tokens.next == "@Name" else 1
    tokens.take()
    tokens.expect("=")
    if tokens.text is None:
        raise tokens.unexpected()
    wanted = comparable(tokens.text) if place else tokens.text
    tokens.take()
    return lambda item: item[place] == wanted

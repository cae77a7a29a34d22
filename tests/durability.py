"""What a test proves of the storage's contract: the rows of the durability matrix.

A test that meets a fault on purpose says so with `proves`; ``docs/reference/durability.md`` is made
of all such rows, so that a line of it cannot stand without its test.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

Test = TypeVar("Test", bound=Callable[..., Any])


class Row(NamedTuple):
    """A row of the matrix.

    :param part: the rule it proves, 1 to 9 as in the contract of the disk.
    :param fault: what goes wrong.
    :param moment: when it does.
    :param outcome: what is then so.
    """

    part: int
    fault: str
    moment: str
    outcome: str


def proves(part: int, *, fault: str, moment: str, outcome: str) -> Callable[[Test], Test]:
    """Say what a test proves; a test may prove several things."""

    def note(test: Test) -> Test:
        rows: list[Row] = getattr(test, "durability_rows", [])
        test.durability_rows = [Row(part, fault, moment, outcome), *rows]  # type: ignore[attr-defined]
        return test

    return note


def rows_of(test: Callable[..., Any]) -> list[Row]:
    """Give what a test proves, nothing for most tests."""
    rows: list[Row] = getattr(test, "durability_rows", [])
    return rows

"""The table of camera quirks says what is so: each is there, and each test it names exists."""

import ast
import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

TESTS = Path(__file__).parent
TABLE = TESTS.parent / "docs/reference/camera-quirks.md"
QUIRKS = range(1, 35)


def has_test(name: str) -> bool:
    """Whether a test exists, named from ``tests`` downwards: module, class, method."""
    *module, class_name, method = name.split(".")
    path = TESTS.joinpath(*module).with_suffix(".py")
    if not path.exists():
        return False
    return any(
        isinstance(node, ast.ClassDef)
        and node.name == class_name
        and any(isinstance(it, ast.FunctionDef) and it.name == method for it in node.body)
        for node in ast.parse(path.read_text()).body
    )


class QuirkTableTests(SynchronousTestCase):
    def test_complete(self) -> None:
        """Each quirk has its row, in order, and each row a test."""
        rows = re.findall(r"^\| (\d+) \|.*\| ([^|]+) \|$", TABLE.read_text(), re.MULTILINE)
        self.assertEqual([int(number) for number, _ in rows], list(QUIRKS))
        for number, tests in rows:
            self.assertTrue(re.findall(r"`[\w.]+\.test_\w+`", tests), f"quirk {number}")

    def test_every_test_exists(self) -> None:
        """Each test named in the table is one that runs."""
        named = re.findall(r"`([\w.]+\.test_\w+)`", TABLE.read_text())
        self.assertEqual([name for name in named if not has_test(name)], [])

    def test_a_wrong_name_is_seen(self) -> None:
        """The check itself knows a test from none."""
        self.assertTrue(has_test("test_quirk_table.QuirkTableTests.test_complete"))
        self.assertFalse(has_test("test_quirk_table.QuirkTableTests.test_nothing"))
        self.assertFalse(has_test("no_module.QuirkTableTests.test_complete"))

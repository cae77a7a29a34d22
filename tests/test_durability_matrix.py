"""The durability matrix: every part of the contract has its tests."""

import runpy
from importlib import import_module
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.durability import Row, rows_of

TOOL = runpy.run_path(str(Path(__file__).parents[1] / "tools/list_durability.py"))
SOURCE = """
class SomeTests:
    @proves(2, fault="a|b", moment="m", outcome="o")
    @proves(3, fault="c", moment="m", outcome="o")
    def test_a(self): ...
"""


class MatrixTests(SynchronousTestCase):
    def test_each_part_is_proven(self) -> None:
        """No part of the contract is without a test that names its fault."""
        proven = {proof.part for proof in TOOL["proofs"]()}
        self.assertEqual(proven, set(range(1, 10)))

    def test_rows_are_those_of_the_tests(self) -> None:
        """What is read from the source is what the tests themselves say."""
        for proof in TOOL["proofs"]():
            module, case, name = proof.test.rsplit(".", 2)
            test = getattr(getattr(import_module(module), case), name)
            self.assertTrue(name.startswith("test"), f"{proof.test} is never run")
            self.assertIn(Row(*proof[:4]), rows_of(test), proof.test)

    def test_a_test_with_two_rows(self) -> None:
        """Each is a row of its own, and no word breaks the table."""
        first, second = TOOL["proofs_of"](SOURCE, "tests.m")
        self.assertEqual((first.part, second.part), (2, 3))
        self.assertEqual(first.test, "tests.m.SomeTests.test_a")
        self.assertEqual(TOOL["_cell"](first.fault), "a\\|b")

    def test_what_is_not_written_out(self) -> None:
        """A row that cannot be read from the source is refused, and so is one of no part."""
        for argument in (
            '2, fault=F, moment="m", outcome="o"',
            '10, fault="", moment="", outcome=""',
        ):
            source = f"class A:\n    @proves({argument})\n    def test(self): ...\n"
            self.assertRaises(ValueError, list, TOOL["proofs_of"](source, "m"))

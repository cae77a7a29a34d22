"""Names that Bonjour announces."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.session.bonjour import MAX_NAME_BYTES, instance_name, numbered


class NameTests(SynchronousTestCase):
    def test_a_plain_name(self) -> None:
        """It stays as it is."""
        self.assertEqual(instance_name("AXIS S3008 - ACCC8E012345"), "AXIS S3008 - ACCC8E012345")

    def test_what_does_not_fit(self) -> None:
        """Dots would part the name and control characters are forbidden; signs are not halved."""
        self.assertEqual(instance_name("Yard.North\n"), "Yard North")
        self.assertEqual(instance_name("ä" * 40), "ä" * 24)
        self.assertEqual(instance_name("x" + "ä" * 40), "x" + "ä" * 23)

    @given(st.text(st.characters(exclude_categories=["Cs"]), max_size=80))
    def test_any_name(self, name: str) -> None:
        """It fits with a number behind it into a label, which has 63 bytes."""
        made = instance_name(name)
        self.assertLessEqual(len(made.encode()), MAX_NAME_BYTES)
        self.assertLessEqual(len(numbered(made, 99).encode()), 63)
        self.assertNotIn(".", made)

    def test_numbers(self) -> None:
        """The first has none."""
        self.assertEqual(numbered("AXIS S3008", 1), "AXIS S3008")
        self.assertEqual(numbered("AXIS S3008", 2), "AXIS S3008 (2)")

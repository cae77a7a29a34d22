"""Docstrings are reStructuredText that can be read: they become the pages of the modules."""

import ast
import inspect
import io
from collections.abc import Iterator
from pathlib import Path

from docutils import nodes
from docutils.frontend import get_default_settings
from docutils.parsers.rst import Parser, roles
from docutils.utils import SystemMessage, new_document
from twisted.trial.unittest import SynchronousTestCase

PACKAGE = Path(__file__).parents[1] / "axis_nvr"
#: What Sphinx adds to the roles of docutils, and is used here.
ROLES = ("py:obj", "doc", "ref")
SETTINGS = get_default_settings(Parser)
SETTINGS.report_level = SETTINGS.halt_level = 2  # warnings
SETTINGS.warning_stream = io.StringIO()
SETTINGS.file_insertion_enabled = False


def docstrings(path: Path) -> Iterator[tuple[str, str]]:
    """Every docstring of a module, with what it is of."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(tree):
        if isinstance(node, kinds) and (text := ast.get_docstring(node, clean=False)):
            yield f"{path.relative_to(PACKAGE)}, {getattr(node, 'name', 'the module')}", text


def fault(text: str) -> str:
    """What is wrong with a docstring; empty if nothing is."""
    try:
        Parser().parse(inspect.cleandoc(text), new_document("docstring", SETTINGS))
    except SystemMessage as error:
        return str(error)
    return ""


class DocstringTests(SynchronousTestCase):
    def setUp(self) -> None:
        for name in ROLES:
            roles.register_generic_role(name, nodes.literal)
        self.patch(roles, "DEFAULT_INTERPRETED_ROLE", "py:obj")

    def test_all_can_be_read(self) -> None:
        """None has markup that breaks off, or a list without the empty line before it."""
        found: dict[str, str] = {}
        for path in sorted(PACKAGE.rglob("*.py")):
            texts = dict(docstrings(path))
            # All at once first, in half the time: faults do not reach over an empty line.
            if fault("\n\n".join(map(inspect.cleandoc, texts.values()))):
                found |= {name: words for name, text in texts.items() if (words := fault(text))}
        self.assertEqual(found, {}, found)

    def test_what_is_wrong_is_seen(self) -> None:
        """What Sphinx would warn of is a fault here."""
        for text in ("``open", "One.\n\n- a\nb", "One.\n  Two.\n Three."):
            self.assertNotEqual(fault(text), "", text)

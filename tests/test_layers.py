"""The house plan, held: who may import whom, and what the lowest layers may not know."""

import ast
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

PACKAGE = Path(__file__).parents[1] / "axis_nvr"

#: From the ground up: a module imports only from its own layer and those before it.
LAYERS = [
    "errors",
    "words",
    "config",
    "wire",
    "media",
    "session",
    "storage",
    "protocols",
    "services",
    "vapix",
    "simulator",
    "cli",
    "assembly",
    "tap",
]
SANS_IO = {"wire", "media", "session"}
FORBIDDEN_IN_SANS_IO = {"twisted", "time", "socket", "threading", "random"}


def imported_modules(source: str) -> Iterator[str]:
    """Every module that a source imports, wherever in it, with the names taken from it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield from (f"{module}.{alias.name}" for alias in node.names)


def violations(layer: str, source: str) -> list[str]:
    """What in a source of `layer` breaks the house plan."""
    found = []
    for name in imported_modules(source):
        parts = name.split(".")
        if name.startswith("."):
            found.append(f"relative import {name}")
        elif parts[0] == "axis_nvr":
            target = parts[1] if len(parts) > 1 else ""
            if target not in LAYERS or LAYERS.index(target) > LAYERS.index(layer):
                found.append(f"imports {name} from above")
        elif layer in SANS_IO and parts[0] in FORBIDDEN_IN_SANS_IO:
            found.append(f"imports {name}, which does I/O or reads a clock")
        if name == "twisted.internet.reactor" and layer != "tap":
            found.append("imports the global reactor")
    return found


class LayerTests(SynchronousTestCase):
    def test_every_module_keeps_the_plan(self) -> None:
        """No module imports from above, and the sans-I/O layers know neither Twisted nor time."""
        found = []
        for path in sorted(PACKAGE.rglob("*.py")):
            relative = path.relative_to(PACKAGE)
            layer = relative.parts[0].removesuffix(".py")
            if layer == "__init__":
                continue
            self.assertIn(layer, LAYERS, f"{relative} has no place in the house plan")
            found += [f"{relative}: {why}" for why in violations(layer, path.read_text())]
        self.assertEqual(found, [])

    def test_packages_hold_no_code(self) -> None:
        """Each ``__init__`` is a docstring and re-exports."""
        for path in PACKAGE.rglob("__init__.py"):
            body = ast.parse(path.read_text()).body[1:]
            for node in body:
                allowed = isinstance(node, ast.ImportFrom) or (
                    isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
                )
                self.assertTrue(allowed, f"{path}: {ast.unparse(node)}")

    def test_a_break_is_seen(self) -> None:
        """The check itself finds each kind of break."""
        self.assertEqual(len(violations("wire", "import time")), 1)
        self.assertEqual(len(violations("session", "def f():\n    import twisted.internet")), 1)
        self.assertEqual(len(violations("media", "from axis_nvr.storage import disk")), 1)
        self.assertEqual(len(violations("services", "from twisted.internet import reactor")), 1)
        self.assertEqual(len(violations("wire", "from . import rtp")), 1)
        self.assertEqual(violations("session", "from axis_nvr.wire import rtp"), [])

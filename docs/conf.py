"""How the documentation is built: ``make docs``; a warning is an error.

With the tag ``written`` only the written pages are built, in seconds: those of the modules, of
which there are hundreds, are left out. That their docstrings can be read a test looks after.
"""

import re
import runpy
import shutil
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parents[1]
_SETUP = (_ROOT / "setup.py").read_text(encoding="utf-8")

project = "axis_nvr"
author = "the axis_nvr contributors"
copyright = author  # noqa: A001 - the name Sphinx reads
release = re.search(r'version="([^"]+)"', _SETUP)[1]  # type: ignore[index]
version = release

# made anew by apidoc: pages of modules that are gone would stay
shutil.rmtree(Path(__file__).with_name("api") / "modules", ignore_errors=True)

# made from the constants and the tests themselves, so that they cannot be wrong
for _name in ("limits", "durability"):
    _page = runpy.run_path(str(_ROOT / f"tools/list_{_name}.py"))["page"]()
    _path = Path(__file__).with_name("reference") / f"{_name}.md"
    _path.write_text(_page, encoding="utf-8")

extensions = ["myst_parser"]
exclude_patterns = ["_build", "api/modules/modules.rst"]
suppress_warnings = ["ref.python"]
if tags.has("written"):  # type: ignore[name-defined]  # noqa: F821 - Sphinx gives it
    exclude_patterns.append("api")
    suppress_warnings += ["toc.excluded", "toc.not_readable"]
else:
    extensions += ["sphinx.ext.autodoc", "sphinx.ext.apidoc"]
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3

apidoc_modules = [
    {
        "path": "../axis_nvr",
        "destination": "api/modules",
        "separate_modules": True,
        "module_first": True,
        "no_headings": False,
        "max_depth": 3,
    }
]
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_default_options = {"members": True, "show-inheritance": True}
# Names in single back-ticks are cross-references to ours where there is one, and plain else.
default_role = "py:obj"
nitpicky = False

html_theme = "alabaster"
html_theme_options = {"description": "A network video recorder", "fixed_sidebar": True}
html_title = f"axis_nvr {release}"


def setup(app: Any) -> None:
    """Leave out what is an object of a library's, with a docstring of that library's style."""

    def skip(
        _app: Any, _what: str, _name: str, thing: object, skipped: bool, _options: Any
    ) -> bool:
        return skipped or type(thing).__name__ in ("Klein", "Logger")

    if "sphinx.ext.autodoc" in extensions:
        app.connect("autodoc-skip-member", skip)

"""How the documentation is built: ``make docs``; a warning is an error."""

import re
from pathlib import Path

_SETUP = (Path(__file__).parents[1] / "setup.py").read_text(encoding="utf-8")

project = "axis_nvr"
author = "the axis_nvr contributors"
copyright = author  # noqa: A001 - the name Sphinx reads
release = re.search(r'version="([^"]+)"', _SETUP)[1]  # type: ignore[index]
version = release

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.apidoc"]
exclude_patterns = ["_build", "api/modules/modules.rst"]
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
suppress_warnings = ["ref.python"]

html_theme = "alabaster"
html_theme_options = {"description": "A network video recorder", "fixed_sidebar": True}
html_title = f"axis_nvr {release}"

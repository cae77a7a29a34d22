"""Write the table of all limits: the constants that bound what a peer, a disk or time can do.

A limit is a module's constant with a ``#:`` comment whose name says so: ``MAX_…``, ``MIN_…``, or a
unit of size or time at its end. The documentation's build calls `page`; run by hand it prints.
"""

import ast
import re
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
NAME = re.compile(r"(MAX|MIN)_\w+|\w+_(SECONDS|BYTES|PACKETS|MS|US|PPM|GOPS|LIMIT)")
HEAD = """# Limits

Whatever a peer can send has a bound, and so has whatever is waited for. Each is a constant in the
module it protects; this page is made from them when the documentation is built.
"""


class Limit(NamedTuple):
    """A constant: its name, its value as the source has it, and the comment before it."""

    name: str
    value: str
    comment: str


def limits_of(source: str) -> list[Limit]:
    """Find the limits of a module. A comment holds for all constants directly behind it."""
    lines = source.splitlines()
    found, comment = [], ""
    for node in ast.parse(source).body:
        if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Name):
            continue
        begin = node.lineno - 1
        while begin and lines[begin - 1].startswith("#:"):
            begin -= 1
        above = [line[2:].strip() for line in lines[begin : node.lineno - 1]]
        follows = node.lineno > 1 and re.match(r"[A-Z_]+ = ", lines[node.lineno - 2])
        comment = " ".join(above) if above else comment if follows else ""
        if comment and NAME.fullmatch(node.targets[0].id):
            found.append(Limit(node.targets[0].id, ast.unparse(node.value), comment))
    return found


def page() -> str:
    """Write the page: a table for each package."""
    tables: dict[str, list[str]] = {}
    for path in sorted((ROOT / "axis_nvr").rglob("*.py")):
        package, _, module = ".".join(path.relative_to(ROOT).with_suffix("").parts).rpartition(".")
        layer = ".".join(package.split(".")[:2])
        tables.setdefault(layer, []).extend(
            f"| `{limit.name}` | `{limit.value}` | {limit.comment} | `{module}` |"
            for limit in limits_of(path.read_text(encoding="utf-8"))
        )
    head = "| Name | Value | Meaning | Module |\n| --- | --- | --- | --- |\n"
    return HEAD + "".join(
        f"\n## {layer}\n\n{head}" + "\n".join(rows) + "\n" for layer, rows in tables.items() if rows
    )


if __name__ == "__main__":
    sys.stdout.write(page())

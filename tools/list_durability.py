"""Write the durability matrix: fault, moment, outcome and the test that proves it.

The rows are the ``@proves(...)`` of the tests (``tests/durability.py``), read from their source, so
that a line cannot stand without its test. The documentation's build calls `page`; run by hand it
prints.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
#: What is promised, in the order of the contract of the disk.
PARTS = (
    (
        "The same layout",
        "Folders, names, XML and index are those of an Axis device's SD card. Programs made for"
        " these, and players, read the disk, after a crash too.",
    ),
    (
        "What is acknowledged is safe",
        "A group of pictures is acknowledged once its bytes, its file's name and the XML that tells"
        " of it are durable. Its rows in the index may come later, and are found again in the"
        " folders if they do not. From then on it survives a kill, a power cut, a full disk and I/O"
        " errors. At most the group in flight of each camera is lost.",
    ),
    (
        "The index is never ahead",
        "A row is written after the bytes it names are durable; a deletion is noted before the"
        " bytes go.",
    ),
    (
        "The disk explains itself",
        "Everything in the index can be made again from the files alone, on another recorder too.",
    ),
    (
        "Open blocks are repaired",
        "After an unclean stop a block keeps all its whole clusters, and becomes a file that"
        " players open without a warning. Blocks that are whole are never written to again.",
    ),
    (
        "Silent damage is found",
        "Each cluster carries a CRC-32. Damage is named by recording, block and time, and what is"
        " behind it can be played.",
    ),
    (
        "Time is exact",
        "A picture's time in its block is when the camera took it, to a millisecond. Where a clock"
        " stepped, that is noted, not smoothed over.",
    ),
    (
        "Gaps are facts",
        "Whatever is missing leaves a record: from when, to when, why.",
    ),
    (
        "Removal keeps its rules",
        "What is locked is never removed. Else the oldest block goes first, one by one, and so"
        " early that the disk does not run full.",
    ),
)
HEAD = """# Durability

What the recorder promises of a disk has nine parts. Below each stands what is done to it on
purpose, when, what must be so afterwards, and the test that holds it to that. This page is made
from the tests when the documentation is built.

Where a power cut is said to happen at *any* operation, it happens on a disk of memory that keeps a
log of all that is done to it. From the log every disk is made that a power cut may leave at that
moment: with or without each write, name and length that was not synced, writes torn at the borders
of sectors or out of order; where these are too many, a sample. SQLite's own atomicity is trusted:
of the index, the last commit that succeeded is what is found.
"""


class Proof(NamedTuple):
    """A row, and the test it is from.

    :param part: 1 to 9.
    """

    part: int
    fault: str
    moment: str
    outcome: str
    test: str


def proofs_of(source: str, module: str) -> Iterator[Proof]:
    """Find the rows of a test module.

    :raises ValueError: an argument is not written out.
    """
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.ClassDef):
            continue
        for function in node.body:
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                test = f"{module}.{node.name}.{function.name}"
                for decorator in function.decorator_list:
                    if _is_proof(decorator):
                        yield _proof(decorator, test)


def _is_proof(node: ast.expr) -> bool:
    return (
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "proves"
    )


def _proof(node: ast.expr, test: str) -> Proof:
    assert isinstance(node, ast.Call)
    try:
        part = ast.literal_eval(node.args[0])
        words = {keyword.arg: ast.literal_eval(keyword.value) for keyword in node.keywords}
        proof = Proof(part, words["fault"], words["moment"], words["outcome"], test)
    except (ValueError, KeyError, IndexError) as error:
        raise ValueError(
            f"{test}: @proves(part, fault=, moment=, outcome=), written out"
        ) from error
    if proof.part not in range(1, len(PARTS) + 1):
        raise ValueError(f"{test}: there is no part {proof.part}")
    return proof


def proofs() -> list[Proof]:
    """Find the rows of all tests, by part, then by fault."""
    found: list[Proof] = []
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        source = path.read_text(encoding="utf-8")
        if "@proves(" in source:  # to parse the others too took seconds
            found += proofs_of(source, module)
    return sorted(found, key=lambda proof: (proof.part, proof.fault, proof.test))


def page() -> str:
    """Write the page: a table for each part."""
    found = proofs()
    text = HEAD
    for number, (title, promise) in enumerate(PARTS, 1):
        text += f"\n## {number}. {title}\n\n{promise}\n\n"
        text += "| Fault | Moment | Outcome | Test |\n| --- | --- | --- | --- |\n"
        for proof in found:
            if proof.part == number:
                cells = (*map(_cell, proof[1:4]), f"`{proof.test.removeprefix('tests.')}`")
                text += f"| {' | '.join(cells)} |\n"
    return text


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    sys.stdout.write(page())

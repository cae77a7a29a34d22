"""``axis-nvr verify``: whether an export is as it was when it was signed."""

import argparse
import sys
from pathlib import Path

from axis_nvr.cli.command import EXIT_FOUND, EXIT_OK, Command, print_json, printable, time_words
from axis_nvr.errors import StorageError, StorageErrorKind, WireError
from axis_nvr.services.export_seal import Verdict, verify
from axis_nvr.wire.onvif_export import SealedFile


def _verify(arguments: argparse.Namespace) -> int:
    shows_progress = sys.stderr.isatty() and not arguments.json

    def progress(done: int, total: int) -> None:
        if shows_progress:
            end = "\n" if done == total else ""
            print(f"\r{100 * done // max(1, total)} %", end=end, file=sys.stderr, flush=True)

    path: Path = arguments.file
    try:
        with path.open("rb") as file:

            def read(start: int, size: int) -> bytes:
                file.seek(start)
                return file.read(size)

            sealed, verdicts = verify(read, path.stat().st_size, progress)
    except OSError as error:
        raise StorageError(StorageErrorKind.ABSENT, path, error.strerror or str(error)) from error
    except WireError as error:
        words = f"{path}: no whole MP4 export, and only those are signed: {error.message}"
        raise WireError(words, offset=error.offset, source=error.source) from error
    is_good = bool(verdicts) and all(v.is_valid for v in verdicts) and verdicts[-1].covers_all
    if arguments.json:
        print_json(_told(sealed, verdicts, is_good=is_good))
    else:
        _print(sealed, verdicts, is_good=is_good)
    return EXIT_OK if is_good else EXIT_FOUND


def _told(sealed: SealedFile, verdicts: list[Verdict], *, is_good: bool) -> dict[str, object]:
    return {
        "valid": is_good,
        "exportunit": sealed.info.unit_name,
        "exporttime": time_words(sealed.info.time_us),
        "operator": sealed.info.operator,
        "starttime": time_words(sealed.start_us),
        "sources": [source.name for source in sealed.info.sources],
        "signatures": [
            {
                "valid": verdict.is_valid,
                "coversall": verdict.covers_all,
                "certificate": verdict.subject,
                "sha256": verdict.fingerprint,
                "problem": verdict.problem,
            }
            for verdict in verdicts
        ],
        "trailingbytes": sealed.trailing_bytes,
    }


def _print(sealed: SealedFile, verdicts: list[Verdict], *, is_good: bool) -> None:
    info = sealed.info
    lines = [
        ("exported by", f"{info.unit_name} ({info.unit_mac})"),
        ("exported at", time_words(info.time_us)),
        ("for", info.operator or "-"),
        ("begins at", time_words(sealed.start_us)),
        ("cameras", ", ".join(dict.fromkeys(source.name for source in info.sources)) or "-"),
    ]
    for verdict in verdicts:
        state = "valid" if verdict.is_valid else f"NOT VALID: {verdict.problem}"
        lines += [("signature", state), ("  by", verdict.subject)]
        lines.append(("  SHA-256", verdict.fingerprint))
    if sealed.trailing_bytes:
        lines.append(("behind it", f"{sealed.trailing_bytes} bytes that no signature covers"))
    for name, text in lines:
        print(printable(f"{name + ':':13} {text}"))
    if not verdicts:
        print("not signed")
    elif is_good:
        print("the file is as it was signed; whether to trust the signer is for you to say")
    else:
        print("the file is NOT as it was signed")


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, help="an exported MP4 file")
    parser.add_argument("--json", action="store_true", help="tell it to a program")


VERIFY = Command("verify", "verify the signatures of an export", _arguments, _verify)

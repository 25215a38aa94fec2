"""Refuse what no file of the project should hold: hygiene.py [FILE...], all of them without one."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MAX_BYTES = 500_000
# Data are as their source wrote them; golden files hold what is printed, spaces at the end too.
AS_THEY_ARE = re.compile(
    r"^(data|tools/sources|tests/(golden|certificates)/|src/ketafind/(geocoding|show)/\w+\.(npz|bin)|docs/_static/gallery/\w+\.png|.*\.svg|src/ketafind/show/leaflet\.)"
)
NEVER = {
    r"^(<{7}|>{7}|={7})( |$)": "a conflict marker",
    r"[ \t]+$": "space at the end of a line",
    r"^ *\t": "a tab that indents",
    r"\r": "a carriage return",
    r"BEGIN [A-Z ]*PRIVATE KEY": "a private key",
}


def tracked() -> list[str]:
    """Every file of the project."""
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return listed.stdout.splitlines()


def faults(name: str) -> Iterator[str]:
    """What is wrong with one file."""
    if AS_THEY_ARE.match(name):
        return
    content = (ROOT / name).read_bytes()
    if len(content) > MAX_BYTES:
        yield f"{name}: over {MAX_BYTES:,} bytes"
    text = content.decode("utf-8")
    for pattern, what in NEVER.items():
        for found in re.finditer(pattern, text, re.MULTILINE):
            yield f"{name}:{text.count(chr(10), 0, found.start()) + 1}: {what}"
    if text and (not text.endswith("\n") or text.endswith("\n\n")):
        yield f"{name}: must end with one line end"


if __name__ == "__main__":
    found = [fault for name in sys.argv[1:] or tracked() for fault in faults(name)]
    print(*found, sep="\n", end="\n" if found else "")
    sys.exit(1 if found else 0)

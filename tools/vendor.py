"""Copy the JavaScript of others into the tree, with its version, hash and licence in its head.

    python tools/vendor.py            copy what is listed
    python tools/vendor.py --check    say whether the files are what the registry's are

From the npm registry, through npm; building and installing ketafind need neither.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import NamedTuple

SHOW = Path(__file__).parents[1] / "src/ketafind/show"


class Copied(NamedTuple):
    """A file of a package of npm's."""

    package: str
    sha256: str  # of the archive
    file: str
    licence: str
    to: str
    without: str = r"(?!)"
    """What is left out, as a pattern."""


LEAFLET = "leaflet@1.9.4", "84c65a256e50657896f54c33bd857b6849ebe94c817803be818bf32a3dde0b77"
# What is asked for, what only old browsers read, and what is only for tiles.
ELSEWHERE = r"(?m)^[^{}]*\{[^{}]*(?:url\(|progid|behavior|plus-lighter)[^{}]*\}\n"
FILES = (
    Copied(
        "geographiclib-geodesic@2.2.0",
        "e35a1033b30873278880bd30faa37570502d1d5803d78bf7f45372d53cabec76",
        "geographiclib-geodesic.min.js",
        "LICENSE.txt",
        "geographiclib-geodesic.min.js",
    ),
    Copied(*LEAFLET, "dist/leaflet.js", "LICENSE", "leaflet.min.js", r"//# sourceMappingURL.*"),
    Copied(*LEAFLET, "dist/leaflet.css", "LICENSE", "leaflet.css", ELSEWHERE),
)


def content_of(one: Copied, folder: Path) -> str:
    """Fetch a package, check its archive, and return the file below its licence."""
    packed = ["npm", "pack", "--silent", one.package]
    name = subprocess.run(packed, cwd=folder, capture_output=True, text=True, check=True).stdout
    archive = folder / name.split()[-1]
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    if found != one.sha256:
        raise SystemExit(f"{one.package}: the archive's sha256 is {found}, not {one.sha256}")
    with tarfile.open(archive) as files:
        read = lambda path: files.extractfile(f"package/{path}").read().decode()  # noqa: E731
        licence, source = read(one.licence), read(one.file).replace("\r\n", "\n")
    head = f"{one.package}, {one.file}, from npm (archive's sha256 {one.sha256})\n\n{licence}"
    lines = "\n".join(f" * {line}".rstrip() for line in head.strip().splitlines())
    return f"/*!\n{lines}\n */\n{re.sub(one.without, '', source).rstrip()}\n"


def main(arguments: list[str]) -> int:
    """Copy or compare every file."""
    differs = 0
    for one in FILES:
        with tempfile.TemporaryDirectory() as folder:
            content = content_of(one, Path(folder))
        path = SHOW / one.to
        if "--check" not in arguments:
            path.write_text(content, encoding="utf-8")
        same = path.read_text(encoding="utf-8") == content
        differs += not same
        print(f"{path.name}: {one.package}, {'as in the registry' if same else 'DIFFERS'}")
    return 1 if differs else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

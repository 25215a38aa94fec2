"""Files with random damage: read whole or refused with a report, and nothing else is raised."""

import random
import warnings
from pathlib import Path

import pytest

from ketafind.errors import DataError
from ketafind.tables.clinics import read_clinics, read_evidence

DATA = Path(__file__).parents[1] / "data"
FILES = {"ontario_clinics.csv": read_clinics, "ontario_clinics_evidence.csv": read_evidence}
PIECES = [
    b'"',
    b",",
    b";",
    b"\r",
    b"\n",
    b"\0",
    b"\xff",
    b"\xef\xbb\xbf",
    b":",
    b"-",
    b"%",
    b"[",
    b"iv",
]
PIECES += [
    b"1e999",
    b"nan",
    b"9" * 30,
    b"https://",
    "é".encode(),
    "\u200b".encode(),
    "\u2028".encode(),
]


def damaged(content, choose):
    """Insert, remove, change and repeat bytes."""
    content = bytearray(content)
    for _ in range(choose.choice([1, 1, 1, 2, 5, 50])):
        at, other = choose.randrange(len(content) + 1), choose.randrange(len(content) + 1)
        length = choose.randrange(1, 60)
        kind = choose.randrange(4)
        if kind == 0:
            content[at:at] = choose.choice(PIECES)
        elif kind == 1 and len(content) > 100:
            del content[at : at + length]
        elif kind == 2:
            content[at : at + 1] = bytes([choose.randrange(256)])
        else:
            content[at:at] = content[other : other + length]
    return bytes(content)


def read_damaged(name, n, seed, folder):
    """Read so many damaged copies; count those that were read and those that were refused."""
    original = b"".join((DATA / name).read_bytes().splitlines(keepends=True)[:12])
    choose = random.Random(seed)
    path = folder / name
    counts = {"read": 0, "refused": 0}
    for _ in range(n):
        path.write_bytes(damaged(original, choose))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # damage may look like mojibake
            try:
                FILES[name](path)
                counts["read"] += 1
            except DataError as error:
                counts["refused"] += 1
                report = str(error)
        assert counts["refused"] == 0 or report
    return counts


@pytest.mark.parametrize("name", FILES)
def test_damage_is_refused_or_harmless(name, tmp_path):
    """A few hundred copies of the first rows of the bundled files."""
    counts = read_damaged(name, 300, 1, tmp_path)
    assert counts["read"] > 10
    assert counts["refused"] > 100


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_much_damage_is_refused_or_harmless(name, tmp_path):
    """The same, ten thousand times."""
    read_damaged(name, 10_000, 2, tmp_path)

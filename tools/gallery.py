"""Draw the pictures of docs/gallery.md: each is what the lines above its link leave drawn."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("agg")

import matplotlib.pyplot as plt
from PIL import Image

DOCS = Path(__file__).parents[1] / "docs"
PART = re.compile(r"(?ms)^```python\n(?P<code>.*?)^```$|^!\[[^]]*\]\((?P<file>[^)]+)\)$")
DPI, COLOURS = 110, 96


def main() -> None:
    """Run the page from its top, and keep each picture small."""
    names: dict[str, Any] = {}
    for part in PART.finditer((DOCS / "gallery.md").read_text("utf-8")):
        if part["code"]:
            lines = part["code"].splitlines()
            exec("\n".join(line[4:] for line in lines if line[:3] in {">>>", "..."}), names)
            continue
        file = DOCS / part["file"]
        file.parent.mkdir(exist_ok=True)
        plt.gcf().savefig(file, dpi=DPI)
        plt.close("all")
        Image.open(file).convert("RGB").quantize(COLOURS).save(file, optimize=True)
        print(f"{file.name}: {file.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()

"""Write anew what the examples of the documents print; read the difference before keeping it.

    python tools/refresh_examples.py [FILE...]

The tests compare every example with what it prints. After a change that moves many answers, such
as a better gazetteer, this writes them in one go: README.md and docs/ without arguments.
"""

from __future__ import annotations

import contextlib
import doctest
import io
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
WIDTH = "100"  # as in conftest.py
BLOCK = re.compile(r"(?ms)^```(python|console)\n(.*?)^```$")


def steady(text: str) -> str:
    """Without the content hash, which changes with every fact."""
    return re.sub(r"\b[0-9a-f]{16} of (\d{4}-)", r"... of \1", text)


def run_command(command: str) -> str:
    """What a ketafind command prints."""
    words = shlex.split(command.removeprefix("python -m "))[1:]
    done = subprocess.run(
        [sys.executable, "-m", "ketafind", *words],
        capture_output=True,
        encoding="utf-8",
        env=os.environ | {"COLUMNS": WIDTH, "PYTHONUTF8": "1"},
        check=False,
    )
    return done.stderr + done.stdout


def console(body: str) -> str:
    """A console block, its ketafind commands with what they print now."""
    blocks = []
    for block in re.split(r"(?m)^\$ ", body)[1:]:
        line = block.partition("\n")[0]
        command = line.removeprefix("python -m pip install . && ")
        ours = command.startswith(("ketafind ", "python -m ketafind "))
        blocks.append(f"$ {line}\n{steady(run_command(command))}" if ours else f"$ {block}")
    return "".join(blocks)


def printed(source: str, names: dict[str, Any]) -> str:
    """What an interactive statement prints, or the last line of its traceback."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        try:
            exec(compile(source, "<example>", "single"), names)
        except Exception as error:  # noqa: BLE001
            name = f"{type(error).__module__}.{type(error).__qualname__}"
            print(f"Traceback (most recent call last):\n    ...\n{name}: {error}")
    return steady(out.getvalue())


def python(body: str, names: dict[str, Any]) -> str:
    """A python block, its statements with what they print now."""
    lines = []
    for example in doctest.DocTestParser().get_examples(body):
        first, *more = example.source.rstrip("\n").split("\n")
        lines += [f">>> {first}", *(f"... {line}".rstrip() for line in more)]
        lines += [line or "<BLANKLINE>" for line in printed(example.source, names).splitlines()]
    return "".join(f"{line}\n" for line in lines)


def refreshed(text: str) -> str:
    """A document with what its examples print now; they share their names, as in the tests."""
    names: dict[str, Any] = {}

    def block(match: re.Match[str]) -> str:
        language, body = match.groups()
        if language == "python" and ">>> " not in body:
            return match.group()
        new = console(body) if language == "console" else python(body, names)
        return f"```{language}\n{new}```"

    return BLOCK.sub(block, text)


def main(paths: list[str]) -> int:
    """Refresh these files, or all; name those that changed."""
    os.environ["COLUMNS"] = WIDTH
    for path in [Path(p) for p in paths] or [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        before = path.read_text("utf-8")
        after = refreshed(before)
        if after != before:
            path.write_text(after, "utf-8")
            print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The finder page against the package: 1,000 random questions, and how long the page takes.

    python benchmarks/finder.py [--quick]

Half are put to the bundled clinics, half to 2,000 random ones. Every answer of the page, by its own
script in node, must be the package's; how texts were read is counted. Where there is Chromium, the
page is opened five times, and each time asked for eight postal codes; what its thread is busy until
list and map are drawn does not depend on what else a machine does.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import ketafind as kf

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from finder_queries import compared, random_directory

ASK = """code => {
  document.getElementById("place").value = code;
  document.getElementById("ask").requestSubmit();
  document.body.getBoundingClientRect();
}"""


def time_in_browser(page: Path) -> None:
    """Print what opening the page and answering take in Chromium, as the processor's time."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        chromium = None
    if chromium is None:
        print("  no Chromium with playwright here: not timed in a browser")
        return
    codes = kf.ontario_postal_codes()["postal_code"].sample(8, random_state=1).tolist()
    loads, walls, answers = [], [], []
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for _ in range(5):
            window = browser.new_page(viewport={"width": 1200, "height": 900})
            meter = window.context.new_cdp_session(window)
            meter.send("Performance.enable", {"timeDomain": "threadTicks"})
            window.goto(page.as_uri())
            window.wait_for_selector("html[data-ready]", state="attached")
            walls.append(window.evaluate("performance.now()"))
            loads.append(busy_ms(meter))
            for code in codes:
                before = busy_ms(meter)
                window.evaluate(ASK, code)
                window.wait_for_timeout(60)
                answers.append(busy_ms(meter) - before)
            window.close()
        browser.close()
    print(
        f"  in Chromium opened in {median(loads):.0f} ms of the processor, ready after "
        f"{median(walls):.0f} ms here; answers and draws in {median(answers):.1f} ms of it"
    )


def busy_ms(meter: Any) -> float:
    """How long the page's thread was busy until now."""
    found = meter.send("Performance.getMetrics")["metrics"]
    return 1000 * next(one["value"] for one in found if one["name"] == "TaskDuration")


def main(n: int) -> None:
    """Compare, and print how the texts were read."""
    with tempfile.TemporaryDirectory() as folder:
        for seed, directory in enumerate((kf.load_directory(), random_directory(2000))):
            page = Path(folder, f"{seed}.html")
            directory.to_html(page)
            how, times = compared(directory, page, n // 2, seed)
            print(f"{directory!r}, page of {page.stat().st_size:,} bytes")
            for said, count in sorted(how.items()):
                print(f"  {count:5} {said}")
            ms = times["answers_ms"]
            print(
                f"  unpacked in {times['opened_ms']:.0f} ms; read and answered in "
                f"{median(ms):.1f} ms at the median, {quantiles(ms, n=20)[-1]:.1f} ms at p95"
            )
            time_in_browser(page)


if __name__ == "__main__":
    main(100 if "--quick" in sys.argv else 1000)

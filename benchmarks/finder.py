"""The finder page against the package: 1,000 random questions, and how long the page takes.

    python benchmarks/finder.py [--quick]

Half are put to the bundled clinics, half to 2,000 random ones. Every answer of the page, by its own
script in node, must be the package's; how texts were read is counted. Where there is Chromium, the
page is opened five times, and each time asked for eight postal codes: from the click until list and
map are laid out.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from statistics import median, quantiles

import ketafind as kf

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from finder_queries import compared, random_directory

ASK = """async codes => {
  const times = [];
  for (const code of codes) {
    document.getElementById("place").value = code;
    const start = performance.now();
    document.getElementById("ask").requestSubmit();
    document.body.getBoundingClientRect();
    times.push(performance.now() - start);
    await new Promise(resolve => setTimeout(resolve, 50));
  }
  return times;
}"""


def time_in_browser(page: Path) -> None:
    """Print how long Chromium takes to open the page, and to answer."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        chromium = None
    if chromium is None:
        print("  no Chromium with playwright here: not timed in a browser")
        return
    codes = kf.ontario_postal_codes()["postal_code"].sample(8, random_state=1).tolist()
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        loads, answers = [], []
        for _ in range(5):
            window = browser.new_page(viewport={"width": 1200, "height": 900})
            window.goto(page.as_uri())
            window.wait_for_selector("html[data-ready]", state="attached")
            loads.append(window.evaluate("performance.now()"))
            answers += window.evaluate(ASK, codes)
            window.close()
        browser.close()
    print(
        f"  in Chromium ready after {median(loads):.0f} ms, at the fastest {min(loads):.0f} ms; "
        f"answers and lays out in {median(answers):.1f} ms at the median"
    )


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

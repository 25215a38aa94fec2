"""The check of the built site finds what it is for."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))

import site_check


def test_what_is_loaded_from_elsewhere_and_links_to_nothing_are_faults(tmp_path: Path) -> None:
    (tmp_path / "searchindex.js").touch()
    (tmp_path / "there.html").write_text('<h1 id="top"></h1>')
    (tmp_path / "a.css").write_text("p { background: url(https://b.example/b.png) }")
    (tmp_path / "index.html").write_text(
        '<link rel="canonical" href="https://own.example/">'
        '<script src="https://a.example/a.js"></script><style>@import "//c.example/c.css";</style>'
        '<a href="https://d.example/">waits for a click</a>'
        '<a href="there.html#top"></a><a href="there.html#low"></a><a href="gone.html"></a>'
    )
    assert sorted(site_check.faults(tmp_path)) == [
        "a.css: loads https://b.example/b.png",
        "index.html: gone.html is not there",
        "index.html: loads //c.example/c.css",
        "index.html: loads https://a.example/a.js",
        "index.html: there.html#low has no such anchor",
    ]
    assert site_check.main(str(tmp_path)) == 1


def test_a_site_that_holds_together_passes_if_it_can_be_searched(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text('<h1 id="top"></h1><a href="#top"></a>')
    assert site_check.main(str(tmp_path)) == 1
    (tmp_path / "searchindex.js").touch()
    assert site_check.main(str(tmp_path)) == 0

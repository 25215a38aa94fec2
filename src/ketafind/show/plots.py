"""A static map of clinics: points, doubt and a scale, without tiles and without network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ketafind.files import require
from ketafind.geo import Coordinates
from ketafind.show.projection import (
    MARKS,
    NOTHING,
    LocalProjection,
    MapPoint,
    compass,
    mark_meanings,
    places,
    scale_km,
)
from ketafind.show.text import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.transforms import Bbox


_POINT, _DOUBT, _ORIGIN = "#0b5394", "#0b539422", "#b45f06"
_LONGEST_NAME = 40
_NEAR = 10  # points; farther off, a line leads from the label to its point
# Where a label may stand: to the right first, then around the point, then farther out.
_SPOTS = tuple(
    (east * reach, north * reach)
    for reach in (7, 16, 30, 48)
    for east, north in ((1, 0), (-1, 0), (1, 1), (1, -1), (-1, 1), (-1, -1), (0, 1.3), (0, -1.3))
)


def plot_clinics(
    columns: Mapping[str, Sequence[Any]],
    *,
    origin: Any = None,
    labels: bool = True,
    ax: Axes | None = None,
    empty: str = NOTHING,
) -> Axes:
    """Draw clinics on a static map with matplotlib (extra ``maps``).

    Parameters
    ----------
    columns : mapping of str to sequence
        Equally long columns: ``lat``, ``lon``, and where there are such ``rank``, ``name`` and
        ``radius_km``. Where ``truth`` is ``unknown``, the mark is a ring. Lines below say what
        the marks and circles are and count rows without a position.
    origin : Coordinates or Location, optional
        The place that was searched from. It is drawn only when it is given here: it may be where
        somebody lives.
    labels : bool
        Write the names; where there is no room, the rank, or nothing.
    ax : matplotlib axes, optional
        Where to draw; a new figure if None.
    empty : str
        What to say, without axes or a scale, where no clinic has a position.

    Returns
    -------
    matplotlib.axes.Axes
        Longitude and latitude in degrees, drawn so that a kilometre is as long upwards as
        sideways in the middle of the map; a bar gives the scale. Switched off around `empty`.

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    InvalidInputError
        If there is no ``lat`` or ``lon``.
    """
    found = places(columns)
    spots = [(place.lat, place.lon) for place in found]
    if origin is not None:
        spots.append((origin.lat, origin.lon))
    projection = LocalProjection.about(spots)
    if ax is None:
        _, ax = require("matplotlib.pyplot", "maps").subplots(figsize=(8, 6), layout="constrained")
    if not found:
        _say(ax, empty)
        return ax
    _draw_points(ax, found, projection)
    if origin is not None:
        _draw_origin(ax, Coordinates(lat=origin.lat, lon=origin.lon), projection)
    _frame(ax, projection)
    n_left_out = len(next(iter(columns.values()), ())) - len(found)
    notes = {
        "circle: 90 % radius of a position": any(place.radius_km > 0.0 for place in found),
        "star: origin": origin is not None,
        f"{n_left_out} without a position": n_left_out > 0,
    }
    marks = [f"{MARKS[mark]}: {told}" for mark, told in mark_meanings(found).items()]
    said = "; ".join(note for note, holds in notes.items() if holds)
    # Short lines, for narrow figures.
    lines = ["; ".join(marks[:2]), *marks[2:], said]
    ax.set_xlabel("\n".join(filter(None, lines)), loc="left")
    _draw_scale(ax, projection)
    if labels:
        _draw_labels(ax, found, projection)
    return ax


def _say(ax: Axes, text: str) -> None:
    ax.set_axis_off()
    lines = "\n".join(map(printable, text.splitlines()))
    said = ax.text(0.5, 0.5, lines, transform=ax.transAxes, ha="center", va="center", wrap=True)
    said.set_parse_math(False)
    said.set_in_layout(False)  # a long line is broken, not made room for


def _draw_points(ax: Axes, found: Sequence[MapPoint], projection: LocalProjection) -> None:
    from matplotlib.patches import Ellipse

    for place in found:
        if place.radius_km > 0.0:
            size = (
                2 * projection.degrees_east(place.radius_km),
                2 * projection.degrees_north(place.radius_km),
            )
            spot = projection.lon_lat(place.lat, place.lon)
            ax.add_patch(Ellipse(spot, *size, facecolor=_DOUBT, edgecolor=_POINT, lw=0.5))
    looks: dict[bool, dict[str, Any]] = {
        # Drawn first: a dot at the same position stands in the ring.
        True: {"s": 90, "facecolors": "white", "edgecolors": _POINT, "linewidths": 1.5},
        False: {"s": 25, "color": _POINT},
    }
    for is_unknown, look in looks.items():
        spots = [
            projection.lon_lat(place.lat, place.lon)
            for place in found
            if place.is_unknown == is_unknown
        ]
        if spots:
            ax.scatter([lon for lon, _ in spots], [lat for _, lat in spots], zorder=3, **look)


def _draw_origin(ax: Axes, origin: Coordinates, projection: LocalProjection) -> None:
    lon, lat = projection.lon_lat(origin.lat, origin.lon)
    ax.scatter([lon], [lat], s=90, marker="*", color=_ORIGIN, zorder=4, label="origin")


def _frame(ax: Axes, projection: LocalProjection) -> None:
    """Leave room for labels, and make a kilometre as long upwards as sideways."""
    # A lone point would have no width.
    reach = (projection.degrees_east(1.0), projection.degrees_north(1.0))
    ax.update_datalim(
        [(projection.lon + side * reach[0], projection.lat + side * reach[1]) for side in (-1, 1)]
    )
    ax.margins(0.12)
    ax.autoscale_view()
    ax.set_aspect(1.0 / projection.cosine, adjustable="datalim")
    ax.grid(visible=True, lw=0.3, color="#888888")
    ax.xaxis.set_major_formatter(lambda lon, _: compass(lon, "EW"))
    ax.yaxis.set_major_formatter(lambda lat, _: compass(lat, "NS"))


def _draw_scale(ax: Axes, projection: LocalProjection) -> None:
    from matplotlib.offsetbox import AnchoredOffsetbox, AuxTransformBox, TextArea, VPacker
    from matplotlib.patches import Rectangle

    ax.apply_aspect()
    west, east = ax.get_xlim()
    length_km = scale_km((east - west) / projection.degrees_east(1.0))
    bar = AuxTransformBox(ax.transData)
    bar.add_artist(Rectangle((0, 0), projection.degrees_east(length_km), 0, ec="black", lw=2))
    text = TextArea(f"{length_km:g} km", textprops={"size": "small"})
    packed = VPacker(children=[bar, text], align="center", pad=0, sep=3)
    box = AnchoredOffsetbox("lower left", child=packed, pad=0.4)
    box.patch.set_alpha(0.8)
    ax.add_artist(box)


def _draw_labels(ax: Axes, found: Sequence[MapPoint], projection: LocalProjection) -> None:
    """Put each label at the first spot where it covers nothing; else its rank; else nothing."""
    from matplotlib.transforms import Bbox

    # The layout decides where on the screen a point is.
    ax.figure.canvas.figure.draw_without_rendering()
    frame = ax.get_window_extent()
    spots = [projection.lon_lat(place.lat, place.lon) for place in found]
    screen = [ax.transData.transform(spot) for spot in spots]
    reach = [6 if place.is_unknown else 4 for place in found]
    marks = zip(screen, reach, strict=True)
    covered = [Bbox.from_extents(x - r, y - r, x + r, y + r) for (x, y), r in marks]
    for place, spot in zip(found, spots, strict=True):
        named = f"{place.label} {place.name}".strip()
        short = named if len(named) <= _LONGEST_NAME else f"{named[: _LONGEST_NAME - 3]}..."
        for text in (short, place.label):
            if _fits(ax, text, spot, frame, covered):
                break


def _fits(ax: Axes, text: str, spot: tuple[float, float], frame: Bbox, covered: list[Bbox]) -> bool:
    for offset in _SPOTS:
        label = _annotate(ax, text, spot, offset)
        box = label.get_window_extent()
        inside = (
            frame.x0 <= box.x0 and box.x1 <= frame.x1 and frame.y0 <= box.y0 <= box.y1 <= frame.y1
        )
        if inside and not any(box.overlaps(other) for other in covered):
            covered.append(box)
            if max(map(abs, offset)) > _NEAR:
                leader = {"arrowstyle": "-", "lw": 0.4, "color": "#888888", "shrinkB": 3}
                ax.annotate("", spot, xytext=offset, textcoords="offset points", arrowprops=leader)
            return True
        label.remove()
    return False


def _annotate(ax: Axes, text: str, spot: tuple[float, float], offset: tuple[float, float]) -> Any:
    side = "left" if offset[0] > 0 else "right" if offset[0] < 0 else "center"
    return ax.annotate(
        printable(text),
        spot,
        xytext=offset,
        textcoords="offset points",
        ha=side,
        va="center",
        size="small",
        parse_math=False,  # a dollar sign in a name is a dollar sign
        zorder=5,
    )

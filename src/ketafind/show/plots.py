"""A static map of clinics: points, doubt and a scale, without tiles and without network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ketafind.files import require
from ketafind.show.projection import (
    MARKS,
    NOTHING,
    Layout,
    LocalProjection,
    Spot,
    compass,
    scale_km,
)
from ketafind.show.text import escaped

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
    layout = Layout.of(columns, origin)
    if ax is None:
        _, ax = require("matplotlib.pyplot", "maps").subplots(figsize=(8, 6), layout="constrained")
    if not layout.points:
        _say(ax, empty)
        return ax
    _draw_points(ax, layout)
    _frame(ax, layout.projection)
    ax.set_xlabel(_notes(layout), loc="left")
    _draw_scale(ax, layout.projection)
    if labels:
        _draw_labels(ax, layout)
    return ax


def _say(ax: Axes, text: str) -> None:
    ax.set_axis_off()
    lines = "\n".join(map(escaped, text.splitlines()))
    said = ax.text(0.5, 0.5, lines, transform=ax.transAxes, ha="center", va="center", wrap=True)
    said.set_parse_math(False)
    said.set_in_layout(False)  # a long line is broken, not made room for


def _notes(layout: Layout) -> str:
    notes = {
        "circle: 90 % radius of a position": any(point.radius_km > 0.0 for point in layout.points),
        "star: origin": layout.origin is not None,
        f"{layout.n_unlocated} without a position": layout.n_unlocated > 0,
    }
    marks = [f"{MARKS[mark]}: {said}" for mark, said in layout.mark_meanings().items()]
    # Short lines, for narrow figures.
    last = "; ".join(note for note, holds in notes.items() if holds)
    return "\n".join(filter(None, ["; ".join(marks[:2]), *marks[2:], last]))


def _draw_points(ax: Axes, layout: Layout) -> None:
    from matplotlib.patches import Ellipse

    projection = layout.projection
    spots = [projection.lon_lat(*spot) for spot in layout.spots]
    for point, spot in zip(layout.points, spots, strict=False):
        if point.radius_km > 0.0:
            width = 2 * projection.degrees_east(point.radius_km)
            height = 2 * projection.degrees_north(point.radius_km)
            doubt = Ellipse(spot, width, height, facecolor=_DOUBT, edgecolor=_POINT, lw=0.5)
            ax.add_patch(doubt)
    looks: dict[bool, dict[str, Any]] = {
        # Drawn first: a dot at the same position stands in the ring.
        True: {"s": 90, "facecolors": "white", "edgecolors": _POINT, "linewidths": 1.5},
        False: {"s": 25, "color": _POINT},
    }
    for is_unknown, look in looks.items():
        alike = [
            spot
            for point, spot in zip(layout.points, spots, strict=False)
            if point.is_unknown == is_unknown
        ]
        if alike:
            ax.scatter(*zip(*alike, strict=True), zorder=3, **look)
    if layout.origin is not None:
        ax.scatter(*spots[-1], s=90, marker="*", color=_ORIGIN, zorder=4, label="origin")


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


def _draw_labels(ax: Axes, layout: Layout) -> None:
    """Put each label at the first spot where it covers nothing; else its rank; else nothing."""
    from matplotlib.transforms import Bbox

    # The layout decides where on the screen a point is.
    ax.figure.canvas.figure.draw_without_rendering()
    frame = ax.get_window_extent()
    spots = [layout.projection.lon_lat(*point.spot) for point in layout.points]
    covered = []
    for point, spot in zip(layout.points, spots, strict=True):
        x, y = ax.transData.transform(spot)
        r = 6 if point.is_unknown else 4
        covered.append(Bbox.from_extents(x - r, y - r, x + r, y + r))
    for point, spot in zip(layout.points, spots, strict=True):
        named = f"{point.label} {point.name}".strip()
        short = named if len(named) <= _LONGEST_NAME else f"{named[: _LONGEST_NAME - 3]}..."
        for text in (short, point.label):
            if _fits(ax, text, spot, frame, covered):
                break


def _fits(ax: Axes, text: str, spot: Spot, frame: Bbox, covered: list[Bbox]) -> bool:
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


def _annotate(ax: Axes, text: str, spot: Spot, offset: Spot) -> Any:
    side = "left" if offset[0] > 0 else "right" if offset[0] < 0 else "center"
    return ax.annotate(
        escaped(text),
        spot,
        xytext=offset,
        textcoords="offset points",
        ha=side,
        va="center",
        size="small",
        parse_math=False,  # a dollar sign in a name is a dollar sign
        zorder=5,
    )

"""The nearest clinics of every row of a file, and the place of an address or of every one of a file."""

from __future__ import annotations

import io
import os
import sys
from argparse import Namespace
from collections import Counter
from typing import TYPE_CHECKING, Any

from ketafind.cli.commands import by_road, directory_of, geocoder_of, print_json, sought
from ketafind.errors import CoordinatesError, DataError, Fault, InvalidInputError
from ketafind.files import refuse_existing, regular_file, require, write_whole
from ketafind.shapes import label_of, translated
from ketafind.show.exports import csv_text
from ketafind.show.text import escaped

if TYPE_CHECKING:
    import pandas as pd

    from ketafind.geocoding import OfflineGeocoder, RegisterGeocoder
    from ketafind.records import Location

_PLACE_FIELDS = ("label", "lat", "lon", "precision", "radius_km", "match", "corrections", "source")

STREAM = "-"
"""Standard input or standard output, as CSV."""
AS_GIVEN = ("k", "lat", "lon", "address", "max_distance_km", "how", "shape", "prefix")
"""Options that are what `nearest_join` calls by the same name."""
USUAL = ("name", "city")
"""What is told of each clinic if nothing else is asked for, unless the file has such columns."""


def join(arguments: Namespace) -> None:
    """Write the nearest clinics of every row of a file."""
    from ketafind.join.join import nearest_join
    from ketafind.join.origins import Source

    _check_output(arguments)
    people = _read(arguments.file)
    radius = Source(arguments.lat, arguments.lon).radius_in(people)
    positions = [arguments.lat or "lat", arguments.lon or "lon", radius]
    positions = [] if arguments.address else positions
    numbers = {name: _numbers(people, name) for name in positions if name in people}
    usual = [name for name in USUAL if name not in people]
    try:
        joined = nearest_join(
            people.assign(**numbers),
            directory_of(arguments),
            columns=usual if arguments.columns is None else arguments.columns.split(","),
            check=not arguments.no_check,
            **{name: getattr(arguments, name) for name in AS_GIVEN},
            **by_road(arguments),
            **sought(arguments),
        )
    except CoordinatesError as error:
        raise CoordinatesError(*map(_counted_from_1, error.faults)) from None
    for name in numbers:  # as they were written
        joined[name] = people[name].loc[joined.index]
    _write(joined, arguments)
    reasons = [joined[name] for name in joined if name == f"{arguments.prefix}reason"]
    _say_rows(people, *reasons)


def _counted_from_1(fault: Fault) -> str:
    """Name a row as a file counts it, without its header."""
    return f"data row {(fault.row or 0) + 1}: {fault.message}"


def geocode(arguments: Namespace) -> None:
    """Print where a text is, or write where every address of a file is."""
    if arguments.input is None and str(arguments.text).lower().endswith((".csv", ".parquet")):
        arguments.text, arguments.input = None, arguments.text
    if (arguments.text is None) == (arguments.input is None):
        raise InvalidInputError("give a TEXT, or a file of addresses with --in")
    if arguments.input is not None:
        _geocode_rows(arguments)
        return
    place = _geocoder(arguments).geocode(arguments.text)
    if arguments.format == "json":
        print_json(_place_dict(place))
        return
    from ketafind.explain.sentences import Wording

    lang, words = arguments.lang, Wording(arguments.lang)
    precision, radius = words.say(f"precision.{place.precision}"), words.number(place.radius_km, 1)
    matched = words.headed("match", label_of("match", place.match, lang))
    for line in (
        words.headed(place.label, f"{place.lat:.5f}, {place.lon:.5f}"),
        words.say("place.within", precision=precision, radius=radius),
        *([] if place.match == "exact" else [matched]),
        *translated(place.corrections, lang),
        words.headed("source", place.source),
    ):
        print(escaped(line))


def _place_dict(place: Location) -> dict[str, Any]:
    plain = {name: getattr(place, name) for name in _PLACE_FIELDS}
    return plain | {"candidates": [_place_dict(other) for other in place.candidates]}


def _geocoder(arguments: Namespace) -> OfflineGeocoder | RegisterGeocoder:
    """Open the street register that the options name, or make the geocoder of their region."""
    from ketafind.geocoding import OfflineGeocoder, RegisterGeocoder

    if arguments.register is None:
        return geocoder_of(arguments) or OfflineGeocoder()
    if arguments.region is not None:
        raise InvalidInputError("a register reads addresses of Ontario: leave --region out")
    return RegisterGeocoder.open(arguments.register)


def _geocode_rows(arguments: Namespace) -> None:
    """Write where every address of a file is."""
    from ketafind.geocoding import geocode_frame

    _check_output(arguments)
    rows = _read(arguments.input)
    columns = arguments.address or ["address"]
    absent = [name for name in columns if name not in rows]
    if absent:
        raise InvalidInputError(
            f"{arguments.input}: there is no column {absent[0]!r}; say with --address, several "
            f"times for the parts, which hold the address; there are: {', '.join(map(str, rows))}"
        )
    placed = geocode_frame(rows, columns, _geocoder(arguments), prefix=arguments.prefix)
    _write(placed, arguments)
    _say_rows(rows, placed[f"{arguments.prefix}reason"])


def _say_rows(rows: pd.DataFrame, *reasons: pd.Series[Any]) -> None:
    """Say how many rows there were, and why some got no answer."""
    counts = Counter(reason for column in reasons for reason in column.dropna())
    unanswered = "; ".join(f"{why}: {n:,}" for why, n in counts.most_common())
    n = "1 row" if len(rows) == 1 else f"{len(rows):,} rows"
    print(escaped(f"{n}. {unanswered}".rstrip()), file=sys.stderr)


def _check_output(arguments: Namespace) -> None:
    """Refuse a file that cannot be written before anything is read."""
    path = arguments.out
    if path == STREAM:
        return
    _is_parquet(path)
    refuse_existing(path, overwrite=arguments.overwrite)


def _is_parquet(path: str) -> bool:
    ending = os.path.splitext(path)[1].lower()
    if ending not in (".csv", ".parquet"):
        raise InvalidInputError(
            f"{path}: a file here is .csv or .parquet, or - for a stream of CSV"
        )
    return ending == ".parquet"


def _read(path: str) -> pd.DataFrame:
    """Read a file; the cells of CSV stay the texts that they are."""
    import pandas as pd

    from ketafind.tables.csv import read_stream, read_table

    if path != STREAM and _is_parquet(path):
        require("pyarrow", "polars")
        regular_file(path)
        try:
            return pd.read_parquet(path)
        except (ValueError, NotImplementedError) as error:  # pyarrow's own are of these kinds
            why = str(error).partition("\n")[0]
            raise DataError(path, [Fault(f"it cannot be read as Parquet: {why}")]) from None
    table = read_stream(sys.stdin.buffer) if path == STREAM else read_table(path)
    table.report.refuse(table.n_rows)
    return pd.DataFrame(dict(zip(table.names, table.columns, strict=True)), dtype=object)


def _numbers(frame: pd.DataFrame, name: str) -> Any:
    """Read degrees out of texts; what is blank is missing."""
    import pandas as pd

    cells = frame[name]
    if cells.dtype != object:
        return cells
    numbers = pd.to_numeric(cells.replace("", None), errors="coerce")
    wrong = numbers.isna() & (cells.fillna("") != "")
    if wrong.any():
        # Without its digits: they may be where somebody lives.
        raise InvalidInputError(
            f'data row {int(wrong.argmax()) + 1}, column "{name}": not a number; write degrees with '
            "a point, or leave it blank"
        )
    return numbers


def _write(frame: pd.DataFrame, arguments: Namespace) -> None:
    path = arguments.out
    if path != STREAM and _is_parquet(path):
        require("pyarrow", "polars")
        buffer = io.BytesIO()
        frame.to_parquet(buffer, index=False)
        write_whole(path, [buffer.getbuffer()], overwrite=arguments.overwrite)
        return
    plain = frame.astype(object).where(frame.notna(), None)
    text = csv_text({str(name): plain[name].tolist() for name in plain})
    if path == STREAM:
        print(text, end="")
    else:
        write_whole(path, text, overwrite=arguments.overwrite)

"""CSV text and frames as columns of cells, every fault with its row and line."""

from __future__ import annotations

import io
import math
import os
import re
import stat
import unicodedata
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from decimal import Decimal
from numbers import Integral, Real
from typing import Any, BinaryIO, NamedTuple

from ketafind.errors import DataError, Fault, MissingFileError, UnknownTermError, packaged
from ketafind.files import in_memory, naming, path_text
from ketafind.records import text_fault
from ketafind.vocabulary.terms import quoted

MAX_FILE_BYTES = 512 * 1024 * 1024
"""The largest CSV file that is read; archives and compressed files are refused at any size."""

MAX_CELL_CHARACTERS = 100_000
"""The longest cell."""

MAX_COLUMNS = 1_000
"""The most columns."""

# More than any whole number that is an id.
MAX_WHOLE = 10**40


# What tables call provinces and columns.
WORDS = "tables/words.json"

# Possessive quantifiers never step back: the time stays linear on any text.
_CELL = re.compile(r'(?:"([^"]*+(?:""[^"]*+)*+)"|([^",]*+))(,|\Z)')
_STRAY = 'a stray quote in cell {}: put the whole cell in quotes and double the quote ("")'
_LINE_END = re.compile(rb"\r\n|\r|\n")


class Row(NamedTuple):
    """One row of a table and where it stands."""

    number: int
    line: int
    cells: Sequence[Any] = ()
    fault: str | None = None


def scan(text: str) -> Iterator[Row]:
    """Cut CSV text into rows by RFC 4180; lines may end in CRLF, LF or CR, mixed."""
    lines = list(io.StringIO(text, newline=""))
    at = number = 0
    while at < len(lines):
        number, start, at = number + 1, at, at + 1
        cells: Sequence[str] = lines[start].rstrip("\r\n").split(",")
        fault = None
        if '"' in lines[start]:
            cells, fault, end = _quoted_row(lines, start)
            at = at if fault else end
        if fault or len(cells) > 1 or cells[0].strip():
            yield Row(number, start + 1, cells, fault)


def _quoted_row(lines: Sequence[str], start: int) -> tuple[Sequence[str], str | None, int]:
    """Read a row that holds quotes: its cells, what is wrong, and the line after it."""
    n_quotes = 0
    for end in range(start, len(lines)):
        n_quotes += lines[end].count('"')
        if n_quotes % 2 == 0:
            record = "".join((*lines[start:end], lines[end].rstrip("\r\n")))
            return *_quoted_cells(record), end + 1
    before = "".join(lines[start:]).rpartition('"')[0]
    return (), _open_quote(before), len(lines)


def _open_quote(before: str) -> str:
    """Say what is wrong with the quote after this text, which no other quote follows."""
    cells, fault = _quoted_cells(before)
    if fault:
        return fault
    if before and not before.endswith(","):
        return _STRAY.format(len(cells))
    return (
        f"the quote that opens cell {len(cells) if before else 1} is never closed: close it, "
        'or double it ("") if it is text'
    )


def _quoted_cells(record: str) -> tuple[Sequence[str], str | None]:
    cells: list[str] = []
    position = 0
    while match := _CELL.match(record, position):
        quoted, plain, separator = match.groups()
        cells.append(plain if quoted is None else quoted.replace('""', '"'))
        position = match.end()
        if not separator:
            return cells, None
    return (), _STRAY.format(len(cells) + 1)


_VALUE_SHOWN = 200


class Report:
    """The faults of one table."""

    def __init__(self, source: str, header: Row | None = None) -> None:
        self.source = source
        self.header = header
        self.faults: list[Fault] = []

    def add(
        self, message: str, row: Row | None = None, column: str | None = None, value: Any = None
    ) -> None:
        """Note one fault."""
        number = None if row is None else row.number
        if row is not None and row.line != row.number:
            message = f"{message} (line {row.line} of the file)"
        long = isinstance(value, int) and abs(value) >= MAX_WHOLE
        cut = None if value is None else "a long number" if long else str(value)[:_VALUE_SHOWN]
        self.faults.append(Fault(message, number, column, cut))

    def head(self, message: str) -> None:
        """Note a fault of the header."""
        self.add(message, self.header)

    def refuse(self, n_rows: int | None = None) -> None:
        """Raise if anything was noted."""
        if self.faults:
            faults = sorted(self.faults, key=lambda fault: fault.row or 0)
            header = None if self.header is None else self.header.number
            raise DataError(self.source, faults, n_rows, header)


_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_BOM = b"\xef\xbb\xbf"
# Two characters or three that UTF-8 turns into when it is read as Windows-1252 and saved again.
_MOJIBAKE = re.compile(
    "[\u00c2-\u00c5][\u0080-\u00bf\u0152-\u0178\u2013-\u203a\u20ac]|\u00e2\u20ac.|\ufffd"
)


def _checked_text(raw: bytes, source: str) -> str:
    """Read text in UTF-8, with or without a byte order mark."""
    fault = _foreign(raw)
    if not fault and len(raw) > MAX_FILE_BYTES:
        fault = f"over {MAX_FILE_BYTES:,} bytes, the most that is read; split the file"
    if fault:
        raise DataError(source, [Fault(fault)])
    text = _decoded(raw.removeprefix(_BOM), source)
    odd = _MOJIBAKE.search(text) if not text.isascii() else None
    if odd:
        line = len(_LINE_END.findall(text[: odd.start()].encode())) + 1
        warnings.warn(
            f'{source}: "{odd.group()}" on line {line} looks like text that was once read in the '
            "wrong encoding; it is kept as it is. Look at the source",
            UserWarning,
            stacklevel=5,
        )
    return text


def _foreign(raw: bytes) -> str | None:
    if not raw.removeprefix(_BOM).strip():
        return "the file is empty; it needs a header row"
    for first, what in packaged(WORDS)["foreign"].items():
        if raw.startswith(first.encode("latin-1")):
            return f"this {what}"
    head = raw[:4096]
    if head.count(0) * 3 > len(head):
        return "this looks like UTF-16 without a byte order mark; save it as CSV in UTF-8"
    return None


def _decoded(raw: bytes, source: str) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        at = error.start
    line = len(_LINE_END.findall(raw[:at])) + 1
    letter = raw[at : at + 1].decode("cp1252", "ignore")
    cause = f' it looks like Windows-1252 ("{letter}"):' if letter else ""
    message = (
        f"byte 0x{raw[at]:02X} on line {line} is not UTF-8;{cause} save the file as CSV in UTF-8"
    )
    raise DataError(source, [Fault(message)])


Reader = Callable[[Any], Any]
# Reads texts together, which is faster; None where one by one must find the faults.
ColumnReader = Callable[[Sequence[str]], list[Any] | None]

_MISSING = frozenset({"NAType", "NaTType"})


# What a spreadsheet writes for a formula that failed, a column too narrow, or a long number.
_SPOILT = re.compile(
    r"^[ ]*(?:(#(?:N/A|REF!|NAME\?|VALUE!|DIV/0!|NUM!|NULL!|NOM\?|VALEUR!|NOMBRE!|NUL!)|\#{4,})"
    r"|[0-9](?:[.,][0-9]+)?E[+-][0-9]{2,3})[ ]*$",
    re.MULTILINE,
)


class CellError(ValueError):
    """What is wrong with a cell; the reader adds the row and the column."""


def read_cells(
    read: Reader, cells: Sequence[Any], together: ColumnReader | None = None
) -> list[Any]:
    """Read a column, each different text once; a cell that is wrong gives its `CellError`."""

    def value(cell: Any) -> Any:
        try:
            return read(cell if type(cell) is str else plain(cell))
        except (CellError, UnknownTermError) as error:
            return CellError(str(error))

    if together and set(map(type, cells)) == {str} and (values := together(cells)) is not None:
        return values
    known = {text: value(text) for text in {cell for cell in cells if type(cell) is str}}
    return [known[cell] if type(cell) is str else value(cell) for cell in cells]


def plain(cell: Any) -> Any:
    """Turn what a frame may hold into text, a number, a bool, a date or a tuple."""
    if isinstance(cell, str):
        return str(cell)
    if cell is None or type(cell).__name__ in _MISSING:
        return ""
    if isinstance(cell, (list, tuple, set, frozenset)):
        if any(isinstance(item, (list, tuple, set, frozenset)) for item in cell):
            raise CellError("a list inside a list cannot be read")
        items = sorted(cell, key=str) if isinstance(cell, (set, frozenset)) else cell
        return tuple(plain(item) for item in items)
    if hasattr(cell, "tolist"):
        return plain(cell.tolist())  # numpy's scalars and arrays, as Python's own
    return _plain_number_or_date(cell)


def _plain_number_or_date(cell: Any) -> Any:
    if isinstance(cell, bool):
        return cell
    if isinstance(cell, Integral):
        whole = int(cell)
        if abs(whole) >= MAX_WHOLE:
            raise CellError("a number of so many digits cannot be read; give text")
        return whole
    if isinstance(cell, (Real, Decimal)):
        number = math.nan if isinstance(cell, Decimal) and cell.is_nan() else float(cell)
        return "" if math.isnan(number) else number
    if isinstance(cell, datetime):
        if cell.time() != time():
            raise CellError("holds a time of day; give the date alone")
        return cell.date()
    if isinstance(cell, date):
        return cell
    name = type(cell).__name__
    raise CellError(f"a cell of type {name} cannot be read; give text, or drop the column")


def says_nothing(value: str) -> bool:
    """Tell whether a text says that nothing is known, such as ``N/A`` or ``inconnu``."""
    return value.strip().casefold() in packaged(WORDS)["nothing"]


def text(cell: Any) -> str:
    """Read plain text; the spaces around it do not count."""
    return identifier(cell).strip()


def texts(cells: Sequence[str]) -> list[str] | None:
    """Read a column of ids together; None where one holds what no text does."""
    together = "\n".join(cells)
    return None if text_fault(together) or _SPOILT.search(together) else list(cells)


def identifier(cell: Any) -> str:
    """Read an id: every character is kept, ``007`` stays ``007``."""
    if isinstance(cell, (bool, float, tuple)):
        kind = "list" if isinstance(cell, tuple) else type(cell).__name__
        raise CellError(f"is a {kind}, not text; read the column as text (dtype=str)")
    value = _checked(cell.isoformat() if isinstance(cell, date) else str(cell))
    if spoilt := _SPOILT.fullmatch(value):
        what = "is an error made" if spoilt[1] else "is a number cut short"
        raise CellError(
            f"{quoted(value)} {what} by a spreadsheet; give the text, or leave the cell blank"
        )
    return value


def extra(cell: Any) -> str:
    """Read a cell of a column that ketafind does not know, as text."""
    return _checked(";".join(map(str, cell)) if isinstance(cell, tuple) else str(cell))


def _checked(value: str) -> str:
    if fault := text_fault(value):
        raise CellError(fault)
    return value


# Letters of other scripts that look like Latin ones, and dashes.
_LOOK_ALIKE = str.maketrans(
    "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0458\u0455\u0410\u0412\u0415\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0425\u0406\u0408\u0405\u03bf\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a7\u2010\u2011\u2012\u2013\u2014\u2212",
    "aeopcyxijsABEKMHOPCTXIJSoABEZHIKMNOPTX------",
)


def match_key(value: str) -> str:
    """Reduce an id to what must be unique: as it looks, without invisible or outer characters."""
    if value.isascii() and value.isprintable():
        return value.strip()
    seen = (letter for letter in value if unicodedata.category(letter) not in {"Cf", "Cc"})
    return unicodedata.normalize("NFKC", "".join(seen)).translate(_LOOK_ALIKE).strip()


_JOINTS = re.compile(r"[\s_-]+")
_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "vertical bars"}


@dataclass(frozen=True, slots=True)
class Table:
    """Cells in named columns, and where each row stands."""

    names: tuple[str, ...]
    columns: Sequence[Sequence[Any]]
    numbers: Sequence[int]
    lines: Sequence[int]
    report: Report
    # Counts the rows that could not be cut into cells, too.
    n_rows: int

    def row(self, at: int) -> Row:
        """Say where a row stands."""
        return Row(self.numbers[at], self.lines[at])

    def without_blank_end(self) -> Table:
        """Leave out the rows at the end that hold nothing, and say how many there are."""
        last = n = len(self.numbers)
        while last and all(_is_blank(cells[last - 1]) for cells in self.columns):
            last -= 1
        if last == n:
            return self
        rows = "the last row holds" if n - last == 1 else f"the last {n - last} rows hold"
        message = f"{rows} nothing and {'is' if n - last == 1 else 'are'} skipped"
        warnings.warn(f"{self.report.source}: {message}", UserWarning, stacklevel=5)
        return replace(
            self,
            columns=[cells[:last] for cells in self.columns],
            numbers=self.numbers[:last],
            lines=self.lines[:last],
            n_rows=self.n_rows - (n - last),
        )

    def find_columns(
        self, meanings: Mapping[str, str], needed: Iterable[str], *, strict: bool = False
    ) -> dict[str, int]:
        """Find the column that each name means, or refuse the table: no row could be read."""
        n_before = len(self.report.faults)
        found: dict[str, int] = {}
        for at, given in enumerate(self.names):
            name = meanings.get(column_key(given))
            if name is None:
                continue
            if name in found:
                both = f"{quoted(self.names[found[name]])} and {quoted(given)}"
                self.report.head(f"the columns {both} mean the same; keep one")
            found[name] = at
        for name in needed:
            if name not in found:
                listed = ", ".join(map(quoted, self.names[:12])) or "none"
                words = packaged(WORDS)["columns"]
                likely = next((one for one in self.names if words.get(column_key(one)) == name), "")
                ask = f"rename {quoted(likely)} to it" if likely else "is there a header row"
                message = f'there is no column "{name}"; {ask}? Found: {listed}'
                self.report.head(message)
        for given in self.names if strict else ():
            if column_key(given) not in meanings:
                known = ", ".join(meanings)
                self.report.head(f"the column {quoted(given)} is not known; known: {known}")
        if len(self.report.faults) > n_before:
            self.report.refuse(self.n_rows)
        return found

    def read(self, at: int, read: Reader, together: ColumnReader | None = None) -> list[Any]:
        """Read the cells of a column; a wrong one is reported, and gives its `CellError`."""
        values = read_cells(read, self.columns[at], together)
        if CellError in set(map(type, values)):
            for row, value in enumerate(values):
                if type(value) is CellError:
                    cell = self.columns[at][row]
                    self.report.add(str(value), self.row(row), self.names[at], cell)
        return values


def column_key(name: str) -> str:
    """Reduce a column name to what is compared."""
    return _JOINTS.sub("_", name.strip().lower())


def read_table(path: str | os.PathLike[str]) -> Table:
    """Read a CSV file with a header into a table."""
    name = path_text(path)
    if _URL.match(name):
        raise DataError(name, [Fault("this is a URL; download the file and give its path")])
    if not os.path.exists(name):
        raise MissingFileError(f"{name}: there is no such file")
    found = os.stat(name)
    if not stat.S_ISREG(found.st_mode):
        kind = "a folder" if stat.S_ISDIR(found.st_mode) else "a pipe, a socket or a device"
        raise DataError(name, [Fault(f"this is {kind}; give the path of a regular file")])
    with naming(name), open(name, "rb") as file:
        # One byte more than is allowed tells a file that grew meanwhile.
        raw = file.read(MAX_FILE_BYTES + 1)
    return _table(raw, os.path.basename(name))


def read_stream(stream: BinaryIO) -> Table:
    """Read CSV with a header from a stream that is not a file, such as standard input."""
    return _table(stream.read(MAX_FILE_BYTES + 1), "standard input")


def _table(raw: bytes, source: str) -> Table:
    rows = scan(_checked_text(raw, source))
    header = next(rows, None)
    if header is None:
        raise DataError(source, [Fault("the file is empty; it needs a header row")])
    report = Report(source, header)
    if header.fault:
        report.head(header.fault)
        report.refuse()
    if "clinic_id" not in _meant(header):
        below = list(rows)
        _check_title(below, report)
        rows = iter(below)
    if len(header.cells) == 1:
        _check_separator(header.cells[0], report)
    names = header_names(header.cells, report)
    if report.faults:
        report.refuse(sum(1 for _ in rows))
    # One flat list: a list a row would keep the garbage collector busy.
    cells: list[str] = []
    numbers, lines, n_bad = [], [], 0
    for row in rows:
        if len(row.cells) == len(names):
            cells += row.cells
            numbers.append(row.number)
            lines.append(row.line)
        else:
            n_bad += 1
            report.add(row.fault or _count_fault(row.cells, len(names)), row)
    columns = [cells[at :: len(names)] for at in range(len(names))]
    table = Table(names, columns, numbers, lines, report, len(lines) + n_bad)
    if max(map(len, cells), default=0) > MAX_CELL_CHARACTERS:
        for at in range(len(names)):
            table.read(at, _check_length)
    return table


def _meant(row: Row) -> set[str]:
    words = packaged(WORDS)["columns"]
    return {words.get(key, key) for key in map(column_key, row.cells)}


def _check_title(rows: Sequence[Row], report: Report) -> None:
    """Refuse a table whose header stands below a title."""
    for row in rows[:20]:
        meant = _meant(row)
        if "clinic_id" in meant and not meant.isdisjoint(("name", "facet")):
            report.head(f"row {row.number} looks like the header; remove the rows above it")
            report.refuse(len(rows))


def _check_length(cell: str) -> None:
    if len(cell) > MAX_CELL_CHARACTERS:
        raise CellError(f"holds {len(cell):,} characters; at most {MAX_CELL_CHARACTERS:,} are read")


def _check_separator(line: str, report: Report) -> None:
    for separator, name in _SEPARATORS.items():
        if separator in line:
            report.head(f"the columns are separated by {name}; save the file with commas")
            report.refuse()


def header_names(cells: Iterable[object], report: Report) -> tuple[str, ...]:
    """Read the names of the columns."""
    names = ["" if cell is None else str(cell).strip() for cell in cells]
    if len(names) > MAX_COLUMNS:
        report.head(f"has {len(names):,} columns; at most {MAX_COLUMNS:,} are read")
        return ()
    seen: dict[str, int] = {}
    for at, name in enumerate(names, 1):
        if not name:
            report.head(f"column {at} of {len(names)} has no name; name it or remove it")
        elif fault := _strange(name):
            report.head(f"the column name {quoted(name)} {fault}")
        elif name in seen:
            message = f"columns {seen[name]} and {at} are both called {quoted(name)}; rename one"
            report.head(message)
        seen.setdefault(name, at)
    return tuple(names)


def _strange(name: str) -> str | None:
    for letter in name:
        if letter == "\ufeff":
            return "holds a byte order mark (U+FEFF): the file was encoded twice; remove it"
        if unicodedata.category(letter) in {"Cc", "Cf", "Cs"}:
            return f"holds the invisible character U+{ord(letter):04X}; remove it"
    return None


def _count_fault(cells: Sequence[str], expected: int) -> str:
    n = len(cells)
    fault = f"has {n} cell{'s' if n != 1 else ''} where the header has {expected}; "
    if n < expected:
        return fault + "add the missing commas, or close a quote"
    if not any(cell.strip() for cell in cells[expected:]):
        return fault + "remove the commas at the end"
    return fault + "a text that holds a comma needs quotes around it"


def _is_blank(cell: Any) -> bool:
    if isinstance(cell, str):
        return not cell.strip()
    if cell is None or type(cell).__name__ in _MISSING:
        return True
    return cell.is_nan() if isinstance(cell, Decimal) else bool(cell != cell)  # noqa: PLR0124


_FRAME = "frame (rows counted from 0, as iloc does)"


def table_of_frame(frame: Any) -> Table:
    """Read a data frame into a table; the points of a GeoDataFrame as lat and lon."""
    import narwhals.stable.v2 as nw

    frame = _without_geometry(in_memory(frame))
    _check_frame(frame)
    try:
        eager = nw.from_native(frame, eager_only=True)
    except TypeError:
        kind = type(frame).__name__
        # Spark's collect() gives rows, Dask's own call gives a frame.
        calls = [call for call in ("toArrow", "compute") if hasattr(frame, call)][:1]
        message = f"{kind} is not a data frame; give a pandas, polars or pyarrow frame"
        lazy = "".join(f"{kind} is not in memory; call {call}() on it first" for call in calls)
        raise DataError("frame", [Fault(lazy or message)]) from None
    report = Report(_FRAME)
    names = header_names(eager.columns, report)
    report.refuse()
    columns = [eager[name].to_list() for name in eager.columns]
    return Table(names, columns, range(len(eager)), range(len(eager)), report, len(eager))


def _without_geometry(frame: Any) -> Any:
    """A frame of GeoPandas as a plain one: its points are lat and lon, unless it has these."""
    if not hasattr(frame, "geom_type") or not hasattr(frame, "to_crs"):
        return frame
    points, plain = frame.geometry, frame.drop(columns=frame.geometry.name)
    if {"lat", "lon"}.issubset(frame.columns):
        return plain
    name, kinds = points.name, points.geom_type
    if points.crs is None:
        crs = Fault(f"the geometry {name!r} has no CRS; call set_crs() first")
        raise DataError(_FRAME, [crs])
    others = kinds.notna() & (kinds != "Point")
    if others.any():
        at = int(others.to_numpy().argmax())
        kind = f"a point is needed, not a {kinds.iloc[at]}"
        fault = Fault(f"{kind}; take representative_point() or centroid first", at, name)
        raise DataError(_FRAME, [fault])
    degrees = points.to_crs("EPSG:4326")
    known = ~(degrees.isna() | degrees.is_empty)
    # The axes of a geometry are always (lon, lat).
    return plain.assign(lat=degrees[known].y, lon=degrees[known].x)


def _check_frame(frame: Any) -> None:
    """Refuse what narwhals would trip over."""
    # pyarrow's .columns are the data.
    names = getattr(frame, "column_names", None) or getattr(frame, "columns", None)
    listed = [] if names is None else list(names)
    odd = [name for name in listed if not isinstance(name, str)]
    if odd:
        message = f"the column name {odd[0]!r} is not text; name the columns in text"
        raise DataError(_FRAME, [Fault(message)])
    faults = [
        Fault(f"{n} columns are called {name!r}; rename or drop")
        for name, n in sorted(Counter(listed).items())
        if n > 1
    ]
    if faults:
        raise DataError(_FRAME, faults)

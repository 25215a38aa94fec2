"""The CSV scanner agrees with the standard library where that is strict, and loses no row."""

import csv
import io

from hypothesis import given
from hypothesis import strategies as st

from ketafind.tables.csv import scan
from strategies import examples

texts = st.text(alphabet='ab,"\r\n\u2028\u00e9 ', max_size=60)
cells = st.text(alphabet='ab,;"\r\n\u2028\x0c\u00e9 ', max_size=8)


def by_stdlib(text):
    return list(csv.reader(io.StringIO(text, newline=""), strict=True))


@examples(7.5)
@given(texts)
def test_an_accepted_text_has_the_rows_of_the_standard_library(text):
    """Blank lines are left out on both sides; what we refuse, we refuse with a reason."""
    rows = list(scan(text))
    if any(row.fault for row in rows):
        assert '"' in text
        return
    expected = [row for row in by_stdlib(text) if len(row) > 1 or "".join(row).strip()]
    assert [list(row.cells) for row in rows] == expected


@examples(2.5)
@given(
    st.lists(st.lists(cells, min_size=2, max_size=4), max_size=6),
    st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_what_the_standard_library_writes_is_read_back(rows, end):
    """Every quoted form comes back as it was, and rows are numbered without a gap."""
    buffer = io.StringIO(newline="")
    csv.writer(buffer, quoting=csv.QUOTE_ALL, lineterminator=end).writerows(rows)
    read = list(scan(buffer.getvalue()))
    assert [list(row.cells) for row in read] == rows
    assert [row.number for row in read] == list(range(1, len(rows) + 1))


@given(texts)
def test_every_line_that_is_not_blank_is_in_some_row(text):
    """The letters of the text are found in the cells, or the row has a fault."""
    rows = list(scan(text))
    if not any(row.fault for row in rows):
        assert sum("".join(row.cells).count("a") for row in rows) == text.count("a")


def test_the_line_and_the_number_of_a_row_are_told_apart():
    """A cell with a line break makes the line run ahead of the row; a blank line counts in both."""
    rows = list(scan('h,i\r\n"a\nb",c\r\rd,e\n\nf,g'))
    assert [(row.number, row.line, list(row.cells)) for row in rows] == [
        (1, 1, ["h", "i"]),
        (2, 2, ["a\nb", "c"]),
        (4, 5, ["d", "e"]),
        (6, 7, ["f", "g"]),
    ]


def test_a_stray_quote_costs_only_its_own_row():
    """The rows below are still read, and the fault names the cell."""
    rows = list(scan('h,i\na,5" pipe\nb,c\n"x"y,d\ne,f\n'))
    assert [row.number for row in rows if row.fault] == [2, 4]
    assert "cell 2" in rows[1].fault
    assert list(rows[4].cells) == ["e", "f"]


def test_an_unclosed_quote_is_reported_where_it_opened():
    """The rest of the file is read line by line."""
    rows = list(scan('h,i\na,b\nc,"d\ne,f\n'))
    assert "quote that opens cell 2 is never closed" in rows[2].fault
    assert list(rows[3].cells) == ["e", "f"]

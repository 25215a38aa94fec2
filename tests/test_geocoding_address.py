"""The address parser: English and French forms, misspelt towns, hostile text."""

from __future__ import annotations

import contextlib
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ketafind.errors import GeocodingError, PlaceNotFoundError
from ketafind.geocoding import Address, geocode, parse_address
from ketafind.geocoding.lexicon import find_codes, fold, street_key, whole_code, words_of
from ketafind.geocoding.locations import typed_coordinates
from strategies import examples


def fields(text: str) -> tuple[str, str, str, str, str]:
    a = parse_address(text)
    return a.unit, a.number, a.street, a.city, a.postal_code


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "30 Duncan St Suite 400, Toronto ON M5V 2C3",
            ("400", "30", "Duncan St", "Toronto", "M5V 2C3"),
        ),
        ("200-30 Duncan St, Toronto ON", ("200", "30", "Duncan St", "Toronto", "")),
        ("#5, 30 Duncan Street, Toronto", ("5", "30", "Duncan Street", "Toronto", "")),
        ("30 Duncan St #5 Toronto", ("5", "30", "Duncan St", "Toronto", "")),
        (
            "207 av. Bayswater bureau 300 Ottawa ON K1Y 2G5",
            ("300", "207", "av. Bayswater", "Ottawa", "K1Y 2G5"),
        ),
        ("30, rue Principale O, Orléans ON", ("", "30", "rue Principale O", "Orléans", "")),
        (
            "2802 boul. St-Joseph, Orléans ON K1C 1G5",
            ("", "2802", "boul. St-Joseph", "Orléans", "K1C 1G5"),
        ),
        ("12 King St E, 7th Floor, Hamilton", ("7th", "12", "King St E", "Hamilton", "")),
        ("12345 Hwy 11 N, North Bay ON", ("", "12345", "Hwy 11 N", "North Bay", "")),
        ("1764 County Rd #10, Picton ON", ("", "1764", "County Rd #10", "Picton", "")),
        ("555 15th St E, Owen Sound, ON", ("", "555", "15th St E", "Owen Sound", "")),
        ("10670 yonge street richmond hill on", ("", "10670", "yonge street", "richmond hill", "")),
        ("18 Stanley Street, Brrie, ON", ("", "18", "Stanley Street", "Barrie", "")),
        ("12 Main Street Shanty Bay ON", ("", "12", "Main Street", "Shanty Bay", "")),
        ("12 Main Street E Shanty Bay ON", ("", "12", "Main Street E", "Shanty Bay", "")),
        ("Barrie, 5-30", ("5", "30", "", "Barrie", "")),
        ("15th St E", ("", "", "15th St E", "", "")),
        ("12 Main Street E Nowhereville", ("", "12", "Main Street E", "Nowhereville", "")),
        ("2nd Ave, Owen Sound ON", ("", "", "2nd Ave", "Owen Sound", "")),
        ("1764 Lake Rd #10, Picton ON", ("10", "1764", "Lake Rd", "Picton", "")),
        ("12 King St, Hamilton ON, 7th Floor", ("7th", "12", "King St", "Hamilton", "")),
        ("101 Danforth Ave, Toronto ON, 305", ("", "101", "Danforth Ave", "Toronto", "")),
        ("Sarnia EC1A 1BB", ("", "", "", "Sarnia", "")),
        ("Main Clinic, 5 York Rd, Guelph ON", ("", "5", "York Rd", "Guelph", "")),
        ("101 Danforth Ave Toronto ON, Unit 3", ("3", "101", "Danforth Ave", "Toronto", "")),
        ("30 King St Toronto Onatrio", ("", "30", "King St", "Toronto", "")),
        ("30 King St, Barrie ON 705-555-1212", ("", "30", "King St", "Barrie", "")),
        ("30 King St, Barrie ON L4N3", ("", "30", "King St", "Barrie", "")),
        ("123 1/2 Main St, Guelph ON", ("", "123 1/2", "Main St", "Guelph", "")),
        ("Unit 4, 123½ Main St, Guelph ON", ("4", "123 1/2", "Main St", "Guelph", "")),
        ("123-1/2 Main St, Guelph ON", ("", "123-1/2", "Main St", "Guelph", "")),
        ("10 Elm Rd Kitchener-Waterloo", ("", "10", "Elm Rd", "Kitchener-Waterloo", "")),
        ("5 Queen Niagara-on-the-Lake ON", ("", "5", "Queen", "Niagara-on-the-Lake", "")),
        ("5 Main St Saint-Charles, ON", ("", "5", "Main St", "Saint-Charles", "")),
        ("5 Main St, Papineau-Cameron", ("", "5", "Main St", "Papineau-Cameron", "")),
        ("12 D'Arcy St, L'Orignal", ("", "12", "D'Arcy St", "L'Orignal", "")),
        (
            "5 rue de l’Église, Alfred et Plantagenet",
            ("", "5", "rue de l’Église", "Alfred et Plantagenet", ""),
        ),
        ("12 King St & Queen St, Barrie", ("", "12", "King St & Queen St", "Barrie", "")),
    ],
)
def test_an_address_is_taken_apart(text: str, expected: tuple[str, ...]) -> None:
    assert fields(text) == expected


@pytest.mark.parametrize(
    ("text", "city", "province"),
    [
        ("12 King St, Montreal, QC", "Montreal", "QC"),
        ("12 King St Vancouver BC V6B 1A1", "Vancouver", "BC"),
        ("1 Rue Main, Gatineau (Québec) J8X 1A1", "Gatineau", "QC"),
        ("1 Yonge St, Winnipeg, Manitoba, Canada", "Winnipeg", "MB"),
        ("Calgary, Alberta", "Calgary", "AB"),
        ("12 Main St, H3Z 2Y7", "", "QC"),
        ("7 Main St, Buffalo, NY 14201", "Buffalo", ""),
        ("12 King St., London, England", "London", ""),
        ("12 King St, Guelph N1H 9Z9", "Guelph", "ON"),
    ],
)
def test_another_province_is_no_part_of_the_town(text: str, city: str, province: str) -> None:
    address = parse_address(text)
    assert (address.city, address.province) == (city, province)


def test_boxes_and_rural_routes_have_fields_of_their_own() -> None:
    assert parse_address("PO Box 55, 12 Main St, Perth ON").box == "55"
    assert parse_address("12 Main St, C.P. 55, Perth ON").box == "55"
    rural = parse_address("R.R. #3, 1824 Concession Drive, Newbury ON N0L 1Z0")
    assert (rural.route, rural.number, rural.street) == ("3", "1824", "Concession Drive")
    assert parse_address("RR 2, Sunderland ON L0C 1H0").route == "2"


def test_a_building_s_name_and_the_corrections_are_kept() -> None:
    address = parse_address(
        "Wellness Centre: 279 King St, Kingson ON KTL 3N6".replace("KTL", "K7L")
    )
    assert address.name == "Wellness Centre"
    assert address.city == "Kingston"
    assert "Kingson was read as Kingston" in address.corrections


def test_york_and_east_york_are_told_apart_by_the_postal_code() -> None:
    assert parse_address("100 King St East York ON M6M 1A1").city == "York"
    assert parse_address("100 Cosburn Ave East York ON M4K 2G1").city == "East York"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("dundas street west", "dundas st w"),
        ("rue dundas ouest", "dundas street west"),
        ("chemin de montreal", "montreal road"),
        ("saint clair avenue east", "st clair ave e"),
    ],
)
def test_two_spellings_of_a_street_have_one_key(one: str, other: str) -> None:
    assert street_key(one.split()) == street_key(other.split())


@given(st.text(alphabet=string.printable + "éÉœ½ﬁ’#–，\u2028\u0301", max_size=120))
@examples(1.5)
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        address = parse_address(text)
    except PlaceNotFoundError:
        return
    assert isinstance(address, Address)


@given(
    st.sampled_from(["A1A1A1", "O0", "(-#", "12-", "rue ", "é", ", ", "unit "]), st.integers(1, 900)
)
@examples(0.3)
def test_repeated_pieces_are_answered_or_refused(piece: str, times: int) -> None:
    text = (piece * times)[:1000]
    with contextlib.suppress(GeocodingError):
        parse_address(text)
        geocode(text)


@given(st.text(max_size=40))
def test_folding_twice_is_folding_once(text: str) -> None:
    assert fold(fold(text)) == fold(text)


def test_composed_and_decomposed_accents_are_one_name() -> None:
    assert words_of("Orléans") == words_of("Orle\u0301ans") == words_of("ORLEANS")
    assert geocode("Orle\u0301ans") == geocode("Orléans")


def test_no_word_of_a_text_without_a_code_is_read_as_one() -> None:
    for text in ("plains road", "bosses 123456", "suite 1b2 king", "a1a main b2b", "il5 ois"):
        words, _ = words_of(text)
        assert not [match for match in find_codes(words) if match.number >= 0], text


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("-76.4860, 44.2312", "swapped"),
        ("44.2312, 76.4860", "minus sign"),
        ("76.4860, 44.2312", "swapped"),
        ("44.2, -76.5", "cut short"),
        ("51.5074, -0.1278", "not in Ontario"),
        ("79 22 48.1, 43 39 12.5", "swapped"),
        ("44°13'52\"N", "no pair"),
        ("43,6 -79,3", "cut short"),
    ],
)
def test_coordinates_typed_wrongly_are_refused_with_the_cause(text: str, cause: str) -> None:
    with pytest.raises(PlaceNotFoundError, match=cause) as caught:
        geocode(text)
    assert "2312" not in str(caught.value).replace("'44.2312, -76.4860'", "")


def test_coordinates_typed_right_are_taken_as_given() -> None:
    located = typed_coordinates("44.2312, -76.4860")
    assert located is not None
    assert (located.lat, located.lon, located.match) == (44.2312, -76.486, "given")
    assert located.radius_km == pytest.approx(0.0079)
    assert typed_coordinates("12 King St") is None


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("Totonto, ON", "Toronto"),
        ("N Bay, ON", "North Bay"),
        ("Nort York, ON", "North York"),
        ("Owen Suond", "Owen Sound"),
        ("356 Birmingham Street E, Mout Forest, ON N0G 2L2", "Mount Forest"),
    ],
)
def test_a_misspelt_town_is_found_and_the_reading_reported(typed: str, meant: str) -> None:
    located = geocode(typed)
    assert meant in located.label


def test_a_compass_point_is_never_a_slip() -> None:
    assert "North" not in geocode("South Glengarry").label
    with pytest.raises(GeocodingError):
        geocode("West Bay Ridge of Nowhere")


def test_a_town_that_may_be_one_of_several_stays_as_written() -> None:
    address = parse_address("12 Main St, Tecumseth ON")
    assert (address.city, address.corrections) == ("Tecumseth", ())


@pytest.mark.parametrize("word", ["west", "e", "street", "rue", "st"])
def test_a_street_of_one_word_has_that_name(word: str) -> None:
    assert street_key([word]) == (word, "", "")


def test_words_of_a_code_are_found_where_they_stand() -> None:
    number = whole_code("K7L 3N6")
    assert number == whole_code("k7l-3n6") == whole_code("K7L3N6") >= 0
    assert whole_code("K7L  3N6") == whole_code("K7L3N") == whole_code("K7L3 N6") == -1
    for words, start, stop in (
        (["k7l", "3n6"], 0, 2), (["k7l3n6"], 0, 1), (["a", "k7l", "3n6", "b"], 1, 3),
        (["a", "k7l3n6", "b"], 1, 2),
    ):  # fmt: skip
        (found,) = find_codes(words)
        assert (found.number, found.start, found.stop) == (number, start, stop)
    (first,) = find_codes(["a0a", "0a0"])
    assert first.number == whole_code("A0A 0A0") == 0
    (mended,) = find_codes(["a", "m5v", "2co", "b"]) or find_codes(["a", "msv", "2c3", "b"])
    assert (mended.start, mended.stop) == (1, 3)

"""How an origin is read: by the directory's own geocoder, said by the answer and nothing else."""

from __future__ import annotations

import json
import pickle

import pytest
import shapely

import ketafind as kf
from ketafind.errors import (
    AmbiguousPlaceError,
    GeocoderBusyError,
    GeocodingError,
    InvalidInputError,
    OutsideCoverageError,
    PlaceNotFoundError,
)
from ketafind.geocoding import ChainGeocoder, SearchPlace

VANCOUVER = kf.Location(lat=49.28, lon=-123.12)
CLINICS = [kf.Clinic(clinic_id="v", name="V", location=VANCOUVER)]
CANADA = kf.OfflineGeocoder(region="CA")


class Spy:
    """A geocoder that notes what it is asked; what it answers is near Vancouver."""

    def __init__(self, *, offline: bool | None = None, error: Exception | None = None) -> None:
        self.asked: list[object] = []
        self.error = error
        if offline is not None:
            self.works_offline = offline

    def geocode(self, text: str) -> kf.Location:
        self.asked.append(text)
        if self.error is not None:
            raise self.error
        return kf.Location(lat=49.2, lon=-123.0, radius_km=1.0, label="Canary House")


class Online(Spy):
    """A geocoder that knows a searcher's place, as those that ask a service do."""

    def geocode(self, text: str | SearchPlace, *, allow_egress: bool = False) -> kf.Location:
        assert isinstance(text, str) or allow_egress
        return super().geocode(text)


# What the answer says.


def test_an_answer_says_how_its_text_was_read():
    origin = kf.load_directory().nearest("Kingstn, ON", 2).origin
    assert (origin.label, origin.match) == ("Kingston, ON", "fuzzy")
    assert origin.corrections == ("kingstn was read as Kingston",)
    assert origin == kf.geocode("Kingstn, ON")
    assert kf.load_directory().within("Kingstn, ON", 50).origin == origin


@pytest.mark.parametrize(
    "given",
    [kf.Coordinates(lat=44.2, lon=-76.5), shapely.Point(-76.5, 44.2)],
    ids=["Coordinates", "Point"],
)
def test_coordinates_are_an_origin_as_given(given):
    origin = kf.load_directory().nearest(given, 2).origin
    assert origin == kf.Location(lat=44.2, lon=-76.5, match="given")


def test_a_location_is_its_own_reading_and_a_search_has_none():
    place = kf.geocode("K7L 3N6")
    directory = kf.load_directory()
    near = directory.nearest(place, 3)
    assert near.origin is place
    assert near[:1].origin is near.more(2).origin is place
    assert directory.search().origin is None
    assert directory.inside(shapely.box(-80, 43, -79, 44)).origin is None


def test_nothing_but_the_origin_itself_shows_how_it_was_read():
    directory = kf.Directory.from_clinics(CLINICS, geocoder=Spy(offline=True))
    near = directory.nearest("somewhere", 1)
    assert near.origin.label == "Canary House"
    shown = [repr(near), near._repr_html_(), repr(near[0]), str(near.explain()), repr(directory)]
    shown += [json.dumps(near.to_dict()), json.dumps(near.to_geojson()), near.to_frame().to_csv()]
    shown += [json.dumps(near.explain().to_dict()), json.dumps(near.to_fhir())]
    assert "Canary" not in "".join(shown)
    assert "49.2," not in "".join(shown)


# Who reads it.


@pytest.mark.parametrize("make", ["from_clinics", "from_frame", "from_csv", "open"])
def test_a_directory_reads_origins_with_its_own_geocoder(make, tmp_path):
    path = tmp_path / "clinics.csv"
    path.write_text("clinic_id,name,lat,lon\nv,V,49.28,-123.12\n")
    spy = Spy(offline=True)
    if make == "from_clinics":
        directory = kf.Directory.from_clinics(CLINICS, geocoder=spy)
    elif make == "from_frame":
        pandas = pytest.importorskip("pandas")
        directory = kf.Directory.from_frame(pandas.read_csv(path), geocoder=spy)
    elif make == "from_csv":
        directory = kf.Directory.from_csv(path, geocoder=spy)
    else:
        kf.Directory.from_clinics(CLINICS).save(tmp_path / "a.ketafind")
        directory = kf.Directory.open(tmp_path / "a.ketafind", geocoder=spy)
    for one in (directory, directory.with_clinics(removed=[]), directory.as_of("2026-01-01")):
        assert one.nearest("here", 1).origin.label == "Canary House"
    assert spy.asked == ["here"] * 3


def test_a_new_clinic_is_placed_by_the_geocoder_of_its_directory():
    directory = kf.Directory.from_clinics(CLINICS, geocoder=CANADA)
    added = kf.Clinic(clinic_id="k", name="K", city="Kelowna", province="BC")
    assert directory.with_clinics([added])["k"].location.label == "Kelowna, British Columbia"


def test_a_copy_in_another_process_has_the_geocoder_too(tmp_path):
    directory = kf.Directory.from_clinics(CLINICS, geocoder=CANADA)
    assert pickle.loads(pickle.dumps(directory))._geocoder.region == "CA"
    directory.save(tmp_path / "a.ketafind")
    assert pickle.loads(pickle.dumps(directory))._geocoder.region == "CA"


def test_the_bundled_clinics_are_found_from_another_province_too():
    directory = kf.load_directory(geocoder=CANADA)
    assert directory.nearest("Montreal", 1).origin.label == "Montreal, Quebec"
    assert directory.snapshot == kf.load_directory().snapshot
    later = kf.load_directory("2028-01-01", geocoder=CANADA)
    assert later.nearest("Montreal", 1, unknown="include").origin.label == "Montreal, Quebec"
    assert kf.load_directory() is kf.load_directory()
    with pytest.raises(InvalidInputError, match="works offline"):
        kf.load_directory(geocoder=Spy())


@pytest.mark.parametrize("kind", [Spy, Online])
def test_a_geocoder_that_may_ask_a_network_sees_no_origin_unless_the_call_says_so(kind):
    online = kind()
    town = kf.Clinic(clinic_id="a", name="A", city="Anywhere")
    directory = kf.Directory.from_clinics([*CLINICS, town], geocoder=online)
    assert online.asked == ["Anywhere"]
    assert directory.nearest("Vancouver", 1).origin.label == "Vancouver, British Columbia"
    chain = kf.Directory.from_clinics(CLINICS, geocoder=ChainGeocoder([CANADA, online]))
    chain.nearest("Victoria", 1)
    assert online.asked == ["Anywhere"]
    assert directory.nearest("my house", 1, geocoder=online).origin.label == "Canary House"
    assert directory.within("my house", 900, geocoder=online).origin.label == "Canary House"
    # One that knows a searcher's place is told that it is one, so that its cache forgets it.
    wanted = "my house" if kind is Spy else SearchPlace("my house")
    assert online.asked[1:] == [wanted] * 2
    assert directory.nearest("Vancouver", 1).origin.label == "Vancouver, British Columbia"


def test_a_chain_works_offline_where_all_its_geocoders_do():
    assert ChainGeocoder([CANADA, kf.OfflineGeocoder()]).works_offline
    assert not ChainGeocoder([CANADA, Spy()]).works_offline
    assert not ChainGeocoder([CANADA, Spy(offline=False)]).works_offline


def test_a_file_is_not_opened_with_a_geocoder_that_may_ask_a_network(tmp_path):
    kf.Directory.from_clinics(CLINICS).save(tmp_path / "a.ketafind")
    for wrong, what in ((Spy(), "works offline"), (object(), "a geocoder has a method")):
        with pytest.raises(InvalidInputError, match=what):
            kf.Directory.open(tmp_path / "a.ketafind", geocoder=wrong)
    with pytest.raises(InvalidInputError, match="a geocoder has a method"):
        kf.load_directory().nearest("Kingston", geocoder=object())


def test_origins_of_a_directory_outside_ontario_are_read_for_all_of_canada():
    directory = kf.Directory.from_clinics(CLINICS)
    assert directory.nearest("Victoria", 1).origin.label == "Victoria, British Columbia"
    assert len(directory.nearest("V6B 1A1", 1)) == 1
    with pytest.raises(OutsideCoverageError, match='region="CA"'):
        kf.load_directory().nearest("Vancouver")
    ontario = kf.Clinic(clinic_id="o", name="O", location=kf.geocode("Kingston"))
    with pytest.raises(OutsideCoverageError):
        kf.Directory.from_clinics([*CLINICS, ontario]).nearest("Vancouver")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (PlaceNotFoundError("12 Canary St is unknown"), "does not know it"),
        (AmbiguousPlaceError("Canary", [VANCOUVER]), "several places"),
        (GeocoderBusyError("Canary", 30.0), "could not answer"),
    ],
)
def test_an_error_of_a_geocoder_does_not_show_the_origin(error, said):
    directory = kf.load_directory()
    with pytest.raises(type(error), match=said) as caught:
        directory.nearest("12 Canary St", geocoder=Spy(error=error))
    assert "Canary" not in f"{caught.value} {caught.value.__context__} {caught.value.__cause__}"
    assert caught.value.candidates == error.candidates
    assert caught.value.retry_after_s == error.retry_after_s
    assert isinstance(caught.value, GeocodingError)


def test_all_of_canada_is_not_advised_where_it_is_read_already():
    canada = kf.OfflineGeocoder(region="CA")
    for place in ("Lyon, France", "Boston"):
        with pytest.raises(OutsideCoverageError, match=r"give Coordinates$") as caught:
            kf.Directory.from_clinics(CLINICS, geocoder=canada).nearest(place)
        assert caught.value.text("fr").endswith("hors de la région couverte; donnez Coordinates")
    with pytest.raises(PlaceNotFoundError, match="or Canadian place was recognised") as caught:
        canada.geocode("Nowhereville")
    assert "lieu du Canada" in caught.value.text("fr")


def test_a_geocoder_of_ones_own_is_not_answered_for_with_towns_of_canada():
    class Towns:
        works_offline = True

        def geocode(self, text: str) -> kf.Location:
            raise kf.errors.PlaceNotFoundError(f"{text} is not here")

    with pytest.raises(kf.errors.PlaceNotFoundError) as raised:
        kf.load_directory(geocoder=Towns()).nearest("Lisboa")
    said = str(raised.value)
    assert said.endswith("the geocoder that was asked does not know it; give Coordinates")
    assert "trouvé" in raised.value.text("fr")


@pytest.mark.parametrize("ask", ["nearest", "within"])
def test_a_latitude_and_a_longitude_given_as_two_numbers_are_refused_without_a_digit(ask):
    with pytest.raises(InvalidInputError, match=r"not float; write ketafind\.Coord") as caught:
        getattr(kf.load_directory(), ask)(44.2371, -76.4893)
    shown = f"{caught.value} {caught.value.__context__!r}"
    assert not any(digits in shown for digits in ("44.2", "76.4"))


def test_a_join_reads_addresses_as_origins_are_read():
    pandas = pytest.importorskip("pandas")
    people = pandas.DataFrame({"town": ["Victoria", "Nowhereville"]})
    spy = Spy(offline=True)
    joined = kf.nearest_join(people, kf.Directory.from_clinics(CLINICS), address="town")
    assert joined["clinic_id"].tolist()[0] == "v"
    assert pandas.isna(joined["clinic_id"][1])
    kept = kf.Directory.from_clinics(CLINICS, geocoder=spy)
    assert kf.nearest_join(people, kept, address="town")["origin_lat"].tolist() == [49.2, 49.2]
    online = Spy()
    kf.nearest_join(people, kf.Directory.from_clinics(CLINICS, geocoder=online), address="town")
    assert (spy.asked, online.asked) == (["Victoria", "Nowhereville"], [])


# Clinics that could not be placed.


def test_clinics_that_could_not_be_placed_are_warned_of_once_with_a_count():
    towns = ["Nowhereville", "Elsewhereton", "Kingston", ""]
    clinics = [kf.Clinic(clinic_id=f"c{i}", name="C", city=town) for i, town in enumerate(towns)]
    with pytest.warns(UserWarning, match="^2 of 4 clinics could not be placed") as warned:
        directory = kf.Directory.from_clinics(clinics)
    assert [one.filename for one in warned] == [__file__]
    found = {(doubt.kind, doubt.clinic_id): doubt.what for doubt in directory.validate()}
    assert "Nowhereville" in found["unplaced", "c0"]
    assert "Elsewhereton" in found["unplaced", "c1"]
    assert found["unlocated", "c3"] == ""
    with pytest.warns(UserWarning, match="^1 of 1 clinics") as warned:
        directory.with_clinics([kf.Clinic(clinic_id="x", name="X", city="Nowhereville")])
    assert [one.filename for one in warned] == [__file__]

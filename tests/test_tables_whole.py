"""Every fact comes out of a directory and an answer, and counts made from any table are right."""

import json
from collections import Counter
from datetime import date

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ketafind as kf
from ketafind.records import CLINIC_FACTS
from ketafind.vocabulary import default_vocabulary
from strategies import examples

BUNDLED = kf.load_directory()
WORDS = default_vocabulary()
YES, NO = kf.Truth.YES, kf.Truth.NO
flags = st.dictionaries(
    st.sampled_from([flag.id for flag in WORDS.flags if flag.parent is None]),
    st.sampled_from([YES, NO]),
)
facts = st.dictionaries(
    st.sampled_from(["route", "product"]),
    st.just({}),
).flatmap(
    lambda facets: st.fixed_dictionaries(
        {
            facet: st.dictionaries(
                st.sampled_from(["iv", "im"] if facet == "route" else ["esketamine"]),
                st.sampled_from([YES, NO]),
                min_size=1,
            )
            for facet in facets
        }
    )
)
services = st.lists(st.builds(kf.Service, facts=facts, flags=flags), min_size=1, max_size=3)


def directory(*lists: list[kf.Service]) -> kf.Directory:
    return kf.Directory.from_clinics(
        kf.Clinic(
            clinic_id=f"c{n}",
            name="C",
            services=tuple(
                kf.Service(service_id=str(at), facts=one.facts) for at, one in enumerate(held)
            ),
        )
        for n, held in enumerate(lists)
    )


@examples(0.5)
@given(st.lists(services, max_size=4))
def test_each_table_counts_what_the_records_state(lists):
    made = directory(*lists)
    held = [service for clinic in made.clinics for service in clinic.services]
    by_fact = made.to_frame(per="fact")
    stated = Counter(
        (facet, term, str(truth))
        for one in held
        for facet, terms in one.facts.items()
        for term, truth in terms.items()
    )
    rows = by_fact[by_fact.service_id.notna()]
    assert Counter(zip(rows.facet, rows.term, rows.truth, strict=True)) == stated
    by_service = made.to_frame(per="service")
    assert len(by_service) == len(held)
    assert by_service.routes.str.contains("iv").sum() == stated["route", "iv", "yes"]
    no = by_service.not_offered.str.contains("route:iv").sum()
    assert no == stated["route", "iv", "no"]
    for flag in (flag.id for flag in WORDS.flags if flag.parent is None):
        answers = by_service[flag].value_counts()
        for answer in ("yes", "no"):
            assert answers.get(answer, 0) == stated["flag", flag, answer]
    by_clinic = made.to_frame()
    assert len(by_clinic) == len(made)
    for clinic, offered, virtual in zip(
        made.clinics, by_clinic.products, by_clinic.virtual, strict=True
    ):
        every = [service.flags.get("virtual") for service in clinic.services]
        said = "yes" if YES in every else "no" if set(every) == {NO} else None
        assert (None if pd.isna(virtual) else virtual) == said
        any_offers = any(service.products for service in clinic.services)
        assert (not pd.isna(offered)) == any_offers


def test_esketamine_is_offered_by_five_services_in_every_table():
    answer = BUNDLED.search(unknown="include")
    for table in (BUNDLED, answer):
        for per in ("clinic", "service"):
            assert table.to_frame(per=per).products.str.contains("esketamine").sum() == 5
        facts = table.to_frame(per="fact")
        assert ((facts.term == "esketamine") & (facts.truth == "yes")).sum() == 5
    assert BUNDLED.to_geodataframe().products.str.contains("esketamine").sum() == 5
    rows = answer.to_dict()["matches"]
    assert sum("esketamine" in row["products"] for row in rows) == 5
    json.dumps(rows, allow_nan=False)


def test_no_is_told_apart_from_unknown_and_closed_clinics_are_there():
    frame = BUNDLED.to_frame()
    assert "closed" in set(frame.status)
    toronto = frame[frame.clinic_id == "toronto-ketamine-clinic"].iloc[0]
    assert "condition:ptsd" in toronto.not_offered
    assert {"operator", "newest_evidence", "referral_required"} <= set(frame.columns)
    services = BUNDLED.to_frame(per="service")
    assert services.referral_required.value_counts().to_dict() == {"yes": 7, "no": 3}


def test_a_fact_comes_with_the_source_that_decides_it():
    made = kf.Directory.from_clinics(
        [
            kf.Clinic(
                clinic_id="a",
                name="A",
                evidence=[
                    kf.Evidence(
                        clinic_id="a", facet="price_cad", term=term, truth=YES,
                        source_url=f"https://{term}.ca", checked_on=date(2026, 1, day),
                    )
                    for term, day in (("300", 1), ("250-400", 2))
                ],
            )
        ]
    )  # fmt: skip
    frame = made.to_frame(per="fact").set_index("facet")
    assert frame.loc["price_cad", "source_url"] == "https://250-400.ca"
    assert frame.loc["price_cad", "term"] == "250-400"
    assert pd.isna(frame.loc["name", "source_url"])
    assert set(frame.index) - {"price_cad"} <= set(CLINIC_FACTS)
    row = made.to_frame(per="service").iloc[0]
    assert (row.price_cad_low, row.price_cad_high) == (250.0, 400.0)


def test_the_service_that_matched_is_told_in_an_answers_table():
    answer = BUNDLED.search(routes="intranasal")
    frame = answer.to_frame(per="service")
    assert len(frame) == sum(len(match.clinic.services) for match in answer)
    matched = frame[frame.is_match]
    assert list(matched.service_id) == [match.service.service_id for match in answer]
    with pytest.raises(kf.errors.InvalidInputError, match="per='row'"):
        answer.to_frame(per="row")
    with pytest.raises(kf.errors.InvalidInputError, match="no place"):
        BUNDLED.to_geodataframe(per="fact")


def test_a_directory_is_written_and_read_back_the_same(tmp_path):
    clinics, evidence = tmp_path / "clinics.csv", tmp_path / "evidence.csv"
    BUNDLED.to_csv(clinics, evidence=evidence)
    again = kf.Directory.from_csv(clinics, evidence=evidence)
    assert again.snapshot == BUNDLED.snapshot
    with pytest.raises(kf.errors.ExistingFileError):
        BUNDLED.to_csv(clinics)
    frame = pd.read_csv(clinics, dtype=str)
    read = kf.Directory.from_frame(frame, evidence=pd.read_csv(evidence, dtype=str))
    assert read.snapshot == BUNDLED.snapshot


def test_the_points_of_a_geodataframe_are_positions():
    geopandas = pytest.importorskip("geopandas")
    frame = pd.DataFrame({"clinic_id": ["a", "b"], "name": ["A", "B"]})
    points = geopandas.GeoSeries.from_xy([-76.48, -79.38], [44.23, 43.65], crs=4326)
    places = geopandas.GeoDataFrame(frame, geometry=points).to_crs(3347)
    made = kf.Directory.from_frame(places)
    assert [round(clinic.location.lat, 6) for clinic in made.clinics] == [44.23, 43.65]
    for wrong, said in (
        (places.set_crs(None, allow_override=True), "has no CRS"),
        (places.set_geometry(places.buffer(1)), "a point is needed"),
    ):
        with pytest.raises(kf.errors.DataError, match=said):
            kf.Directory.from_frame(wrong)


def test_tables_remember_the_data_and_neither_question_nor_place():
    directory = kf.load_directory()
    answer = directory.nearest("K7L 3N6", 3, conditions="ptsd")
    tables = [directory.to_frame(per) for per in ("clinic", "service", "fact")]
    tables += [directory.to_geodataframe(), answer.to_frame(), answer.to_geodataframe()]
    told = {"snapshot": str(directory.snapshot), "version": kf.__version__}
    assert all(kf.provenance(table) == told for table in tables)
    with pytest.raises(kf.errors.InvalidInputError, match="a table of data"):
        kf.methods(tables[0])

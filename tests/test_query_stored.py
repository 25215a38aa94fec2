"""A saved directory answers as the one that was saved, and a damaged file is refused."""

from __future__ import annotations

import contextlib
import copy
import pickle
import random
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given

import ketafind as kf
from ketafind import files
from ketafind.errors import DirectoryFileError, KetafindError, UnknownClinicError
from ketafind.files import open_arrays, write_arrays
from strategies import clinic_lists, criteria, examples, expressions, origins, policies

HERE = kf.Coordinates(lat=43.7, lon=-79.4)


def ids(matches) -> list[str]:
    return [match.clinic.clinic_id for match in matches]


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "ontario.ketafind"
    # A copy: saving tells the directory where it lies.
    kf.Directory.from_clinics(kf.load_directory().clinics).save(path)
    return path


@examples(0.5)
@given(clinic_lists(), expressions, policies, origins)
def test_a_saved_directory_gives_the_same_answers(
    tmp_path_factory, clinics, expression, unknown, origin
):
    path = tmp_path_factory.mktemp("saved") / "some.ketafind"
    before = kf.Directory.from_clinics(clinics, check=False)
    before.save(path)
    for verify in (True, False):
        after = kf.Directory.open(path, verify=verify)
        assert list(after.clinics) == list(before.clinics)
        assert after.snapshot == before.snapshot
        assert after.vocabulary == before.vocabulary
        where = criteria(expression)
        asked = {"where": where, "unknown": unknown}
        assert ids(after.search(**asked)) == ids(before.search(**asked))
        near = [d.nearest(origin, 5, **asked, check=False) for d in (before, after)]
        assert ids(near[0]) == ids(near[1])
        assert [m.distance_km for m in near[0]] == [m.distance_km for m in near[1]]


def test_the_bundled_directory_survives_with_its_evidence(saved):
    before, after = kf.load_directory(), kf.Directory.open(saved)
    assert after.snapshot == before.snapshot
    clinic_id = before.clinics[3].clinic_id
    assert after[clinic_id] == before[clinic_id]
    assert after.evidence(clinic_id) == before.evidence(clinic_id)
    assert clinic_id in after
    assert "nobody" not in after
    assert after.clinics[-2:] == before.clinics[-2:]
    assert ids(after.nearest("Ottawa", 4)) == ids(before.nearest("Ottawa", 4))


def test_a_directory_saved_without_the_compiled_core_opens_with_it(monkeypatch, tmp_path):
    with monkeypatch.context() as patch:
        patch.setattr("ketafind.index.compiled_core", lambda: None)
        plain = kf.Directory.from_clinics(kf.load_directory().clinics)
        with pytest.warns(RuntimeWarning, match="without its compiled core"):
            plain.save(tmp_path / "plain.ketafind")
    again = kf.Directory.open(tmp_path / "plain.ketafind")
    assert ids(again.nearest(HERE, 9, routes="iv")) == ids(plain.nearest(HERE, 9, routes="iv"))


def test_a_pickle_sends_the_path(saved):
    directory = kf.Directory.open(saved)
    data = pickle.dumps(directory)
    assert len(data) < 500
    again = pickle.loads(data)
    assert ids(again.nearest(HERE, 3)) == ids(directory.nearest(HERE, 3))


def test_a_pickle_whose_file_was_replaced_is_refused(saved):
    directory = kf.Directory.open(saved)
    data = pickle.dumps(directory)
    directory.with_clinics(removed=[directory.clinics[0].clinic_id]).save(saved)
    with pytest.raises(DirectoryFileError, match="replaced"):
        pickle.loads(data)


def test_a_pickle_whose_file_is_gone_says_which_file_it_was(saved):
    data = pickle.dumps(kf.Directory.open(saved))
    saved.unlink()
    with pytest.raises(KetafindError, match=re.escape(str(saved))):
        pickle.loads(data)


def test_a_directory_without_a_file_sends_its_content():
    directory = kf.Directory.from_clinics(kf.load_directory().clinics)
    again = pickle.loads(pickle.dumps(directory))
    assert again.snapshot == directory.snapshot


def test_saving_again_leaves_who_has_it_open_with_the_old_answers(saved):
    old = kf.Directory.open(saved)
    expected = ids(old.nearest(HERE, 5))
    old.with_clinics(removed=expected).save(saved)
    assert ids(old.nearest(HERE, 5)) == expected
    assert not set(ids(kf.Directory.open(saved).nearest(HERE, 5))) & set(expected)


def use(path: Path, *, verify: bool) -> None:
    directory = kf.Directory.open(path, verify=verify)
    directory.nearest(HERE, 5, routes="iv", unknown="include").to_frame()
    directory.search(unknown="include")
    directory.nearest_arrays([43.7], [-79.4], 3)


def test_every_truncation_is_refused(saved, tmp_path):
    whole = saved.read_bytes()
    broken = tmp_path / "broken.ketafind"
    for length in [*range(0, 2000, 7), *range(2000, len(whole), 997)]:
        broken.write_bytes(whole[:length])
        for verify in (True, False):
            with pytest.raises(DirectoryFileError):
                use(broken, verify=verify)


def test_flipped_bits_are_refused_and_unverified_they_never_crash(saved, tmp_path):
    whole = saved.read_bytes()
    broken = tmp_path / "broken.ketafind"
    chance = random.Random(1)
    refused = 0
    for _ in range(100):
        place, bit = chance.randrange(len(whole)), chance.randrange(8)
        broken.write_bytes(flipped(whole, place, bit))
        with pytest.raises(DirectoryFileError):
            kf.Directory.open(broken)
        try:
            use(broken, verify=False)
        except KetafindError:
            refused += 1
    assert 0 < refused < 100


def flipped(whole: bytes, place: int, bit: int) -> bytes:
    return whole[:place] + bytes([whole[place] ^ 1 << bit]) + whole[place + 1 :]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x80\x04.", b"ketafind" + bytes(200)])
def test_a_foreign_file_is_refused(tmp_path, content):
    path = tmp_path / "foreign"
    path.write_bytes(content)
    with pytest.raises(DirectoryFileError):
        kf.Directory.open(path)


def change(saved: Path, **changes) -> None:
    metadata, arrays = open_arrays(saved)
    kept = {name: np.array(array) for name, array in arrays.items()}
    for name, new in changes.items():
        if name in kept:
            kept[name] = new(kept[name])
        else:
            metadata[name] = new
    write_arrays(saved, metadata, kept)


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 1},
        {"kind": "something else"},
        {"snapshot": None},
        {"date": 5},
        {"date": "nope"},
        {"licence": "<b>"},
        {"licence": 4},
        {"records": lambda a: np.frombuffer(b"[]".ljust(len(a)), np.uint8)},
        {"index.frame": lambda a: a + 1e9},
        {"clinic_no": lambda a: a + 1000},
        {"clinic_no": lambda a: a[:-1]},
        {"clinic_no": lambda a: a[::-1].copy()},
        {"more_clinic_no": lambda a: a - 1000},
        {"more_group": lambda a: a + 10_000},
        {"group": lambda a: a - 1000},
        {"group": lambda a: a[:-1]},
        {"status": lambda a: a + 3},
        {"status": lambda a: np.full_like(a, 3)},
        {"lat": lambda a: np.full_like(a, 90.5)},
        {"lat": lambda a: np.full_like(a, -90.5)},
        {"lon": lambda a: np.full_like(a, 180.5)},
        {"lon": lambda a: np.full_like(a, -180.5)},
        {"index": "quadtree"},
        {"starts": lambda a: a[:-1]},
        {"starts": lambda a: a[::-1].copy()},
        {"lat": lambda a: a[:-1]},
        {"lat": lambda a: a.astype(np.float32)},
        {"yes": lambda a: a[:, :-1].copy()},
        {"yes": lambda a: a[:-1].copy()},
        {"status": lambda a: a[:0].copy()},
        {"vocabulary": lambda a: a[:-5].copy()},
        {"records": lambda a: np.zeros_like(a)},
        {"radius_km": lambda a: a * np.nan},
    ],
)
def test_a_file_whose_parts_do_not_fit_is_refused_though_its_checksums_are_right(saved, changes):
    change(saved, **changes)
    with pytest.raises(KetafindError):
        use(saved, verify=True)


@pytest.mark.parametrize(
    "measured",
    [
        lambda a: a[:4].copy(),
        lambda a: a + np.array([[2], [0], [0], [0], [0]]),
        lambda a: a - np.array([[1], [0], [0], [0], [0]]),
        lambda a: a + np.array([[0], [1], [0], [0], [0]]),
        lambda a: a - np.array([[0], [1], [0], [0], [0]]),
        lambda a: np.where(np.arange(5)[:, None] == 1, 1, a) + np.array([[1], [0], [0], [0], [0]]),
        lambda a: a + np.array([[0.5], [0], [0], [0], [0]]),
        lambda a: a * np.array([[1], [np.nan], [1], [1], [1]]),
        lambda a: a + np.array([[0], [0], [np.inf], [0], [0]]),
        lambda a: a[[0, 1, 2, 4, 3]].copy(),
        lambda a: a.astype(np.float32),
    ],
)
def test_numbers_of_services_that_are_not_there_are_refused(tmp_path, measured):
    sizes = [kf.Quantity(10, 20, "CAD"), kf.Quantity(30, 30, "CAD")]
    services = tuple(
        kf.Service(
            service_id=str(n),
            quantities={"price_cad": size, "wait_days": kf.Quantity(1, 2, "days")},
        )
        for n, size in enumerate(sizes)
    )
    path = tmp_path / "priced.ketafind"
    plain = kf.Clinic(clinic_id="b", name="B")
    priced = kf.Clinic(clinic_id="a", name="A", services=services)
    kf.Directory.from_clinics([priced, plain]).save(path)
    asked = kf.at_least("price_cad", 30)
    assert ids(kf.Directory.open(path).search(asked)) == ["a"]
    assert ids(kf.Directory.open(path).search(kf.no_service(asked))) == []
    change(path, measured=measured)
    with pytest.raises(DirectoryFileError):
        kf.Directory.open(path)
    with contextlib.suppress(KetafindError):  # and never an error of another kind
        kf.Directory.open(path, verify=False).search(asked & kf.at_most("wait_days", 3))


def test_clinics_are_added_replaced_and_removed_in_a_new_directory():
    directory = kf.load_directory()
    first, second = directory.clinics[:2]
    new = kf.Clinic(clinic_id="new", name="New", city="Kingston", province="ON")
    moved = kf.Clinic(clinic_id=first.clinic_id, name="Moved", location=second.location)
    changed = directory.with_clinics([new, moved], [second.clinic_id])
    assert len(changed) == len(directory)
    assert changed["new"].location is not None
    assert changed[first.clinic_id].name == "Moved"
    assert second.clinic_id not in changed
    assert second.clinic_id in directory
    assert changed.snapshot != directory.snapshot
    with pytest.raises(UnknownClinicError):
        directory.with_clinics(removed=["nobody"])


@pytest.mark.parametrize("name", ["date", "index", "snapshot"])
def test_a_file_that_leaves_out_what_names_it_is_refused(saved, name):
    metadata, arrays = open_arrays(saved)
    kept = {key: np.array(array) for key, array in arrays.items()}
    write_arrays(saved, {key: said for key, said in metadata.items() if key != name}, kept)
    with pytest.raises(DirectoryFileError):
        kf.Directory.open(saved)


@pytest.mark.parametrize("record", [b"[]", b"null", b'"a"', b'{"clinic_id":"a","location":[]}'])
def test_a_record_of_another_kind_is_refused_when_it_is_read(saved, record):
    metadata, arrays = open_arrays(saved)
    kept = {key: np.array(array) for key, array in arrays.items()}
    more = len(record) - int(kept["starts"][1])
    kept["records"] = np.concatenate(
        [np.frombuffer(record, np.uint8), kept["records"][kept["starts"][1] :]]
    )
    kept["starts"][1:] += more
    write_arrays(saved, metadata, kept)
    with pytest.raises(DirectoryFileError, match="damaged"):
        _ = kf.Directory.open(saved).clinics[0].name


@pytest.mark.parametrize("change_of", [lambda a: a * np.nan, lambda a: a + 1e9, lambda a: a * 2])
def test_an_unverified_index_whose_frame_is_no_rotation_is_refused(saved, change_of):
    change(saved, **{"index.frame": change_of})
    with pytest.raises(DirectoryFileError):
        list(kf.Directory.open(saved, verify=False).nearest(kf.Coordinates(lat=44, lon=-76)))


def test_the_licence_goes_with_the_data_and_needs_no_data_file(saved, monkeypatch, tmp_path):
    def licence(directory: kf.Directory) -> str:
        frame = kf.nearest_join(pd.DataFrame({"lat": [43.7], "lon": [-79.4]}), directory)
        return kf.provenance(frame)["licence"]

    shipped = kf.load_directory()
    own = kf.Directory.from_clinics([shipped.clinics[0]])
    changed = shipped.with_clinics(removed=[shipped.clinics[0].clinic_id])
    changed.save(tmp_path / "changed.ketafind")
    monkeypatch.setattr(files, "FOLDERS", ())  # an installation without its data files
    for made in (shipped, changed, shipped.as_of("2027-01-01"), copied(shipped), copied(changed)):
        assert licence(made) == "CC BY 4.0"
    assert licence(own) == licence(kf.Directory.open(saved)) == ""


def copied(directory: kf.Directory) -> kf.Directory:
    return pickle.loads(pickle.dumps(directory))


def test_a_copy_is_the_directory_itself_though_its_file_is_gone(tmp_path):
    path = tmp_path / "some.ketafind"
    kf.Directory.from_clinics(kf.load_directory().clinics).save(path)
    opened = kf.Directory.open(path)
    path.unlink()
    assert copy.copy(opened) is opened
    assert copy.deepcopy({"held": opened})["held"] is opened

"""A clinic survives its JSON form, and equal clinics have one form."""

from hypothesis import given

import ketafind as kf
from ketafind.snapshot import decode_clinic, encode_clinic
from strategies import clinic_lists


@given(clinic_lists(max_size=3))
def test_a_clinic_survives_encoding(clinics):
    for clinic in clinics:
        assert decode_clinic(encode_clinic(clinic)) == clinic


def test_the_bundled_clinics_survive_with_evidence_and_order():
    for clinic in kf.load_directory().clinics:
        again = decode_clinic(encode_clinic(clinic))
        assert again == clinic
        assert repr(again) == repr(clinic)
        assert again.evidence == clinic.evidence


def test_awkward_texts_survive():
    clinic = kf.Clinic(
        clinic_id="a\ud800 \u2028", name='"\\\x00', notes="=1+1", extra={"é": "\U0001f600"}
    )
    assert decode_clinic(encode_clinic(clinic)) == clinic


def test_texts_of_numpy_are_texts():
    import numpy as np

    clinic = kf.Clinic(clinic_id=np.str_("a"), name=np.str_("A"))
    assert decode_clinic(encode_clinic(clinic)) == clinic

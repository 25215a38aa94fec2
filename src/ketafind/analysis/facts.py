"""What a join says of clinics, read once for a directory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from ketafind.analysis.columns import Texts, code_type

if TYPE_CHECKING:
    from ketafind.directory import Directory
    from ketafind.records import Clinic

__all__ = ["CLINIC_NUMBERS", "CLINIC_TEXTS", "ClinicFacts", "facts_of"]

CLINIC_TEXTS: dict[str, Callable[[Clinic], str | None]] = {
    "clinic_id": lambda clinic: clinic.clinic_id,
    "name": lambda clinic: clinic.name,
    "operator": lambda clinic: clinic.operator or None,
    "street_address": lambda clinic: clinic.street_address or None,
    "city": lambda clinic: clinic.city or None,
    "province": lambda clinic: clinic.province or None,
    "postal_code": lambda clinic: clinic.postal_code or None,
    "phone": lambda clinic: clinic.phone or None,
    "website": lambda clinic: clinic.website or None,
    "status": lambda clinic: clinic.status,
    "precision": lambda clinic: None if clinic.location is None else clinic.location.precision,
}
"""Texts of a clinic that may be asked for."""

CLINIC_NUMBERS = {"clinic_lat": "lat", "clinic_lon": "lon", "clinic_radius_km": "radius_km"}
"""Numbers of a clinic that may be asked for, and what they are of its location."""


class ClinicFacts:
    """Columns over the clinics of one directory; an extra entry at the end is what -1 finds.

    Parameters
    ----------
    directory : Directory
        Whose clinics.
    """

    def __init__(self, directory: Directory) -> None:
        self._clinics: Sequence[Clinic] = directory.clinics
        self._places = directory.filter().catalogue.places
        self._texts: dict[str, tuple[npt.NDArray[np.signedinteger], Texts]] = {}

    def texts(self, name: str) -> tuple[npt.NDArray[np.signedinteger], Texts]:
        """Read one of `CLINIC_TEXTS`.

        Parameters
        ----------
        name : str
            Which.

        Returns
        -------
        codes : ndarray of int, shape (n + 1,)
            Which text each clinic has; -1 where none.
        texts : Texts
            The texts.
        """
        if name not in self._texts:
            of_clinic = [CLINIC_TEXTS[name](clinic) for clinic in self._clinics]
            number: dict[str | None, int] = {}
            for text in of_clinic:
                if text is not None:
                    number.setdefault(text, len(number))
            codes = [number.get(text, -1) for text in of_clinic]
            table = np.array([*codes, -1], dtype=code_type(len(number)))
            self._texts[name] = table, Texts(str(text) for text in number)
        return self._texts[name]

    def numbers(self, name: str) -> npt.NDArray[np.float64]:
        """Read one of `CLINIC_NUMBERS`.

        Parameters
        ----------
        name : str
            Which.

        Returns
        -------
        ndarray of float64, shape (n + 1,)
            NaN where a clinic has no position.
        """
        column = np.full(len(self._clinics) + 1, np.nan)
        column[self._places.located] = getattr(self._places, CLINIC_NUMBERS[name])
        return column


_known: WeakKeyDictionary[Directory, ClinicFacts] = WeakKeyDictionary()


def facts_of(directory: Directory) -> ClinicFacts:
    """Find the facts of a directory; they live as long as it does.

    Parameters
    ----------
    directory : Directory
        Any.

    Returns
    -------
    ClinicFacts
        The same object each time.
    """
    facts = _known.get(directory)
    if facts is None:
        facts = _known[directory] = ClinicFacts(directory)
    return facts

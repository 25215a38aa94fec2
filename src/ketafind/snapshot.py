"""The name of a directory's data: a content hash and a date."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from ketafind.codec import content_of, encode

if TYPE_CHECKING:
    from ketafind.records import Clinic
    from ketafind.vocabulary import Vocabulary

__all__ = ["Snapshot"]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Which data an answer was made from.

    Parameters
    ----------
    id : str
        16 hexadecimal digits of a BLAKE2b hash over every clinic and the vocabulary. The order
        of clinics, columns, terms and evidence does not matter; that of a clinic's services
        does, since the first that fits answers.
    date : date or None
        The latest day on which a clinic's sources were read.
    """

    id: str
    date: date | None

    @classmethod
    def of(cls, clinics: Iterable[Clinic], vocabulary: Vocabulary) -> Snapshot:
        """Name the data of a directory.

        Parameters
        ----------
        clinics : iterable of Clinic
            In order of clinic id.
        vocabulary : Vocabulary
            The terms they use.

        Returns
        -------
        Snapshot
            Equal for equal content, on every machine.
        """
        digest = hashlib.blake2b(encode(vocabulary.to_dict()), digest_size=8)
        latest: date | None = None
        for clinic in clinics:
            digest.update(content_of(clinic))
            days = [day for day in (clinic.checked_on, latest) if day is not None]
            latest = max(days, default=None)
        return cls(digest.hexdigest(), latest)

    def __str__(self) -> str:
        return f"{self.id} of {self.date}" if self.date else self.id

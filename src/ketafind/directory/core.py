"""The directory: how it is made, and what it says of one clinic."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from os import PathLike, fspath, stat
from os.path import abspath
from typing import TYPE_CHECKING, Any

from ketafind.directory.insight import Insight
from ketafind.errors import DirectoryFileError, InvalidInputError
from ketafind.index import default_index
from ketafind.matches import Catalogue
from ketafind.records import Clinic, Evidence
from ketafind.resolution import resolved
from ketafind.vocabulary import Vocabulary, default_vocabulary

if TYPE_CHECKING:
    from ketafind.geocoding import Geocoder
    from ketafind.snapshot import Snapshot

__all__ = ["Directory"]

EvidenceSource = str | PathLike[str] | Iterable[Evidence] | None


class Directory(Insight):
    """Clinics, their vocabulary and a spatial index; immutable, safe to share between threads.

    Made by `load_directory`, `Directory.from_csv`, `Directory.from_frame` or
    `Directory.from_clinics`.

    Parameters
    ----------
    catalogue : Catalogue
        The data, indexed.
    """

    # Where it is saved: what a pickle sends instead of the content.
    _path: str | None = None

    @classmethod
    def from_clinics(
        cls,
        clinics: Iterable[Clinic],
        *,
        geocoder: Geocoder | None = None,
        vocabulary: Vocabulary | None = None,
        check: bool = True,
    ) -> Directory:
        """Make a directory from clinics.

        Parameters
        ----------
        clinics : iterable of Clinic
            In any order; ids must differ. Those without a location are geocoded from their
            address, if they have one.
        geocoder : Geocoder, optional
            Who geocodes; None for the bundled offline geocoder.
        vocabulary : Vocabulary, optional
            The terms they use; None for the bundled one.
        check : bool
            False to accept a clinic at (0, 0), or one whose position contradicts its province.

        Returns
        -------
        Directory
            A clinic whose address cannot be placed is unlocated: counted and searchable, never
            ranked by distance.

        Raises
        ------
        DataError
            If ids repeat, a term is unknown or facts contradict each other; all faults at once.
        """
        from ketafind.directory.canonical import canonical
        from ketafind.directory.geocoded import located
        from ketafind.geocoding.protocol import check_geocoder
        from ketafind.tables.positions import refuse_implausible

        words = checked_vocabulary(vocabulary)
        check_geocoder(geocoder)
        if isinstance(clinics, Clinic | str) or not isinstance(clinics, Iterable):
            raise InvalidInputError(
                f"from_clinics takes several Clinic objects, not {type(clinics).__name__}; "
                f"write [...] around one"
            )
        records = tuple(clinics)
        strangers = [type(record).__name__ for record in records if not isinstance(record, Clinic)]
        if strangers:
            raise InvalidInputError(
                f"from_clinics takes Clinic objects, not {strangers[0]}; "
                f"for tables there are from_frame and from_csv"
            )
        if check:
            refuse_implausible(records)
        # Where sources disagree, the higher class and the later date decide.
        records = tuple(resolved(record, words) for record in canonical(records, words))
        return cls(Catalogue.build(located(records, geocoder), words, default_index))

    @classmethod
    def from_csv(
        cls,
        path: str | PathLike[str],
        *,
        evidence: EvidenceSource = None,
        geocoder: Geocoder | None = None,
        vocabulary: Vocabulary | None = None,
        check: bool = True,
    ) -> Directory:
        """Read a directory from a CSV file of clinics, one row a service.

        Parameters
        ----------
        path : path
            UTF-8, with a header; the columns are described in the guide to the data.
        evidence : path or iterable of Evidence, optional
            A CSV file of evidence, one row a fact, or what was read from one.
        geocoder : Geocoder, optional
            Who geocodes rows without lat and lon; None for the bundled offline geocoder.
        vocabulary : Vocabulary, optional
            The terms; None for the bundled one.
        check : bool
            False to accept coordinates that contradict the row's own province.

        Returns
        -------
        Directory
            Every row is in it.

        Raises
        ------
        DataError
            With every fault of the file: row, column, value and what to do.
        """
        from ketafind.tables.reading import read_clinics

        vocabulary = checked_vocabulary(vocabulary)
        clinics = read_clinics(path, vocabulary=vocabulary, evidence=evidence, check=check)
        return cls.from_clinics(clinics, geocoder=geocoder, vocabulary=vocabulary, check=check)

    @classmethod
    def from_frame(
        cls,
        frame: Any,
        *,
        evidence: EvidenceSource = None,
        geocoder: Geocoder | None = None,
        vocabulary: Vocabulary | None = None,
        check: bool = True,
    ) -> Directory:
        """Make a directory from a frame with the columns of the CSV file.

        Parameters
        ----------
        frame : pandas, polars or pyarrow frame
            One row a service; a missing value is a blank cell.
        evidence, geocoder, vocabulary, check
            As in `from_csv`.

        Returns
        -------
        Directory
            Every row is in it.

        Raises
        ------
        DataError
            With every fault of the frame.
        """
        from ketafind.tables.frames import clinics_from_frame
        from ketafind.tables.reading import read_evidence

        vocabulary = checked_vocabulary(vocabulary)
        if isinstance(evidence, str | PathLike):
            evidence = read_evidence(evidence, vocabulary=vocabulary)
        clinics = clinics_from_frame(frame, vocabulary=vocabulary, evidence=evidence, check=check)
        return cls.from_clinics(clinics, geocoder=geocoder, vocabulary=vocabulary, check=check)

    @classmethod
    def open(cls, path: str | PathLike[str], *, verify: bool = True) -> Directory:
        """Open a directory that was saved; its records are read when they are asked for.

        Parameters
        ----------
        path : path
            What `save` wrote. The file stays mapped into memory: replace it by saving again,
            never change it in place.
        verify : bool
            True to check every byte; False to check the structure only, for speed with files
            that are trusted.

        Returns
        -------
        Directory
            With the same answers and the same snapshot.

        Raises
        ------
        DirectoryFileError
            If the file is damaged, foreign or newer.
        MissingFileError
            If there is no such file.
        """
        from ketafind.directory.files import open_catalogue

        directory = cls(open_catalogue(path, verify=verify))
        directory._path = abspath(fspath(path))
        return directory

    def save(self, path: str | PathLike[str]) -> None:
        """Save the directory to one file, whole or not at all.

        Parameters
        ----------
        path : path
            Replaced if it is there; whoever has it open keeps the old answers.
        """
        from ketafind.directory.files import save_catalogue

        save_catalogue(path, self._catalogue)
        self._path = abspath(fspath(path))

    def with_clinics(
        self,
        added: Iterable[Clinic] = (),
        removed: Iterable[str] = (),
        *,
        geocoder: Geocoder | None = None,
        check: bool = True,
    ) -> Directory:
        """Make a directory with clinics added, replaced or removed; this one stays as it is.

        Parameters
        ----------
        added : iterable of Clinic
            New clinics, or new versions of clinics that are there.
        removed : iterable of str
            Ids of clinics to leave out.
        geocoder, check
            For those that are added, as in `from_clinics`.

        Returns
        -------
        Directory
            It shares the records that stay.

        Raises
        ------
        UnknownClinicError
            If an id to remove is not there.
        DataError
            If two clinics to add share an id, or as in `from_clinics`.
        """
        new = Directory.from_clinics(
            added, geocoder=geocoder, vocabulary=self.vocabulary, check=check
        )
        if isinstance(removed, str):
            raise InvalidInputError("removed takes several ids; write [...] around one")
        gone = {self[clinic_id].clinic_id for clinic_id in removed}
        gone |= {clinic.clinic_id for clinic in new}
        kept = (clinic for clinic in self if clinic.clinic_id not in gone)
        closure = self._catalogue.slices.closure
        return Directory(Catalogue.build((*kept, *new), self.vocabulary, default_index, closure))

    @property
    def clinics(self) -> Sequence[Clinic]:
        """Every clinic, ordered by id."""
        return self._catalogue.clinics

    @property
    def vocabulary(self) -> Vocabulary:
        """The terms that queries are read with."""
        return self._catalogue.vocabulary

    @property
    def snapshot(self) -> Snapshot:
        """Content hash and date of the data."""
        return self._catalogue.snapshot

    def __len__(self) -> int:
        return len(self._catalogue.clinics)

    def __contains__(self, clinic: object) -> bool:
        if isinstance(clinic, Clinic):
            return clinic.clinic_id in self and self[clinic.clinic_id] == clinic
        return self._catalogue.find(clinic) is not None

    def __iter__(self) -> Iterator[Clinic]:
        return iter(self._catalogue.clinics)

    def __getitem__(self, clinic_id: str) -> Clinic:
        return self._catalogue.clinics[self._catalogue.position(clinic_id)]

    def __repr__(self) -> str:
        unlocated = len(self) - self._catalogue.n_located
        n = f"{len(self)} clinic{'s' if len(self) != 1 else ''}"
        return f"<Directory of {n}, {unlocated} unlocated, data {self.snapshot}>"

    def _repr_html_(self) -> str:
        from ketafind.directory.showing import clinics_html

        return clinics_html(self.clinics, repr(self)[1:-1])

    def __reduce__(self) -> tuple[Any, ...]:
        if self._path is not None:
            return _reopened, (self._path, self.snapshot.id)
        return _directory, (self._catalogue.clinics, self._catalogue.vocabulary)

    def evidence(
        self, clinic_id: str, facet: str | None = None, term: str | None = None
    ) -> tuple[Evidence, ...]:
        """Why a clinic's facts are believed.

        Parameters
        ----------
        clinic_id : str
            The clinic.
        facet : str, optional
            A facet, a yes-no fact or a field such as ``"city"``; None for all.
        term : str, optional
            A term of the facet, in any spelling the vocabulary knows; None for all.

        Returns
        -------
        tuple of Evidence
            In the order of the data; empty where there is none.

        Raises
        ------
        UnknownClinicError, UnknownTermError
            If there is no such clinic, facet or term.
        """
        from ketafind.tables.columns import FLAGS
        from ketafind.tables.evidence import CLINIC_FACTS

        facts = self[clinic_id].evidence
        if facet is not None and facet not in (*FLAGS, *CLINIC_FACTS):
            known = self.vocabulary.facet(facet)
            facet, term = known.id, None if term is None else known.resolve(term)
        return tuple(
            fact for fact in facts if facet in (None, fact.facet) and term in (None, fact.term)
        )


def checked_vocabulary(vocabulary: Vocabulary | None) -> Vocabulary:
    """Take the bundled vocabulary for None, and refuse what is none.

    Parameters
    ----------
    vocabulary : Vocabulary or None
        What was given.

    Returns
    -------
    Vocabulary
        The one to use.

    Raises
    ------
    InvalidInputError
        If it is anything else.
    """
    if vocabulary is None:
        return default_vocabulary()
    if not isinstance(vocabulary, Vocabulary):
        raise InvalidInputError(
            f"vocabulary must be a Vocabulary, not {type(vocabulary).__name__}; "
            f"read a file with ketafind.Vocabulary.read(path)"
        )
    return vocabulary


def _directory(clinics: Sequence[Clinic], vocabulary: Vocabulary) -> Directory:
    return Directory(Catalogue.build(clinics, vocabulary, default_index))


def _reopened(path: str, snapshot_id: str) -> Directory:
    try:
        file = stat(path)
    except OSError:
        return Directory.open(path)  # which says what is wrong
    return _reopened_once(path, snapshot_id, (file.st_ino, file.st_size, file.st_mtime_ns))


@lru_cache(maxsize=8)  # a worker gets the same directory with every task
def _reopened_once(path: str, snapshot_id: str, _file: tuple[int, ...]) -> Directory:
    directory = Directory.open(path, verify=False)
    if directory.snapshot.id != snapshot_id:
        raise DirectoryFileError(
            f"{path} holds the data {directory.snapshot} and not {snapshot_id}: it was replaced "
            f"after the directory was pickled"
        )
    return directory

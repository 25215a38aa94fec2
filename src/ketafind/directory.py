"""The directory: made, asked and looked into."""

from __future__ import annotations

import math
from collections.abc import ItemsView, Iterable, Iterator, Mapping, Sequence, ValuesView
from datetime import date
from functools import cache, cached_property, lru_cache
from os import PathLike, stat
from os.path import abspath
from typing import TYPE_CHECKING, Any, Literal, Never, Self, TypeVar, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ketafind.errors import DirectoryFileError, InvalidInputError, check_language, refuse_unnamed
from ketafind.facts import as_day, resolved
from ketafind.files import bundled, path_text, refuse_existing
from ketafind.geocoding.protocol import check_geocoder, check_works_offline, works_offline
from ketafind.index import IndexName, make_index
from ketafind.index.protocol import check_count, check_limit
from ketafind.matches import Matches
from ketafind.query.catalogue import (
    Catalogue,
    canonical_clinics,
    decided_and_placed,
    open_catalogue,
    save_catalogue,
)
from ketafind.query.filter import Filter, FilterCache, UnknownPolicy
from ketafind.query.origin import (
    Origin,
    Region,
    bundled_geocoder,
    check_plausible,
    clinics_inside,
    geocoded,
    read_origin,
    read_region,
    refuse_number,
)
from ketafind.query.ranking import Page, Ranking
from ketafind.records import CLINIC_FACTS, Clinic, Evidence
from ketafind.snapshot import LICENCE
from ketafind.vocabulary import Vocabulary, checked_vocabulary
from ketafind.vocabulary.terms import folded_words, nearest_names

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd

    from ketafind.criteria import Criteria, Terms
    from ketafind.explain.findings import Qualification
    from ketafind.explain.profile import Difference, Profile, Validation
    from ketafind.facts import Decision
    from ketafind.geocoding import Geocoder
    from ketafind.qualification import RuleSet
    from ketafind.query.origin import Start
    from ketafind.show.html import MapPage
    from ketafind.snapshot import Snapshot
    from ketafind.tables.clinics import EvidenceSource
    from ketafind.travel import Router

Default = TypeVar("Default")


class Directory(Mapping[str, Clinic]):
    """Clinics by id, their vocabulary and a spatial index: immutable, shared safely by threads.

    Made by `load_directory`, `Directory.from_csv`, `Directory.from_frame` or
    `Directory.from_clinics`. A mapping of id to clinic, in the order of the ids:
    ``directory["caledon-clinic"]``, ``"caledon-clinic" in directory``, ``directory.get(...)``,
    ``for clinic_id in directory``; ``directory.clinics`` is the sequence of the clinics. Two
    directories are equal only if they are the same object; their `snapshot` compares content.

    Parameters
    ----------
    catalogue : Catalogue
        The data, indexed.
    geocoder : Geocoder, optional
        Who reads the text of origins, if it works offline; None for the bundled offline geocoder.
    """

    # Where it is saved: what a pickle sends instead of the content.
    _path: str | None = None

    def __init__(self, catalogue: Catalogue, geocoder: Geocoder | None = None) -> None:
        if not isinstance(catalogue, Catalogue):
            raise InvalidInputError(
                "a Directory is made by load_directory, Directory.from_csv, from_frame, "
                "from_clinics or open"
            )
        self._catalogue = catalogue
        # One that asks a network is not kept: it would be sent where somebody searches from.
        self._geocoder = geocoder if geocoder is not None and works_offline(geocoder) else None

    # -- Make -------------------------------------------------------------------------------------

    @classmethod
    def from_clinics(
        cls,
        clinics: Iterable[Clinic],
        *,
        geocoder: Geocoder | None = None,
        vocabulary: Vocabulary | None = None,
        check: bool = True,
        index: IndexName | None = None,
    ) -> Directory:
        """Make a directory from clinics.

        Parameters
        ----------
        clinics : iterable of Clinic
            In any order; ids must differ. Those without a location are geocoded from their
            address, if they have one.
        geocoder : Geocoder, optional
            Who geocodes; None for the bundled offline geocoder. One that works offline also reads
            the text of origins.
        vocabulary : Vocabulary, optional
            The terms they use; None for the bundled one.
        check : bool
            False to accept a clinic at (0, 0), or one whose position contradicts its province.
        index : str, optional
            ``"kernel"`` (the compiled core), ``"rtree"`` (for a directory that is changed often by
            `with_clinics`) or ``"scan"`` (plain numpy); answers do not depend on it, and
            `with_clinics` and `save` keep it. None for the compiled core, or where ketafind was
            installed without it the scan.

        Returns
        -------
        Directory
            A clinic whose address cannot be placed is unlocated: counted and searchable, never
            ranked by distance. One warning says how many, `validate` why.

        Raises
        ------
        DataError
            If ids repeat, a term is unknown or facts contradict each other; all faults at once.
        InvalidInputError
            If an argument cannot be used, or `index` needs what this installation lacks.
        """
        words = _checked(vocabulary, geocoder, index)
        known = canonical_clinics(clinics, words, check=check)
        return cls._made_of(known, words, geocoder, index)

    @classmethod
    def from_csv(
        cls,
        path: str | PathLike[str],
        *,
        evidence: EvidenceSource = None,
        geocoder: Geocoder | None = None,
        vocabulary: Vocabulary | None = None,
        check: bool = True,
        index: IndexName | None = None,
    ) -> Directory:
        """Read a directory from a CSV file of clinics, one row a service.

        Parameters
        ----------
        path : path
            UTF-8, with a header; the columns are described in the guide to the data. Rows of one
            ``clinic_id`` are the services of one clinic.
        evidence : path, frame or iterable of Evidence, optional
            A CSV file or a frame of evidence, one row a fact, or what was read from one.
        geocoder : Geocoder, optional
            Who geocodes rows without lat and lon; None for the bundled offline geocoder. One that
            works offline also reads the text of origins.
        vocabulary : Vocabulary, optional
            The terms; None for the bundled one.
        check : bool
            False to accept coordinates that contradict the row's own province.
        index : str, optional
            ``"kernel"`` (the compiled core), ``"rtree"`` (for a directory that is changed often by
            `with_clinics`) or ``"scan"`` (plain numpy); answers do not depend on it, and
            `with_clinics` and `save` keep it. None for the compiled core, or where ketafind was
            installed without it the scan.

        Returns
        -------
        Directory
            Every row is in it. A row whose address cannot be placed is an unlocated clinic; one
            warning says how many, `validate` why.

        Raises
        ------
        DataError
            With every fault of the file: row, column, value and what to do.
        MissingFileError
            If there is no such file.
        InvalidInputError
            If an argument cannot be used, or `index` needs what this installation lacks.
        """
        from ketafind.tables.clinics import read_clinics

        words = _checked(vocabulary, geocoder, index)
        clinics = read_clinics(path, vocabulary=words, evidence=evidence, check=check)
        return cls._made_of(clinics, words, geocoder, index, were_rows=True)

    @classmethod
    def from_frame(
        cls,
        frame: Any,
        *,
        evidence: EvidenceSource = None,
        geocoder: Geocoder | None = None,
        vocabulary: Vocabulary | None = None,
        check: bool = True,
        index: IndexName | None = None,
    ) -> Directory:
        """Make a directory from a frame with the columns of the CSV file.

        Parameters
        ----------
        frame : pandas, polars or pyarrow frame
            One row a service; rows of one ``clinic_id`` are the services of one clinic. A missing
            value is a blank cell.
        evidence : path, frame or iterable of Evidence, optional
            A CSV file or a frame of evidence, one row a fact, or what was read from one.
        geocoder : Geocoder, optional
            Who geocodes rows without lat and lon; None for the bundled offline geocoder. One that
            works offline also reads the text of origins.
        vocabulary : Vocabulary, optional
            The terms; None for the bundled one.
        check : bool
            False to accept coordinates that contradict the row's own province.
        index : str, optional
            ``"kernel"`` (the compiled core), ``"rtree"`` (for a directory that is changed often by
            `with_clinics`) or ``"scan"`` (plain numpy); answers do not depend on it, and
            `with_clinics` and `save` keep it. None for the compiled core, or where ketafind was
            installed without it the scan.

        Returns
        -------
        Directory
            Every row is in it. A row whose address cannot be placed is an unlocated clinic; one
            warning says how many, `validate` why.

        Raises
        ------
        DataError
            With every fault of the frame: row, column, value and what to do.
        InvalidInputError
            If an argument cannot be used, or `index` needs what this installation lacks.
        """
        from ketafind.tables.frames import clinics_from_frame

        words = _checked(vocabulary, geocoder, index)
        clinics = clinics_from_frame(frame, vocabulary=words, evidence=evidence, check=check)
        return cls._made_of(clinics, words, geocoder, index, were_rows=True)

    @classmethod
    def _made_of(
        cls,
        clinics: Sequence[Clinic],
        vocabulary: Vocabulary,
        geocoder: Geocoder | None,
        index: IndexName | None,
        *,
        were_rows: bool = False,
    ) -> Directory:
        # Rows were read together: nothing but evidence can contradict them.
        are_consistent = were_rows and not any(clinic.evidence for clinic in clinics)
        ready = decided_and_placed(clinics, vocabulary, geocoder, stacklevel=4)
        made = Catalogue.build(ready, vocabulary, index, are_consistent=are_consistent)
        return cls(made, geocoder)

    @classmethod
    def from_fhir(
        cls,
        source: str | PathLike[str] | Mapping[str, Any],
        *,
        vocabulary: Vocabulary | None = None,
        geocoder: Geocoder | None = None,
        check: bool = True,
    ) -> Directory:
        """Read a directory from a Bundle of HL7 FHIR R4: its Locations, with their services.

        Parameters
        ----------
        source : path or dict
            A JSON file, or the Bundle. Each Location is a clinic, each HealthcareService at it a
            service; a code is read by ketafind's own coding, or as one that a term has.
        vocabulary : Vocabulary, optional
            The terms; None for the bundled one.
        geocoder : Geocoder, optional
            Who places clinics by their addresses and reads origins, offline; None for the bundled
            one.
        check : bool
            False to accept a position that contradicts the clinic's own province.

        Returns
        -------
        Directory
            With the snapshot of the directory that was exported, if nobody changed the file.

        Raises
        ------
        DataError
            With every fault of the file: where, and what is missing or wrong.
        MissingFileError
            If there is no such file.

        Warns
        -----
        UserWarning
            If a code in it has no term, or a service has ended or leads to no location in it: that is
            left out, and named.
        """
        from ketafind.show.exports import read_json
        from ketafind.show.fhir import clinics_in_bundle
        from ketafind.tables.frames import clinics_from_plain

        bundle, name = read_json(source, "a FHIR Bundle")
        words = checked_vocabulary(vocabulary)
        clinics = clinics_from_plain(clinics_in_bundle(bundle, words), name, "Location")
        return cls.from_clinics(clinics, vocabulary=words, geocoder=geocoder, check=check)

    @classmethod
    def from_hsds(
        cls,
        source: str | PathLike[str] | Mapping[str, Any],
        *,
        vocabulary: Vocabulary | None = None,
        geocoder: Geocoder | None = None,
        check: bool = True,
    ) -> Directory:
        """Read a directory from a list of services in HSDS 3.

        Parameters
        ----------
        source : path or dict
            A JSON file, or what it holds: a page of an API (``contents``), or one service with all
            that belongs to it. Each location at which a service is given is a clinic.
        vocabulary : Vocabulary, optional
            The terms; None for the bundled one.
        geocoder : Geocoder, optional
            Who places clinics by their addresses and reads origins, offline; None for the bundled
            one.
        check : bool
            False to accept a position that contradicts the clinic's own province.

        Returns
        -------
        Directory
            With the snapshot of the directory that was exported, if nobody changed the file.

        Raises
        ------
        DataError
            With every fault of the file: where, and what is missing or wrong.
        MissingFileError
            If there is no such file.

        Warns
        -----
        UserWarning
            If a code in it has no term, or a service has ended or leads to no location in it: that is
            left out, and named.
        """
        from ketafind.show.exports import read_json
        from ketafind.show.hsds import clinics_in_list
        from ketafind.tables.frames import clinics_from_plain

        content, name = read_json(source, "an HSDS list of services")
        words = checked_vocabulary(vocabulary)
        clinics = clinics_from_plain(clinics_in_list(content, words), name, "location")
        return cls.from_clinics(clinics, vocabulary=words, geocoder=geocoder, check=check)

    @classmethod
    def from_geojson(
        cls,
        source: str | PathLike[str] | Mapping[str, Any],
        *,
        vocabulary: Vocabulary | None = None,
        geocoder: Geocoder | None = None,
        check: bool = True,
    ) -> Directory:
        """Read a directory from GeoJSON, as `to_geojson` gives it: a clinic a feature.

        Parameters
        ----------
        source : path or dict
            A JSON file, or the feature collection; the geometry is a point or null. Features
            without ``services`` are read as rows of a table with the columns of `from_frame`.
        vocabulary : Vocabulary, optional
            The terms; None for the bundled one.
        geocoder : Geocoder, optional
            Who places clinics by their addresses and reads origins, offline; None for the bundled
            one.
        check : bool
            False to accept a position that contradicts the clinic's own province.

        Returns
        -------
        Directory
            With the snapshot of the directory that was exported, if nobody changed the file.

        Raises
        ------
        DataError
            With every fault of the file: where, and what is missing or wrong.
        MissingFileError
            If there is no such file.
        """
        from ketafind.show.exports import features_found, read_json
        from ketafind.tables.frames import clinics_from_plain

        content, name = read_json(source, "a GeoJSON feature collection")
        words = checked_vocabulary(vocabulary)
        found = features_found(content)
        if found and not any("services" in plain for _, plain in found):
            import pandas as pd

            rows = pd.DataFrame([plain for _, plain in found])
            return cls.from_frame(rows, vocabulary=words, geocoder=geocoder, check=check)
        clinics = clinics_from_plain(found, name, "feature")
        return cls.from_clinics(clinics, vocabulary=words, geocoder=geocoder, check=check)

    @classmethod
    def from_datapackage(
        cls,
        source: str | PathLike[str],
        *,
        vocabulary: Vocabulary | None = None,
        geocoder: Geocoder | None = None,
        check: bool = True,
    ) -> Directory:
        """Read a directory from a data package: one that ketafind exported, or CSV tables.

        Parameters
        ----------
        source : path
            The zip file, the folder it was unpacked to, or the ``datapackage.json`` in that.
            Without ``clinics.json`` in it the tables that ``datapackage.json`` describes are read
            as by `from_csv`: that with the fields ``clinic_id`` and ``name``, and as evidence that
            with ``facet`` and ``truth``.
        vocabulary : Vocabulary, optional
            The terms; None for the bundled one.
        geocoder : Geocoder, optional
            Who places clinics by their addresses and reads origins, offline; None for the bundled
            one.
        check : bool
            False to accept a position that contradicts the clinic's own province.

        Returns
        -------
        Directory
            With the snapshot of the directory that was exported, if nobody changed the file.

        Raises
        ------
        DataError
            With every fault of the file: where, and what is missing or wrong.
        MissingFileError
            If there is no such file.
        """
        from ketafind.show.exports import read_data_package, tables_of_package
        from ketafind.tables.frames import clinics_from_plain

        words = checked_vocabulary(vocabulary)
        with tables_of_package(source) as tables:
            if tables is not None:
                return cls.from_csv(
                    tables[0],
                    evidence=tables[1],
                    vocabulary=words,
                    geocoder=geocoder,
                    check=check,
                )
        found, name = read_data_package(source)
        clinics = clinics_from_plain(found, name, "clinic")
        return cls.from_clinics(clinics, vocabulary=words, geocoder=geocoder, check=check)

    @classmethod
    def open(
        cls,
        path: str | PathLike[str],
        *,
        verify: bool = True,
        geocoder: Geocoder | None = None,
    ) -> Directory:
        """Open a directory that was saved; its records are read when they are asked for.

        Parameters
        ----------
        path : path
            What `save` wrote. The file stays mapped into memory: replace it by saving again,
            never change it in place.
        verify : bool
            True to check every byte; False to check the structure only, for speed with files
            that are trusted.
        geocoder : Geocoder, optional
            Who reads the text of origins, offline; None for the bundled offline geocoder. A file
            does not hold the geocoder of the directory that was saved.

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
        InvalidInputError
            If the geocoder does not work offline.
        """
        if geocoder is not None:
            check_works_offline(geocoder)
        directory = cls(open_catalogue(path, verify=verify), geocoder)
        directory._path = abspath(path_text(path))
        return directory

    def save(self, path: str | PathLike[str]) -> None:
        """Save the directory to one file, whole or not at all.

        A geocoder is not in the file: give it to `open`.

        Parameters
        ----------
        path : path
            Replaced if it is there; whoever has it open keeps the old answers.

        Raises
        ------
        MissingFileError
            If there is no folder to write it in.
        """
        save_catalogue(path, self._catalogue)
        self._path = abspath(path_text(path))

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
            New clinics, or new versions of clinics that are there. Those without a location are
            geocoded from their address, if they have one.
        removed : iterable of str
            Ids of clinics to leave out.
        geocoder : Geocoder, optional
            Who geocodes the new clinics; None for the directory's own.
        check : bool
            False to accept a clinic at (0, 0), or one whose position contradicts its province.

        Returns
        -------
        Directory
            With the vocabulary, the geocoder, the kind of index and the records that stay. Its
            time grows with what changes, and hardly with what stays, if the index is ``"rtree"``;
            other indexes are built anew.

        Raises
        ------
        UnknownClinicError
            If an id to remove is not there.
        DataError
            If two clinics to add share an id, a term is unknown or facts contradict each other.
        """
        if isinstance(removed, str):
            raise InvalidInputError("removed takes several ids; write [...] around one")
        check_geocoder(geocoder)
        new = canonical_clinics(added, self.vocabulary, check=check)
        chosen = self._geocoder if geocoder is None else geocoder
        ready = decided_and_placed(new, self.vocabulary, chosen, stacklevel=3)
        return Directory(self._catalogue.changed(ready, removed), self._geocoder)

    def as_of(self, day: date | str) -> Self:
        """Believe only what is fresh enough on a day, and was read by then.

        Parameters
        ----------
        day : date or str
            Such as ``"2027-06-30"``.

        Returns
        -------
        Directory
            Another one, with its own snapshot. A regulator's statement is believed for 90 days,
            any other for 365, counted from the date of its page where known, else from the day it
            was read. Older ones are set aside and the next class of sources decides; where none is
            left the fact is UNKNOWN, and a clinic's status uncertain.

        Raises
        ------
        InvalidInputError
            If it is not a date.

        Examples
        --------
        >>> import ketafind as kf
        >>> directory = kf.load_directory()
        >>> later = directory.as_of("2028-01-01")
        >>> len(later), len(later.search(routes="iv"))
        (28, 0)
        """
        on, words = as_day(day), self.vocabulary
        clinics = (resolved(clinic, words, on) for clinic in self.clinics)
        old = self._catalogue
        built = Catalogue.build(clinics, words, old.index_name, licence=old.licence)
        return type(self)(built, self._geocoder)

    # It never changes, and its file may be gone or another's by now.
    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        if self._path is not None:
            return _reopened, (self._path, self.snapshot.id, self._geocoder)
        return type(self), (self._catalogue, self._geocoder)

    # -- Ask --------------------------------------------------------------------------------------

    def filter(
        self,
        where: Criteria | Filter | None = None,
        *,
        unknown: UnknownPolicy = "exclude",
        **facets: Terms,
    ) -> Filter:
        """Compile criteria for this directory, to be used in many queries.

        Parameters
        ----------
        where : Criteria or Filter, optional
            An expression such as ``ketafind.route("iv") & ketafind.qualified()``, or a compiled
            filter; None is no filter.
        unknown : str
            ``"exclude"`` for confirmed clinics only, ``"include"`` for possible ones too,
            ``"only"`` for those alone.
        **facets : str, iterable of str or bool
            ``routes=``, ``staff=``, ``conditions=``, ``products=``, ``settings=`` and
            ``languages=``: a term or several, any of which will do; ``virtual=`` and other flags:
            True, or False for a stated NO. Joined to `where` by AND.

        Returns
        -------
        Filter
            What the queries take as ``where=``.

        Raises
        ------
        CriteriaError, UnknownTermError
            If a filter is empty, or a facet or term is not in the vocabulary.
        """
        return self._filter(where, unknown, facets)

    def nearest(
        self,
        origin: Origin,
        k: int = 5,
        *,
        where: Criteria | Filter | None = None,
        unknown: UnknownPolicy = "exclude",
        offset: int = 0,
        max_distance_km: float | None = None,
        router: Router | None = None,
        max_time_min: float | None = None,
        geocoder: Geocoder | None = None,
        check: bool = True,
        **facets: Terms,
    ) -> Matches:
        """Find the k nearest eligible clinics, in a straight line or by travel time.

        Parameters
        ----------
        origin : str, Coordinates, Location or shapely Point
            Where the search starts; text is geocoded offline, a Point is (lon, lat). The answer's
            `Matches.origin` says how it was read.
        k : int
            How many at the most, 1 or more.
        where : Criteria or Filter, optional
            An expression such as ``ketafind.route("iv") & ketafind.qualified()``, or a compiled
            filter; None is no filter.
        unknown : str
            ``"exclude"`` for confirmed clinics only, ``"include"`` for possible ones too,
            ``"only"`` for those alone.
        offset : int
            Leave out so many of the first: a page as `Matches.more` gives it, without the answer.
        max_distance_km : float, optional
            Leave out what is farther in a straight line, in kilometres; a clinic exactly there
            stays. None for no limit.
        router : Router, optional
            Order by the minutes that it takes from the origin to the clinic instead, such as
            ``ketafind.travel.GraphRouter.open(path)``. One that asks a service tells it the origin.
        max_time_min : float, optional
            Leave out what takes longer, in minutes; needs a router. None for no limit.
        geocoder : Geocoder, optional
            Who reads the text of this origin; None for the directory's own. One that asks a
            network is sent the text.
        check : bool
            False to accept an origin that looks swapped or sign-changed.
        **facets : str, iterable of str or bool
            ``routes=``, ``staff=``, ``conditions=``, ``products=``, ``settings=`` and
            ``languages=``: a term or several, any of which will do; ``virtual=`` and other flags:
            True, or False for a stated NO. Joined to `where` by AND.

        Returns
        -------
        Matches
            Ordered by WGS 84 geodesic distance rounded to one micrometre, then by clinic id; with a
            router by travel time rounded to the millisecond, then by clinic id, the k that are
            nearest by time as `Matches.certificate` proves. Fewer than k where fewer are eligible,
            or can be reached; never more than k. Clinics without a position are counted, not
            listed.

        Raises
        ------
        GeocodingError
            If the origin's text is not one place.
        RoutingError
            If the router fails: a failure never shortens an answer.
        CriteriaError, UnknownTermError
            If a filter is empty, or a facet or term is not in the vocabulary.
        InvalidInputError
            If another argument cannot be used.

        Examples
        --------
        >>> import ketafind
        >>> directory = ketafind.load_directory()
        >>> near = directory.nearest("K7L 3N6", k=1, conditions="depression")
        >>> near[0].clinic.city
        'Kingston'
        >>> len(directory.nearest("K7L 3N6", k=2, routes=["iv", "intranasal"]))
        2
        """
        refuse_number(origin)
        k = check_count(k, "k")
        limit = _limit(max_distance_km)
        eligible = self._filter(where, unknown, facets)
        first = check_count(offset, "offset", 0)
        start = self._start(origin, geocoder, check=check)
        if router is None and max_time_min is None:
            return Matches(Page(Ranking(eligible, start, limit), first, first + k))
        from ketafind.query.travel import travel_ranking

        ranking = travel_ranking(eligible, start, router, limit, max_time_min)
        return Matches(Page(ranking, first, first + k))

    def within(
        self,
        origin: Origin,
        radius_km: float,
        *,
        where: Criteria | Filter | None = None,
        unknown: UnknownPolicy = "exclude",
        offset: int = 0,
        geocoder: Geocoder | None = None,
        check: bool = True,
        **facets: Terms,
    ) -> Matches:
        """Find every eligible clinic within a radius, its boundary included.

        Parameters
        ----------
        origin : str, Coordinates, Location or shapely Point
            Where the search starts; text is geocoded offline, a Point is (lon, lat). The answer's
            `Matches.origin` says how it was read.
        radius_km : float
            Kilometres of WGS 84 geodesic, 0 or more.
        where : Criteria or Filter, optional
            An expression such as ``ketafind.route("iv") & ketafind.qualified()``, or a compiled
            filter; None is no filter.
        unknown : str
            ``"exclude"`` for confirmed clinics only, ``"include"`` for possible ones too,
            ``"only"`` for those alone.
        offset : int
            Leave out so many of the first: a page as `Matches.more` gives it, without the answer.
        geocoder : Geocoder, optional
            Who reads the text of this origin; None for the directory's own. One that asks a
            network is sent the text.
        check : bool
            False to accept an origin that looks swapped or sign-changed.
        **facets : str, iterable of str or bool
            ``routes=``, ``staff=``, ``conditions=``, ``products=``, ``settings=`` and
            ``languages=``: a term or several, any of which will do; ``virtual=`` and other flags:
            True, or False for a stated NO. Joined to `where` by AND.

        Returns
        -------
        Matches
            All of them, by distance rounded to one micrometre, then by clinic id. Clinics without
            a position are counted, not listed. `Matches.n_certainly_inside` and
            `Matches.n_possibly_inside` take the 90 % radii into account.

        Raises
        ------
        GeocodingError
            If the origin's text is not one place.
        CriteriaError, UnknownTermError
            If a filter is empty, or a facet or term is not in the vocabulary.
        InvalidInputError
            If another argument cannot be used.
        """
        refuse_number(origin)
        limit = check_limit(radius_km, "radius_km")
        eligible = self._filter(where, unknown, facets)
        ranking = Ranking(eligible, self._start(origin, geocoder, check=check), limit)
        return Matches(Page(ranking, check_count(offset, "offset", 0), None))

    def inside(
        self,
        polygon: Region,
        *,
        where: Criteria | Filter | None = None,
        unknown: UnknownPolicy = "exclude",
        offset: int = 0,
        check: bool = True,
        **facets: Terms,
    ) -> Matches:
        """Find every eligible clinic inside a polygon, its boundary included.

        Parameters
        ----------
        polygon : shapely Polygon or MultiPolygon, GeoSeries or GeoDataFrame
            In (lon, lat) degrees; edges are straight in degrees. The shapes of a GeoPandas frame
            are joined, and brought to EPSG:4326 if it has a CRS.
        where : Criteria or Filter, optional
            An expression such as ``ketafind.route("iv") & ketafind.qualified()``, or a compiled
            filter; None is no filter.
        unknown : str
            ``"exclude"`` for confirmed clinics only, ``"include"`` for possible ones too,
            ``"only"`` for those alone.
        offset : int
            Leave out so many of the first: a page as `Matches.more` gives it, without the answer.
        check : bool
            False to accept a polygon that looks swapped or sign-changed.
        **facets : str, iterable of str or bool
            ``routes=``, ``staff=``, ``conditions=``, ``products=``, ``settings=`` and
            ``languages=``: a term or several, any of which will do; ``virtual=`` and other flags:
            True, or False for a stated NO. Joined to `where` by AND.

        Returns
        -------
        Matches
            All whose position is inside, by clinic id, without distances. Clinics without a
            position are counted, not listed. `Matches.n_certainly_inside` and
            `Matches.n_possibly_inside` take the 90 % radii into account.

        Raises
        ------
        CriteriaError, UnknownTermError
            If a filter is empty, or a facet or term is not in the vocabulary.
        InvalidInputError
            If it is not a valid polygon in degrees, or lies over 2,000 km from every clinic and
            would lie within 500 km of one if corrected.
        """
        area = read_region(polygon)
        region = clinics_inside(area, self._catalogue, check=check)
        eligible = self._filter(where, unknown, facets)
        inside = Filter(self._catalogue, eligible.criteria, eligible.unknown, region)
        return Matches(Page(Ranking(inside, area=area), check_count(offset, "offset", 0), None))

    def search(
        self,
        where: Criteria | Filter | None = None,
        *,
        unknown: UnknownPolicy = "exclude",
        offset: int = 0,
        **facets: Terms,
    ) -> Matches:
        """Find every eligible clinic, wherever it is, unlocated ones included.

        Parameters
        ----------
        where : Criteria or Filter, optional
            An expression such as ``ketafind.route("iv") & ketafind.qualified()``, or a compiled
            filter; None is no filter.
        unknown : str
            ``"exclude"`` for confirmed clinics only, ``"include"`` for possible ones too,
            ``"only"`` for those alone.
        offset : int
            Leave out so many of the first: a page as `Matches.more` gives it, without the answer.
        **facets : str, iterable of str or bool
            ``routes=``, ``staff=``, ``conditions=``, ``products=``, ``settings=`` and
            ``languages=``: a term or several, any of which will do; ``virtual=`` and other flags:
            True, or False for a stated NO. Joined to `where` by AND.

        Returns
        -------
        Matches
            All of them, by clinic id, without distances.

        Raises
        ------
        CriteriaError, UnknownTermError
            If a filter is empty, or a facet or term is not in the vocabulary.
        """
        ranking = Ranking(self._filter(where, unknown, facets))
        return Matches(Page(ranking, check_count(offset, "offset", 0), None))

    def nearest_arrays(
        self,
        lat: ArrayLike,
        lon: ArrayLike,
        k: int = 5,
        *,
        where: Criteria | Filter | None = None,
        unknown: UnknownPolicy = "exclude",
        threads: int | None = None,
        max_distance_km: float | None = None,
        **facets: Terms,
    ) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
        """Find the k nearest eligible clinics for each of many origins, as arrays.

        Parameters
        ----------
        lat, lon : array_like of float, shape (n,)
            Origins in decimal degrees, WGS 84; not checked for plausibility.
        k : int
            How many for each, 1 or more.
        where : Criteria or Filter, optional
            An expression such as ``ketafind.route("iv") & ketafind.qualified()``, or a compiled
            filter; None is no filter.
        unknown : str
            ``"exclude"`` for confirmed clinics only, ``"include"`` for possible ones too,
            ``"only"`` for those alone.
        threads : int, optional
            How many threads; None for what suits the machine. Answers do not depend on it.
        max_distance_km : float, optional
            Leave out what is farther, in kilometres; a clinic exactly there stays. None for no
            limit.
        **facets : str, iterable of str or bool
            ``routes=``, ``staff=``, ``conditions=``, ``products=``, ``settings=`` and
            ``languages=``: a term or several, any of which will do; ``virtual=`` and other flags:
            True, or False for a stated NO. Joined to `where` by AND.

        Returns
        -------
        distance_km : ndarray of float64, shape (n, k)
            WGS 84 geodesics, nearest first in each row; NaN where fewer than k are eligible.
        clinic_no : ndarray of intp, shape (n, k)
            Indexes `clinics`; -1 where fewer than k are eligible. Clinics at distances that are
            equal to the micrometre are in the order of their ids.

        Raises
        ------
        CriteriaError, UnknownTermError
            If a filter is empty, or a facet or term is not in the vocabulary.
        InvalidInputError
            If another argument cannot be used; names the first origin at fault.
        """
        limit = _limit(max_distance_km)
        eligible = self._filter(where, unknown, facets)
        distance_km, point_no = self._catalogue.index.nearest_many(
            lat, lon, k, eligible._prepared, limit, threads=threads
        )
        return distance_km, self._catalogue.clinic_of_point[point_no]

    @cached_property
    def _filters(self) -> FilterCache:
        return FilterCache(self._catalogue)

    def _filter(
        self,
        where: Criteria | Filter | None,
        unknown: UnknownPolicy,
        facets: Mapping[str, Any],
    ) -> Filter:
        if not isinstance(where, Filter):
            return self._filters.get(where, unknown, facets)
        if where._catalogue is not self._catalogue:
            raise InvalidInputError("this filter was compiled for another directory")
        if facets or unknown not in ("exclude", where.unknown):
            raise InvalidInputError(
                "a compiled filter is taken as it is: give its other criteria and its unknown "
                "policy to directory.filter()"
            )
        return where

    @cached_property
    def _reader(self) -> Geocoder:
        own = self._geocoder
        return bundled_geocoder(self._catalogue) if own is None else own

    def _start(self, origin: Origin, geocoder: Geocoder | None, *, check: bool) -> Start:
        if geocoder is not None:
            check_geocoder(geocoder)
        if isinstance(origin, str):
            origin = geocoded(origin, self._reader if geocoder is None else geocoder)
        start = read_origin(origin)
        if check:
            check_plausible(start, self._catalogue)
        return start

    # -- Look -------------------------------------------------------------------------------------

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

    def __iter__(self) -> Iterator[str]:
        return (clinic.clinic_id for clinic in self._catalogue.clinics)

    def __getitem__(self, clinic_id: str) -> Clinic:
        return self._catalogue.clinics[self._catalogue.clinic_no(clinic_id)]

    def __contains__(self, clinic_id: object) -> bool:
        return self._catalogue.find(clinic_id) is not None

    @overload
    def get(self, clinic_id: str) -> Clinic | None: ...
    @overload
    def get(self, clinic_id: str, default: Default) -> Clinic | Default: ...
    def get(self, clinic_id: str, default: object = None) -> object:
        """Look up a clinic by its id, or return a default where there is none.

        Parameters
        ----------
        clinic_id : str
            The id.
        default : object
            What to return where no clinic has this id.

        Returns
        -------
        Clinic or object
            The clinic, or `default`.
        """
        clinic_no = self._catalogue.find(clinic_id)
        return default if clinic_no is None else self._catalogue.clinics[clinic_no]

    def find(self, name: str, limit: int = 5) -> tuple[Clinic, ...]:
        """Look clinics up by what they are called.

        Parameters
        ----------
        name : str
            A part of the name, or a name with typing errors; case, accents, spaces and hyphens do
            not matter.
        limit : int
            How many at the most, 1 or more.

        Returns
        -------
        tuple of Clinic
            The clinics whose name or a word of it comes near, nearest first, ties by id; empty if
            none does. What is near follows the rules by which terms are suggested.

        Raises
        ------
        InvalidInputError
            If the name is not a text, or limit is not a whole number of 1 or more.

        Examples
        --------
        >>> import ketafind
        >>> [clinic.clinic_id for clinic in ketafind.load_directory().find("Caladon")]
        ['caledon-clinic']
        """
        if not isinstance(name, str):
            raise InvalidInputError(f"a clinic is named by text, not by {type(name).__name__}")
        near = nearest_names(name, self._names, check_count(limit, "limit"))
        return tuple(self._catalogue.clinics[at] for at in near)

    @cached_property
    def _names(self) -> list[list[str]]:
        return [folded_words(clinic.name) for clinic in self._catalogue.clinics]

    def values(self) -> ValuesView[Clinic]:
        """Every clinic, ordered by id.

        Returns
        -------
        ValuesView of Clinic
            As of any mapping.
        """
        return _Values(self)

    def items(self) -> ItemsView[str, Clinic]:
        """Every id with its clinic, ordered by id.

        Returns
        -------
        ItemsView of str and Clinic
            As of any mapping.
        """
        return _Items(self)

    # Content is compared by the snapshot: a directory is what a filter is compiled for.
    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        unlocated = len(self) - self._catalogue.n_located
        n = f"{len(self)} clinic{'s' if len(self) != 1 else ''}"
        return f"<Directory of {n}, {unlocated} unlocated, data {self.snapshot}>"

    def _repr_html_(self) -> str:
        from ketafind.show.html import clinics_html

        return clinics_html(self.clinics, repr(self)[1:-1])

    def evidence(
        self, clinic_id: str, facet: str | None = None, term: str | None = None
    ) -> tuple[Evidence, ...]:
        """Why a clinic's facts are believed.

        Parameters
        ----------
        clinic_id : str
            The clinic.
        facet : str, optional
            A facet, a flag, a quantity or a field such as ``"city"``; None for all.
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
        facts = self[clinic_id].evidence
        words = self.vocabulary
        if facet is not None and facet not in CLINIC_FACTS and facet not in words.quantities:
            if term is None and facet not in words.flags:
                facet = words.facet(facet).id
            else:
                facet, term = words.fact(facet, term or "")
        return tuple(
            fact for fact in facts if facet in (None, fact.facet) and term in (None, fact.term)
        )

    def qualification(
        self,
        clinic_id: str,
        level: str = "team",
        *,
        rules: RuleSet | None = None,
        lang: str = "en",
    ) -> Qualification:
        """Apply a rule set to a clinic; the result is not an endorsement.

        Parameters
        ----------
        clinic_id : str
            The clinic.
        level : str
            ``"team"``, ``"full"`` or a level that `rules` has.
        rules : RuleSet, optional
            Rules of your own; None for the bundled ``on-2026.1``.
        lang : str
            ``"en"`` or ``"fr"``.

        Returns
        -------
        Qualification
            QUALIFIED, NOT_QUALIFIED or UNDETERMINED, as `search` by ``qualified(level)`` finds
            it, with every rule's result, evidence and source. Of several services the one that
            fits best is shown.

        Raises
        ------
        UnknownClinicError
            If no clinic has this id.
        InvalidInputError
            If the rule set has no such level.

        Examples
        --------
        >>> import ketafind as kf
        >>> directory = kf.load_directory()
        >>> directory.qualification("caledon-clinic").result
        <Result.QUALIFIED: 'QUALIFIED'>
        """
        from ketafind.explain.findings import qualification
        from ketafind.qualification import bundled_rules, qualified

        clinic_no = self._catalogue.clinic_no(clinic_id)
        service = self.filter(qualified(level, rules))._service(clinic_no)
        rules = bundled_rules() if rules is None else rules
        return qualification(self._catalogue, clinic_no, service, rules, level, lang)

    def decisions(self, clinic_id: str, as_of: date | str | None = None) -> tuple[Decision, ...]:
        """List which evidence decides each fact of a clinic, and which is set aside.

        Parameters
        ----------
        clinic_id : str
            The clinic.
        as_of : date or str, optional
            The day to decide on; None believes evidence of any age.

        Returns
        -------
        tuple of Decision
            With the reason where nothing decides: ``conflict``, ``stale`` or ``undated``.

        Raises
        ------
        UnknownClinicError
            If no clinic has this id.
        InvalidInputError
            If `as_of` is not a date.
        """
        from ketafind.facts import decisions

        on = None if as_of is None else as_day(as_of)
        return decisions(self[clinic_id], self.vocabulary, on)

    def profile(self, *, lang: str = "en") -> Profile:
        """Sum up how complete, how precise and how old the data are.

        Parameters
        ----------
        lang : str
            ``"en"`` or ``"fr"``.

        Returns
        -------
        Profile
            Counts by facet, status and precision, and the dates of the evidence.
        """
        from ketafind.explain.profile import Profile

        words = (self.vocabulary,)
        return Profile(clinics=self.clinics, snapshot=self.snapshot, vocabularies=words, lang=lang)

    def validate(self, *, lang: str = "en") -> Validation:
        """Look for what is doubtful in the data, though none of it is refused.

        Parameters
        ----------
        lang : str
            ``"en"`` or ``"fr"``.

        Returns
        -------
        Validation
            Clinics without a position, a fact or a contact, facts without evidence, pages dated
            after they were read, evidence of days still to come, sources that contradict each
            other, clinics of one address, postal codes that are none, of another province or far
            from the position that is given; by clinic id.
        """
        from ketafind.explain.profile import validation

        return validation(self.clinics, self.vocabulary, lang)

    def to_frame(self, per: Literal["clinic", "service", "fact"] = "clinic") -> pd.DataFrame:
        """Return everything the directory states as a pandas frame, closed clinics included.

        Parameters
        ----------
        per : str
            ``"clinic"`` for a row a clinic, ``"service"`` for a row a service, ``"fact"`` for a row
            a fact.

        Returns
        -------
        pandas.DataFrame
            Ordered by id. A clinic or service has its fields, ``n_services`` or ``service_id``,
            each facet by its plural (the terms that are YES, joined by ``;``), ``not_offered`` (what
            is stated as NO, as ``facet:term``), ``complete``, ``combined``, each flag as ``yes`` or
            ``no``, each quantity as ``price_cad_low`` and ``price_cad_high``, the dates of its
            evidence and the columns that are not known. A clinic's row holds what its services
            state together: a flag is ``yes`` where one service has it, ``no`` where all have not.
            A fact has the columns of the evidence file, with the source that decides it; its
            `term` is the value of a field or quantity. What is not known is missing (``NA``).

        Raises
        ------
        InvalidInputError
            If `per` is none of these.

        Examples
        --------
        >>> import ketafind as kf
        >>> facts = kf.load_directory().to_frame(per="fact")
        >>> int((facts.term == "esketamine").sum())
        5
        """
        from ketafind.tables.frames import frame_from_columns, laid_out, types_of

        _, columns = laid_out(self.clinics, self.vocabulary, per)
        return frame_from_columns(columns, types_of(self.vocabulary), snapshot=self.snapshot)

    def to_geodataframe(self, per: Literal["clinic", "service"] = "clinic") -> gpd.GeoDataFrame:
        """Return every clinic or service as a point in a GeoPandas frame (extra ``geo``).

        Parameters
        ----------
        per : str
            ``"clinic"`` or ``"service"``.

        Returns
        -------
        geopandas.GeoDataFrame
            The columns of `to_frame` and ``geometry``, in EPSG:4326; None for an unlocated clinic.

        Raises
        ------
        InvalidInputError
            If `per` is neither.
        MissingExtraError
            If GeoPandas is not installed.
        """
        from ketafind.tables.frames import geodataframe_from_columns, laid_out, types_of

        if str(per) == "fact":
            raise InvalidInputError("a fact has no place: write per='clinic' or per='service'")
        _, columns = laid_out(self.clinics, self.vocabulary, per)
        kinds = types_of(self.vocabulary)
        return geodataframe_from_columns(columns, kinds, snapshot=self.snapshot)

    def plot(self, *unnamed: Never, **options: Any) -> Any:
        """Draw every clinic on a static map of land and water, without network (extra ``maps``).

        A clinic that may have closed, which is not known, is a ring, a closed one a cross.

        Parameters
        ----------
        *unnamed
            Refused: options go by name, and a file is written from what this returns.
        **options
            As in `ketafind.show.plots.plot_clinics`: ``ax``, ``figsize``, ``title``, ``labels``,
            ``basemap``, ``credit``, ``lang`` and more.

        Returns
        -------
        matplotlib.axes.Axes
            The map, in metres of its projection; ``directory.plot().figure`` to save.
        """
        from ketafind.show.plots import plot_clinics
        from ketafind.tables.frames import laid_out

        refuse_unnamed(unnamed, ".plot().figure.savefig(path)")
        _, columns = laid_out(self.clinics, self.vocabulary, "clinic")
        named = self._credit(options.get("lang", "en"))
        return plot_clinics(columns, **{"sources": [named], **options})

    def _credit(self, lang: str) -> str:
        """Name the data, and their licence where they are those that ship."""
        from ketafind.explain.sentences import Wording
        from ketafind.show.text import credited

        return credited(Wording(check_language(lang)).data(self.snapshot), self._catalogue.licence)

    def explore(self, *unnamed: Never, **options: Any) -> MapPage:
        """Show every clinic on a map to pan and zoom, beside a list; asks no other host.

        Closed clinics are among them. A clinic that may have closed, which is not known, is a
        ring, a closed one is crossed out; one without a position is in the list.

        Parameters
        ----------
        *unnamed
            Refused: options go by name, and a file is written from what this returns.
        **options
            As in `ketafind.show.map.explore_clinics`: ``column``, ``basemap``, ``title``,
            ``lang``, ``height``.

        Returns
        -------
        MapPage
            Shows itself in a notebook; ``save(path)`` writes a page.
        """
        from ketafind.explain.findings import sources
        from ketafind.show.map import explore_clinics
        from ketafind.show.text import remark
        from ketafind.tables.frames import laid_out

        refuse_unnamed(unnamed, ".explore().save(path)")
        lang, words = check_language(options.get("lang", "en")), self.vocabulary
        _, columns = laid_out(self.clinics, words, "clinic")
        evidence = [sources(one.evidence, words, lang) for one in self.clinics]
        far = [[remark(precision, lang)] for precision in columns["precision"]]
        given = {"evidence": evidence, "far": far, "notes": [self._credit(lang)], **options}
        return explore_clinics(columns, words, **given)

    def to_csv(
        self,
        path: str | PathLike[str],
        *,
        evidence: str | PathLike[str] | None = None,
        overwrite: bool = False,
        spreadsheet: bool = False,
    ) -> None:
        """Write the clinics to a CSV file that `from_csv` reads back, one row a service.

        Parameters
        ----------
        path : path
            Where to.
        evidence : path, optional
            Where to write the evidence, one row a fact; None leaves it out.
        overwrite : bool
            Replace files that are there.
        spreadsheet : bool
            Put an apostrophe before text that a spreadsheet would take for a formula; such a file
            is for looking at, not for reading back.

        Raises
        ------
        ExistingFileError
            If a file is there and `overwrite` is False.
        MissingFileError
            If there is no folder to write it in.
        """
        from ketafind.tables.frames import write_clinics, write_evidence

        how: Any = {"overwrite": overwrite, "spreadsheet": spreadsheet}
        write_clinics(self.clinics, path, vocabulary=self.vocabulary, **how)
        if evidence is not None:
            write_evidence((fact for one in self.clinics for fact in one.evidence), evidence, **how)

    def to_html(
        self, path: str | PathLike[str], *, lang: str = "en", overwrite: bool = False
    ) -> None:
        """Write a page in one file in which anybody finds the nearest clinics, in a browser alone.

        A person types a postal code, a town or an address, chooses route, staff, condition and
        more, and sees the nearest clinics on a list and a map, with distances, 90 % intervals,
        what is not known, evidence and questions to ask. All is computed in the page, with the
        answers of `nearest`; it asks nobody for anything and stores nothing.

        Parameters
        ----------
        path : path
            Where to, such as ``"finder.html"``.
        lang : str
            ``"en"`` or ``"fr"``: the language in which the page opens; it holds both.
        overwrite : bool
            Replace a file that is there.

        Raises
        ------
        ExistingFileError
            If the file is there and `overwrite` is False.
        MissingFileError
            If there is no folder to write it in.
        InvalidInputError
            If lang is another language, or the directory's geocoder is not an `OfflineGeocoder`.

        Notes
        -----
        The page reads postal codes of Ontario, halves of them, names of places there, numbered
        streets with their town or code, and decimal degrees. A code may hold one character that
        is mistaken for its look-alike; a name may not be misspelt. What it cannot read for certain
        as `nearest` would, it refuses, and offers what it can.
        """
        from ketafind.explain.questions import words_for_page
        from ketafind.guide import questions_for_page
        from ketafind.show.map import finder_page

        words = words_for_page(self.vocabulary) | {"guide": questions_for_page()}
        lang = check_language(lang)
        refuse_existing(path, overwrite=overwrite)
        facts, reader = self._catalogue.facts, self._reader
        page = finder_page(self.clinics, self.vocabulary, facts, reader, self.snapshot, words, lang)
        page.save(path, overwrite=overwrite)

    def to_geojson(self) -> dict[str, Any]:
        """Return everything the directory states as GeoJSON (RFC 7946), a feature a clinic.

        Returns
        -------
        dict
            A FeatureCollection that `from_geojson` reads back; the properties are those of
            `Clinic.to_dict`, and the geometry of an unlocated clinic is null.
        """
        from ketafind.show.exports import clinic_features

        return clinic_features(self.clinics, self.snapshot)

    def to_fhir(self, *, lang: str = "en") -> dict[str, Any]:
        """Return everything the directory states as an HL7 FHIR R4 Bundle.

        Parameters
        ----------
        lang : str
            ``"en"`` or ``"fr"``: the language of what is there for people to read.

        Returns
        -------
        dict
            A collection that `from_fhir` reads back: Location, HealthcareService, Organization,
            PractitionerRole (kinds of staff, no persons) and VerificationResult (evidence).

        Raises
        ------
        InvalidInputError
            If lang is another language.
        """
        from ketafind.show.fhir import bundle

        offers = ((one, one.services, None) for one in self.clinics)
        named = check_language(lang)
        return bundle(offers, self.vocabulary, str(self.snapshot), lang=named)

    def export(
        self,
        path: str | PathLike[str],
        format: str | None = None,  # noqa: A002
        *,
        overwrite: bool = False,
        spreadsheet: bool = False,
        lang: str = "en",
    ) -> None:
        """Write everything the directory states to a file for other programs.

        Parameters
        ----------
        path : path
            Where to.
        format : str or None
            ``"geojson"``, ``"fhir"``, ``"hsds"`` or ``"datapackage"``, which are read back without
            a loss; ``"csv"`` (without evidence), ``"excel"``, ``"geopackage"``, ``"geoparquet"`` or
            ``"jsonld"`` (schema.org). None for what the ending of the path says.
        overwrite : bool
            Replace a file that is there.
        spreadsheet : bool
            In CSV, put an apostrophe before text that a spreadsheet would take for a formula.
        lang : str
            ``"en"`` or ``"fr"``: the language of what is there for people to read.

        Raises
        ------
        InvalidInputError
            If there is no such format, or lang is another language.
        MissingExtraError
            If the format needs what is not installed (extra ``exports``).
        ExistingFileError
            If the file is there and `overwrite` is False.
        MissingFileError
            If there is no folder to write it in.
        """
        from ketafind.show.exports import Export
        from ketafind.tables.frames import clinics_text

        named, clinics = check_language(lang), self.clinics
        text = clinics_text(clinics, self.vocabulary, spreadsheet=spreadsheet)
        Export(self, clinics, text, named).write(path, format, overwrite=overwrite)

    def diff(self, other: Directory, *, lang: str = "en") -> Difference:
        """List what changed from this directory to another.

        Parameters
        ----------
        other : Directory
            The later one.
        lang : str
            ``"en"`` or ``"fr"``.

        Returns
        -------
        Difference
            Clinics, services, fields and facts that were added, removed or changed, by clinic id,
            with the evidence of what is new. Empty for equal clinics.

        Raises
        ------
        InvalidInputError
            If it is not a directory.
        """
        from ketafind.explain.profile import difference

        if not isinstance(other, Directory):
            raise InvalidInputError(f"diff takes a Directory, not {type(other).__name__}")
        return difference(self._catalogue, other._catalogue, lang)


def _checked(
    vocabulary: Vocabulary | None, geocoder: Geocoder | None, index: IndexName | None
) -> Vocabulary:
    """Refuse what a directory cannot be made with, before anything is read."""
    words = checked_vocabulary(vocabulary)
    if index is not None:
        make_index(index)
    if geocoder is not None:
        check_geocoder(geocoder)
    return words


def _limit(max_distance_km: float | None) -> float:
    return math.inf if max_distance_km is None else check_limit(max_distance_km, "max_distance_km")


class _Values(ValuesView[Clinic]):
    """Clinics one after the other: looking up each by its id takes far longer."""

    _mapping: Directory

    def __iter__(self) -> Iterator[Clinic]:
        return iter(self._mapping.clinics)


class _Items(ItemsView[str, Clinic]):
    """Ids with their clinics one after the other."""

    _mapping: Directory

    def __iter__(self) -> Iterator[tuple[str, Clinic]]:
        return ((clinic.clinic_id, clinic) for clinic in self._mapping.clinics)


def _reopened(path: str, snapshot_id: str, geocoder: Geocoder | None) -> Directory:
    try:
        file = stat(path)
    except OSError:
        return Directory.open(path)  # which says what is wrong
    opened = _reopened_once(path, snapshot_id, (file.st_ino, file.st_size, file.st_mtime_ns))
    return opened if geocoder is None else Directory(opened._catalogue, geocoder)


@lru_cache(maxsize=8)  # a worker gets the same directory with every task
def _reopened_once(path: str, snapshot_id: str, _file: tuple[int, ...]) -> Directory:
    directory = Directory.open(path, verify=False)
    if directory.snapshot.id != snapshot_id:
        raise DirectoryFileError(
            f"{path} holds the data {directory.snapshot} and not {snapshot_id}: it was replaced "
            f"after the directory was pickled"
        )
    return directory


def load_directory(
    as_of: date | str | None = None, *, geocoder: Geocoder | None = None
) -> Directory:
    """Load the bundled snapshot of Ontario clinics; opens no socket.

    Parameters
    ----------
    as_of : date or str, optional
        Believe only what is fresh enough on that day and was read by then: a regulator's statement
        for 90 days, any other for 365. None believes evidence of any age.
    geocoder : Geocoder, optional
        Who reads the text of origins, offline, such as ``OfflineGeocoder(region="CA")`` for people
        who search from another province; None for the bundled offline geocoder.

    Returns
    -------
    Directory
        The same object each time where nothing else is given: a directory never changes.

    Raises
    ------
    InvalidInputError
        If `as_of` is not a date, or the geocoder does not work offline.

    Examples
    --------
    >>> import ketafind
    >>> len(ketafind.load_directory())
    28
    """
    directory = _bundled()
    if geocoder is not None:
        check_works_offline(geocoder)
        directory = Directory(directory._catalogue, geocoder)
    return directory if as_of is None else directory.as_of(as_of)


@cache
def _bundled() -> Directory:
    directory = Directory.from_csv(
        bundled("ontario_clinics.csv"), evidence=bundled("ontario_clinics_evidence.csv")
    )
    directory._catalogue.licence = LICENCE
    return directory

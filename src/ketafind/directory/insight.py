"""What a directory says of its clinics, and of itself."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Self

from ketafind.directory.queries import Queries
from ketafind.errors import InvalidInputError
from ketafind.index import default_index
from ketafind.matches import Catalogue

if TYPE_CHECKING:
    from ketafind.directory.comparing import Difference
    from ketafind.directory.profiling import Profile, Validation
    from ketafind.explanation import Qualification
    from ketafind.qualification import RuleSet
    from ketafind.resolution import Decision

__all__ = ["Insight"]


class Insight(Queries):
    """Judgements on single clinics and on the data as a whole.

    Parameters
    ----------
    catalogue : Catalogue
        The data, indexed.
    """

    def qualification(
        self,
        clinic_id: str,
        level: str = "team",
        *,
        rules: RuleSet | None = None,
        lang: str = "en",
    ) -> Qualification:
        """Apply a rule set to a clinic; it is no endorsement.

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
        from ketafind.matches.qualify import qualification
        from ketafind.qualification import bundled_rules, qualified

        position = self._catalogue.position(clinic_id)
        service = self.filter(qualified(level, rules)).service(position)
        rules = bundled_rules() if rules is None else rules
        return qualification(self._catalogue, position, service, rules, level, lang)

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
            If it is no date.

        Examples
        --------
        >>> import ketafind as kf
        >>> directory = kf.load_directory()
        >>> later = directory.as_of("2028-01-01")
        >>> len(later), len(later.search(routes="iv"))
        (26, 0)
        """
        from ketafind.resolution import as_day, resolved

        on, words = as_day(day), self._catalogue.vocabulary
        clinics = (resolved(clinic, words, on) for clinic in self._catalogue.clinics)
        return type(self)(Catalogue.build(clinics, words, default_index))

    def decisions(self, clinic_id: str, as_of: date | str | None = None) -> tuple[Decision, ...]:
        """Tell for each fact of a clinic which evidence decides it, and which is set aside.

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
            If `as_of` is no date.
        """
        from ketafind.resolution import as_day, decisions

        clinic = self._catalogue.clinics[self._catalogue.position(clinic_id)]
        on = None if as_of is None else as_day(as_of)
        return decisions(clinic, self._catalogue.vocabulary, on)

    def profile(self, lang: str = "en") -> Profile:
        """Tell how complete, how precise and how old the data are.

        Parameters
        ----------
        lang : str
            ``"en"`` or ``"fr"``.

        Returns
        -------
        Profile
            Counts by facet, status and precision, and the dates of the evidence.
        """
        from ketafind.directory.profiling import Profile

        catalogue = self._catalogue
        return Profile(catalogue.clinics, catalogue.vocabulary, catalogue.snapshot, lang)

    def validate(self, lang: str = "en") -> Validation:
        """Look for what is doubtful in the data, though none of it is refused.

        Parameters
        ----------
        lang : str
            ``"en"`` or ``"fr"``.

        Returns
        -------
        Validation
            Clinics without a position, a fact or a contact, facts without evidence, sources that
            contradict each other, clinics of one address; by clinic id.
        """
        from ketafind.directory.profiling import Validation, doubts

        return Validation(doubts(self._catalogue.clinics, self._catalogue.vocabulary), lang)

    def diff(self, other: Insight, lang: str = "en") -> Difference:
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
            If it is no directory.
        """
        from ketafind.directory.comparing import Difference, differences

        if not isinstance(other, Insight):
            raise InvalidInputError(f"diff takes a Directory, not {type(other).__name__}")
        one, two = self._catalogue, other._catalogue
        changes = differences(one.clinics, two.clinics)
        vocabularies = (two.vocabulary, one.vocabulary)
        return Difference(changes, one.snapshot, two.snapshot, vocabularies, lang)

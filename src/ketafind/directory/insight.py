"""What a directory says of its clinics, and of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ketafind.directory.queries import Queries

if TYPE_CHECKING:
    from ketafind.explanation import Qualification
    from ketafind.qualification import RuleSet

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

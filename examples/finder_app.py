"""A page on Streamlit: `pip install ketafind streamlit`, then `streamlit run finder_app.py`.

Everything is computed where it runs; the place is in no address and no log.
"""

import streamlit as st

import ketafind as kf

WORDS = {
    "en": ("Nearest clinics", "Town or postal code", "Route", "Treats", "Also where it is not known"),
    "fr": ("Cliniques les plus proches", "Ville ou code postal", "Voie", "Traite", "Aussi là où on ne sait pas"),
}  # fmt: skip


@st.cache_resource
def directory() -> kf.Directory:
    """One directory for all visitors: it never changes."""
    return kf.load_directory()


data = directory()
lang = st.sidebar.radio("Language / Langue", list(WORDS), horizontal=True)
title, where_from, route, treats, also = WORDS[lang]


def choice(label: str, facet: str) -> list[str]:
    """A list of the facet's terms, by their names."""
    terms = {term.id: term.label(lang) for term in data.vocabulary.facet(facet)}
    return st.sidebar.multiselect(label, list(terms), format_func=terms.__getitem__)


st.title(title)
place = st.text_input(where_from)
routes, conditions = choice(route, "route"), choice(treats, "condition")
unknown: kf.UnknownPolicy = "include" if st.sidebar.checkbox(also) else "exclude"
if place:
    try:
        near = data.nearest(
            place, k=5, routes=routes or None, conditions=conditions or None, unknown=unknown
        )
    except kf.KetafindError as error:
        st.error(error.text(lang))
    else:
        table = near.to_frame(lang=lang)
        st.dataframe(table, hide_index=True)
        st.text(near.explain(lang=lang))
        st.text(near.questions(lang=lang))
st.caption(kf.guide.notice(lang))
st.caption(f"{data.snapshot}")

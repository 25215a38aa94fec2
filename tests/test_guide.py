"""The guide: complete in two languages, with its notice, and taking nothing about a person."""

from __future__ import annotations

import inspect
import json
import re

import pytest

from ketafind import guide
from ketafind.errors import InvalidInputError, UnknownTermError
from ketafind.vocabulary import default_vocabulary

TOPICS = (
    "how_it_works", "benefits", "routes", "course", "questions", "preparation", "side_effects",
    "contraindications", "follow_up",
)  # fmt: skip


def test_the_topics_are_those_of_the_field():
    assert guide.topics() == TOPICS


@pytest.mark.parametrize("name", TOPICS)
def test_every_topic_says_the_same_in_both_languages_and_bears_the_notice(name):
    english, french = guide.topic(name), guide.topic(name, lang="fr-CA")
    assert len(english.paragraphs) == len(french.paragraphs)
    assert [item.term for item in english.items] == [item.term for item in french.items]
    assert english.paragraphs or english.items
    for told in (english, french):
        assert guide.notice(told.lang) in str(told)
        assert guide.notice(told.lang)[:40].split("'")[0] in told._repr_html_()
        assert json.loads(json.dumps(told.to_dict()))["title"] == told.title
    words = set(re.findall(r"[a-z]+", str(french).lower()))
    assert not words & {"the", "and", "of", "with", "is", "are", "not", "for", "by"}


def test_the_notice_says_that_it_is_no_medical_advice():
    assert "not medical advice" in guide.notice()
    assert "pas des conseils médicaux" in guide.notice("fr")


def test_no_text_promises_or_endorses():
    for lang in ("en", "fr"):
        whole = " ".join(str(guide.topic(name, lang)) for name in TOPICS)
        assert not re.search(r"\bsafe\b|recommend|guarantee|\bcure|sécuritaire|recommand", whole)


def test_terms_named_are_terms_of_the_vocabulary():
    routes = default_vocabulary().facet("route")
    assert all(item.term in routes for item in guide.topic("routes").items)


def test_no_function_takes_anything_but_a_topic_and_a_language():
    for name in guide.__all__:
        value = getattr(guide, name)
        if inspect.isfunction(value):
            assert set(inspect.signature(value).parameters) <= {"name", "lang"}


def test_what_is_no_topic_is_refused_with_the_known_ones():
    with pytest.raises(UnknownTermError, match="how_it_works"):
        guide.topic("dosage")
    with pytest.raises(InvalidInputError):
        guide.topic(None)
    with pytest.raises(InvalidInputError, match="'en', 'fr'"):
        guide.topic("course", lang="de")

"""What people who show search results to patients should know: text only, in two languages.

General information, not medical advice. Nothing here takes facts about a person.

>>> from ketafind import guide
>>> guide.topics()[0]
'how_it_works'
>>> print(guide.topic("course", lang="fr").title)
Le déroulement du traitement
"""

from ketafind.guide.topics import Item, Topic, notice, topic, topics

__all__ = ["Item", "Topic", "notice", "topic", "topics"]

"""Where the sentences of a caption end: not at “Dr.”, “U.S.”, “z. B.”, “No. 5” or “1.”.

Rules of our own: pysbd, which knows more languages, warns at import since Python 3.12. In doubt a
place is no end.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_CLOSING = r"[\"'”’»)\]]*"
_CANDIDATE = re.compile(rf"[.!?…؟۔।॥]+{_CLOSING}(?=\s|$)|[。！？]+[」』）]*")
_OPENING = " \t\r\n\"'“„«(["
_WORD_BEFORE = re.compile(r"[^\s(\[{“„\"'’«‹]*$")
_QUOTES = {"”": "“", "’": "‘", "»": "«"}
_INITIALS = re.compile(r"(?:[^\W\d_]\.)*[^\W\d_]")
# Before a name or a number: English, German, French, Spanish, Italian, Dutch, Russian.
_BEFORE_NAMES = """
mr mrs ms messrs dr prof st mt ave blvd rd gen col sgt capt lt cmdr adm rev hon gov sen rep pres
vs approx fig figs vol pp dept est cf ca
hr fr nr bzw str bspw evtl ggf inkl vgl sog geb abb dipl ing hrsg mio mrd
mm mme mlle mlles pr ste bd env
sr sra srta sres dra ud uds dña avda av núm pág
sig sigg dott avv geom pag
dhr mevr bijv
ул им руб тыс млн пл пр рис см проф
"""
# At these a sentence may end, if a capital follows.
_AT_THE_END_TOO = "etc usw ecc enz jr inc ltd co corp a.m p.m др г"
_BEFORE_NUMBERS = "no nos num n p ch bl"
_GERMAN_AFTER_ORDINALS = re.compile(
    r"\s+(?:Januar|Februar|März|April|Mai|Juni|Juli|August|September|Oktober|November|Dezember"
    r"|Jahrhundert|Stock|Etage|Klasse|Platz)"
)


def sentence_ends(text: str) -> Iterator[int]:
    """Yields the place behind each sentence of `text`, with the quotes that close it."""
    first = next((sign for sign in text if sign.isalpha()), "")
    begin = 0
    for found in _CANDIDATE.finditer(text):
        rest = text[found.end() :]
        following = rest.lstrip(_OPENING)[:1]
        # Some models write no capitals at all.
        goes_on = following.islower() and not first.islower()
        if goes_on and not _ends_with_speech(text[begin : found.end()]):
            continue
        is_dot = found[0].startswith(".") and not found[0].startswith("..")
        if not (is_dot and _is_abbreviated(text, found.start(), following)):
            begin = found.end()
            yield begin


def _ends_with_speech(text: str) -> bool:
    """Returns whether `text` may end with the quoted speech at its end: “He said “stop!””."""
    closing = text[-1]
    before = text.rpartition(_QUOTES.get(closing, closing))[0]
    return closing in _QUOTES and any(sign.isalpha() for sign in before)


def _is_abbreviated(text: str, dot: int, following: str) -> bool:
    """Returns whether the dot belongs to the word or number before it."""
    match = _WORD_BEFORE.search(text, text.rfind("\n", 0, dot) + 1, dot)
    word = match[0].casefold() if match else ""
    if word in _AT_THE_END_TOO.split():
        return False
    if word.isdigit():
        line = text[text.rfind("\n", 0, dot) + 1 : dot - len(word)]
        return not line.strip() or bool(_GERMAN_AFTER_ORDINALS.match(text, dot + 1))
    if word in _BEFORE_NUMBERS.split() and following.isdigit():
        return True
    # German streets are written as one word: “Hauptstr.”.
    is_known = word in _BEFORE_NAMES.split() or word.endswith("str")
    return is_known or bool(_INITIALS.fullmatch(word))

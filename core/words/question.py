"""The question that asks a model whether the thing that a word of its answer names is in the image.

English only. There is no grammar here, only usual endings and some lists of words. Where they fail,
the question is clumsy, but so are the questions that its answer is compared with
(`absent_questions`).
"""

from __future__ import annotations

from collections.abc import Sequence

from core.words.evidence import Word
from core.words.splitting import is_function_word, split_words

# Content words that do not name anything one could look for.
_NO_THINGS = """
left right top bottom middle center centre corner side edge front back foreground background upper
lower image picture photo photograph photographs scene drawing view text features shows depicts
nothing anything something everything someone thing things way kind variety plain one
behind close closer closest visible seen shown made held worn set sits sit stands stand lies lie
hangs hang rests holds hold wears wear looks look plays play gives adds creates contains know make
overall together nearby
"""
_NUMBERS = """
two three four five six seven eight nine ten eleven twelve several many few various some
"""
_COLOURS = """
white black grey gray red orange yellow green blue purple pink brown beige light dark
"""
# Things whose names end in "-ing". Other such words say what something does: "riding". The same
# goes for "-ed" ("parked") and "-ly" ("possibly") below.
_ING_THINGS = """
building ceiling clothing ring earring king wing string spring swing painting railing awning icing
frosting lighting lightning wedding pudding duckling dumpling seedling
"""
# These belong to a name also after other words of it: "a wooden dining table", but not "watching"
# in "people watching tennis".
_ING_IN_NAMES = """
dining living parking sleeping ironing swimming cutting washing sewing shopping fishing
"""
_ED_THINGS = "bed red shed sled seed weed reed tweed bobsled flatbed hundred"
_LY_THINGS = "fly butterfly dragonfly family jelly lily belly doily trolly bully holly"
_SINGULARS = "tennis iris chassis trellis axis canvas gas lens atlas christmas"
_PLURALS = "people children sheep geese mice feet teeth dice"
_ONE = "a an another one"
_DETERMINERS = """
a an another one the this that his her their its my your our each every no any some single
"""
# Words that begin with a vowel letter but not with a vowel sound.
_CONSONANTS = ("uni", "use", "usu", "eu", "ute", "one-")
# Things that pictures hardly ever show. If a picture does show one, the median of five is the same.
ABSENT_THINGS = ("an accordion", "a lobster", "an anchor", "a telescope", "a cactus")


def question_about(text: str, word: Word) -> str | None:
    """Returns the question whether the thing that `word` of `text` names is in the image.

    Returns None if the word names no thing: a position, a number, an action, a function word.
    """
    words = _Words(text)
    if (word.begin, word.end) not in words.spans:
        return None
    at = words.spans.index((word.begin, word.end))
    if not words.may_name(at):
        return None
    first, last = words.name_around(at)
    name = text[words.spans[first][0] : words.spans[last][1]]
    if words.begins_sentence(first) and name[1:2].islower():
        name = name[0].lower() + name[1:]
    if all(part in _COLOURS.split() for part in name.lower().split()):
        return f"Is there anything {name} in the image?"
    before = words.lower[first - 1] if first else ""
    if before in _NUMBERS.split() or (_is_plural(name) and before not in _ONE.split()):
        return f"Are there any {name} in the image?"
    is_led = first > 0 and words.are_joined(first - 1, first)
    if is_led and before not in {"and", "or", *_DETERMINERS.split()}:
        return f"Is there {name} in the image?"
    has_vowel = name[0].lower() in "aeiou" and not name.lower().startswith(_CONSONANTS)
    return f"Is there {'an' if has_vowel else 'a'} {name} in the image?"


def _is_plural(name: str) -> bool:
    head = name.lower().split(" of ")[0].split()[-1]
    if head in _PLURALS.split() or (head.endswith("men") and head != "specimen"):
        return True
    return head.endswith("s") and not (head.endswith(("ss", "us")) or head in _SINGULARS.split())


def absent_questions(text: str) -> list[str]:
    """Returns the same question about things that are hardly ever there and that `text` does not
    mention."""
    said = text.lower()
    absent = [thing for thing in ABSENT_THINGS if thing.split()[1] not in said]
    return [f"Is there {thing} in the image?" for thing in absent or ABSENT_THINGS]


class _Words:
    """The words of a text: their `spans` in it, and their `lower` case forms."""

    def __init__(self, text: str):
        self._text = text
        self.spans = list(split_words(text))
        self.lower: Sequence[str] = [text[begin:end].lower() for begin, end in self.spans]

    def may_name(self, number: int) -> bool:
        """Whether word `number` may name a thing, or be part of the name of one."""
        word = self.lower[number]
        if is_function_word(word) or word in {*_NO_THINGS.split(), *_NUMBERS.split()}:
            return False
        if word.endswith("ing") and len(word) > len("ping"):
            return word in _ING_THINGS.split() or self._describes_next(number)
        if word.endswith("ly"):
            return word in _LY_THINGS.split()
        if word.endswith("ed") and word not in _ED_THINGS.split():
            # "A parked car", and not "cars parked there".
            following = number + 1 < len(self.lower) and self.are_joined(number, number + 1)
            return following and self.may_name(number + 1)
        return True

    def _describes_next(self, number: int) -> bool:
        """Whether a word in "-ing" belongs to the thing named after it: "two dancing women"."""
        if not (0 < number < len(self.lower) - 1 and self.are_joined(number, number + 1)):
            return False
        if not (self.are_joined(number - 1, number) and self.may_name(number + 1)):
            return False
        before = self.lower[number - 1]
        if before in {"of", *_DETERMINERS.split(), *_NUMBERS.split()}:
            return True
        return self.lower[number] in _ING_IN_NAMES.split() and self.may_name(number - 1)

    def name_around(self, at: int) -> tuple[int, int]:
        """Returns the first and last word of the name that word `at` is part of: "cup of green
        tea"."""
        first = last = at
        while first > 0:
            step = 2 if self.lower[first - 1] == "of" and first > 1 else 1
            if not (self.are_joined(first - step, first) and self.may_name(first - step)):
                break
            first -= step
        while last + 1 < len(self.lower):
            step = 2 if self.lower[last + 1] == "of" and last + 2 < len(self.lower) else 1
            if not (self.are_joined(last, last + step) and self.may_name(last + step)):
                break
            last += step
        return first, last

    def are_joined(self, left: int, right: int) -> bool:
        """Whether there is nothing but spaces and "of" between two words."""
        between = self._text[self.spans[left][1] : self.spans[right][0]]
        return between.strip() in {"", "of"} and "\n" not in between

    def begins_sentence(self, number: int) -> bool:
        """Whether word `number` is the first of the text or follows a full stop, "!" or "?"."""
        begin = self.spans[number][0]
        return number == 0 or self._text[begin - 2 : begin] in {". ", "! ", "? "}

"""The words of an answer: what each rests on, how doubtful it is, and what to ask about it.

`evidence` holds the data (`Word`, `Evidence`, `WordMap`) and splits text into words, `doubt` turns
probabilities into degrees of doubt, `question` makes the question that asks whether a named thing
is in the image. Nothing here imports torch; `core.llava.evidence` computes the figures.
"""

from core.words.doubt import doubts
from core.words.evidence import (
    Candidate,
    Evidence,
    Presence,
    Word,
    WordMap,
    is_function_word,
    is_list_number,
    split_words,
    strongest_region,
)
from core.words.question import absent_questions, question_about

__all__ = [
    "Candidate",
    "Evidence",
    "Presence",
    "Word",
    "WordMap",
    "absent_questions",
    "doubts",
    "is_function_word",
    "is_list_number",
    "question_about",
    "split_words",
    "strongest_region",
]

"""The words of an answer: what each is based on, how doubtful it is, and what to ask about it.

`evidence` holds the data (`Word`, `Evidence`, `WordMap`), `splitting` splits text into words,
`doubt` turns probabilities into degrees of doubt, and `question` makes the question whether a named
thing is in the image. Nothing here imports torch; `core.llava.evidence` computes the figures.
"""

from core.words.doubt import doubts
from core.words.evidence import (
    Candidate,
    Evidence,
    Presence,
    TokenEvidence,
    Word,
    WordMap,
    strongest_region,
)
from core.words.question import absent_questions, question_about
from core.words.splitting import has_words, is_function_word, is_list_number, split_words

__all__ = [
    "Candidate",
    "Evidence",
    "Presence",
    "TokenEvidence",
    "Word",
    "WordMap",
    "absent_questions",
    "doubts",
    "has_words",
    "is_function_word",
    "is_list_number",
    "question_about",
    "split_words",
    "strongest_region",
]

"""The words of an answer: what each is based on, how doubtful it is, and what to ask about it.

`evidence` holds the data (`Word`, `Evidence`, `WordMap`), `splitting` splits text into words,
`doubt` turns probabilities into degrees of doubt, `judging` does so for the words that an answer's
tokens make up, and `question` makes the question whether a named thing is in the image. Nothing
here imports torch; `core.llava.evidence` computes the figures, or a server gives them.
"""

from core.words.evidence import (
    Box,
    Candidate,
    Evidence,
    Presence,
    TokenEvidence,
    Word,
    WordMap,
    strongest_region,
)
from core.words.judging import joined_candidates, judged_words
from core.words.question import absent_questions, question_about
from core.words.splitting import has_words, split_words

__all__ = [
    "Box",
    "Candidate",
    "Evidence",
    "Presence",
    "TokenEvidence",
    "Word",
    "WordMap",
    "absent_questions",
    "has_words",
    "joined_candidates",
    "judged_words",
    "question_about",
    "split_words",
    "strongest_region",
]

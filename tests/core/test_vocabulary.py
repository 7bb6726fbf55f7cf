"""Prompts outside of what the built-in model was trained on are found, and others are not."""

import random
import subprocess
import sys
from pathlib import Path

import pytest

from core.resources import RESOURCES
from core.vocabulary import Vocabulary, listed, unknown_note

ROOT = Path(__file__).parents[2]
RECIPE = ROOT / "packaging" / "train_built_in_model"
OTHER_LANGUAGES = """
Was ist auf diesem Bild zu sehen?|Wo ist die Katze?|Beschreibe das Bild bitte genau.
Wie viele Hunde siehst du?|Welche Farbe hat der Hintergrund?|was steht da
Qu'est-ce qu'il y a sur cette image ?|Décris cette image en détail.|Combien de pommes vois-tu ?
¿Qué hay en esta imagen?|¿Cuántos perros ves?|Describe la imagen en detalle.
Cosa c'è in questa immagine?|Descrivi questa immagine.|O que há nesta imagem?
Wat staat er op deze foto?|Hoeveel honden zie je?|Co jest na tym obrazku?|Opisz ten obraz.
Vad finns på bilden?|Hvad er der på billedet?|Mitä kuvassa on?|Mi van a képen?|Bu resimde ne var?
Что изображено на картинке?|Скільки тут котів?|Τι υπάρχει στην εικόνα;|Có gì trong ảnh này?
这张图片里有什么？|この画像には何がありますか？|猫はどこですか
이 사진에 무엇이 있나요?|ในภาพนี้มีอะไรบ้าง
ماذا يوجد في هذه الصورة؟|מה יש בתמונה?|इस चित्र में क्या है?|Quid in imagine vides?
"""
EMOJI = "Is there a 🐱?|🍎?|How many 🐶 are there?|What is this 🤔|Describe this image 😀|❤️❤️|👩‍👩‍👧"
OFF_TOPIC = """
Book me a flight to Lisbon next Tuesday.|def main(): return 42|asdf qwer zxcv|lkjhgf
Refactor this Python function to use asyncio.|Is the wombat next to the theodolite?
Estimate the tensile strength of the bridge's suspension cables.
Which zoning ordinance applies to this building?|Is the left ventricle enlarged on this scan?
Transcribe the serial number engraved on the chassis.|Compare the brushwork with late Monet.
Does the typography follow Swiss design principles?|Please diagnose the rash on his forearm.
Which aperture and shutter speed did the photographer choose?
Assess the structural damage to the roof after the hurricane.
What dosage of ibuprofen should I take?|Return JSON with bounding boxes for every pedestrian.
Count the windows with broken panes on the north facade.|Extract the invoice total and VAT number.
Translate the plaque into Portuguese.|Is the espresso machine plugged in?
Rank the dishes by cholesterol.|Does he look Scandinavian?|Why did the Bundesbank object?
"""
OUTSIDE = [
    prompt
    for text in (OTHER_LANGUAGES, EMOJI, OFF_TOPIC)
    for line in text.strip().split("\n")
    for prompt in line.split("|")
]


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return Vocabulary.read(RESOURCES / "built_in_model" / "vocabulary.txt")


def of_the_recipe(code: str) -> list[str]:
    """What code of the recipe prints, whose modules have names that only stand there."""
    lines = [f"import sys; sys.path[:0] = [{str(RECIPE)!r}, {str(ROOT)!r}]", code]
    run = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], capture_output=True, encoding="utf-8", check=True
    )
    return run.stdout.splitlines()


def test_prompts_in_other_languages_with_emoji_and_off_topic_are_found(vocabulary):
    missed = [prompt for prompt in OUTSIDE if not vocabulary.unknown(prompt)]
    assert len(OUTSIDE) >= 60
    assert len(missed) <= 0.05 * len(OUTSIDE), missed


def test_questions_that_training_never_showed_are_not(vocabulary):
    """Other scenes than those that the words are from, with slips as people make them."""
    code = (
        "import random, exchanges, vocabulary\n"
        "rng = random.Random(7)\n"
        "for question in vocabulary.drawn_questions(seed=50, scenes=600):\n"
        "    print(exchanges.worn(rng, question))"
    )
    questions = of_the_recipe(code)
    assert len(questions) > 4000
    false = [question for question in questions if vocabulary.unknown(question)]
    assert len(false) <= 0.01 * len(questions), false


def test_every_word_of_the_phrasings_is_known(vocabulary):
    """The file is older than they are if not: `train_built_in_model vocabulary` writes it again."""
    words = of_the_recipe(
        "import vocabulary\nprint(*sorted(vocabulary.written_words()), sep='\\n')"
    )
    assert len(words) > 1500
    assert set(words) <= set(vocabulary.words)


@pytest.mark.parametrize(
    "prompt",
    [
        "", "  ", "?!", "Where is the cat?", "WHERE IS THE CAT?", "where's the cat", "Where’s it?",
        "How many  things\nare there", "Does it say “GRÜSSE”?", 'Is "Tür" written here?',
        "Is the word XQJZ in the image?", "whree is teh cat", "Describ this imagge.",
        "Do yous ee the alarmclock?", "How many of the 12 things?", "the cat — is it left…",
    ],
)  # fmt: skip
def test_slips_quotations_capitals_and_numbers_are_known(vocabulary, prompt):
    assert vocabulary.unknown(prompt) == ()


@pytest.mark.parametrize(
    ("prompt", "unknown"),
    [
        ("Wo ist die Katze? Wo?", ("Wo", "Katze")),
        ("Where is the 👩‍👩‍👧 and the ❤️?", ("👩‍👩‍👧", "❤️")),
        ("इस चित्र", ("इस", "चित्र")),
        ("Describe the cafe\u0301.", ("cafe\u0301",)),
        ("Is there ½ or ③?", ("½", "③")),
    ],
)
def test_what_is_unknown_is_named_as_it_was_written_and_once(vocabulary, prompt, unknown):
    assert vocabulary.unknown(prompt) == unknown


def test_any_text_is_looked_at(vocabulary):
    chance = random.Random(3)
    for _ in range(300):
        text = "".join(chr(chance.randrange(0x3000)) for _ in range(40))
        for part in vocabulary.unknown(text):
            assert part
            assert part in text
    assert vocabulary.unknown("\ud800 \udfff") == ("\ud800", "\udfff")


@pytest.mark.no_cover  # It measures time.
def test_a_long_prompt_takes_no_time(vocabulary):
    import time

    prompt = "Where is the wombat and the cat? " * 300
    began = time.thread_time()
    assert vocabulary.unknown(prompt) == ("wombat",)
    assert time.thread_time() - began < 1.0


def test_the_note_names_a_few_words():
    assert listed(("a", "b", "c")) == "“a”, “b”, “c”"
    assert listed(("a", "b", "c", "d")) == "“a”, “b”, “c” …"
    assert unknown_note(("Katze",)) == (
        "The model does not know “Katze”, so its answer may be wrong."
    )

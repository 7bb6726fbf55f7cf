"""Where a caption is cut when the length runs out inside a sentence."""

import pytest

from core.captions.wording import to_last_sentence

WHOLE = [
    "A U.S. flag over a",
    "Two cats (e.g. tabby) on",
    "1. A cat on a mat",
    "A bus, No. 5, parked at St. Pancras with",
    "A portrait of Dr. Smith near the",
    "A statue of J. S. Bach before",
    "Approx. five birds vs. a",
    "Ein Schild an der Hauptstr. Nr. 5 und",
    "Der Plan vom 3. Mai hängt z. B. neben",
    "Das Bild zeigt Hr. Müller, d. h. den",
    "Une photo de M. Dupont et Mme. Durand avec",
    "Un autobus de l’av. Foch, p. ex. vers",
    "El Sr. García y la Sra. López en",
    "Una foto del Dr. Ruiz, pág. 3, con",
    "Il Sig. Rossi e il Dott. Bianchi con",
    "Дом на ул. Ленина, т. е. в",
    "Портрет проф. Иванова, см. рис. 3 на",
    "He waits... and looks at",
    "“Stop!” it says on a",
    "A list:\n1. A cat\n2. A dog without",
    "No sentence ends in here",
]
CUT = [
    ("A cat sits.", " A portrait of Dr. Smith near the"),
    ("A cat sits.", " Behind it stands Dr."),
    ("A cat. It has 3.5 kg!", " And a"),
    ("There are 12.", " A dog is"),
    ("Is it red? No.", " A dog is"),
    ("Dogs, cats, etc.", " A man"),
    ("A clock shows 3 p.m.", " Below it"),
    ("“It is late.”", " A man says"),
    ("Apples, pears (and one plum).", " A man"),
    ("a cat sits. a dog runs.", " a man and"),
    ("Ein Hund sitzt da.", " Daneben steht Hr. Müller mit"),
    ("Une dame sourit.", " À côté, M. Dupont est"),
    ("La señora sonríe.", " A su lado el Sr. García"),
    ("Una donna sorride.", " Accanto il Sig. Rossi"),
    ("Кошка сидит.", " Рядом с ул. Мира"),
    ("一只猫坐着。", "旁边有"),
    ("「はい。」", "と言う"),
    ("यह एक बिल्ली है।", " वह"),
    ("A cat.\n2. A dog sits.", "\n3. A"),
]


@pytest.mark.parametrize("text", WHOLE)
def test_caption_in_which_no_sentence_ends_stays_whole(text):
    assert to_last_sentence(text) == text


@pytest.mark.parametrize(("kept", "rest"), CUT)
def test_caption_is_cut_behind_its_last_whole_sentence(kept, rest):
    assert to_last_sentence(kept + rest) == kept
    assert to_last_sentence(kept) == kept

"""The text in a caption file of any encoding, where it is sure: a wrong guess is written back.

UTF-8 and what begins with a byte order mark are sure. Of the older encodings charset-normalizer
names those that fit, and a text is sure if all that remain plausible decode it alike: captions are
too short for statistics alone.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from itertools import pairwise

from charset_normalizer import from_bytes

from core.errors import StoreError

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# What Windows, Linux, DOS and the Mac wrote before UTF-8; each decodes nearly every file.
_SINGLE_BYTE = (
    *(f"cp125{n}" for n in range(8)),
    *("iso8859_2", "iso8859_5", "iso8859_7", "iso8859_15", "koi8_r", "koi8_u"),
    *("cp437", "cp850", "cp852", "cp866", "mac_roman", "mac_cyrillic"),
)
_DOUBLE_BYTE = ("cp932", "euc_jp", "gb18030", "big5", "cp949")
# How much more disorder than the best match another may show and still be considered.
_MARGIN = 0.05
# Fewer characters of two bytes are as likely something else.
_FEWEST_ASIAN = 8
# No caption in an old encoding is longer, and judging takes time.
_MOST_OLD_BYTES = 50_000

# The letters beside a to z of languages in Latin letters, and those of languages in Cyrillic ones.
# A text whose letters fit no language was read in the wrong encoding: "forêt près" in cp1250 is
# "foręt prčs".
_ALPHABETS = (
    "àâæçéèêëîïôœùûüÿ",  # French
    "äöüßéèàç",  # German
    "áéíóúüñºªçàèòï",  # Spanish, Catalan
    "áâãàçéêíóôõúüºª",  # Portuguese
    "àèéìíîòóùú",  # Italian
    "äåöæøéèüó",  # Danish, Norwegian, Swedish, Finnish
    "áæéíðóöúýþ",  # Icelandic
    "áéëïíóöüèêç",  # Dutch
    "ąćęłńóśźż",  # Polish
    "áčďéěíňóřšťúůýž",  # Czech
    "áäčďéíĺľňóôŕšťúýž",  # Slovak
    "áéíóöőúüű",  # Hungarian
    "ăâîșțşţ",  # Romanian
    "čćđšž",  # Croatian, Slovenian, Bosnian
    "çğıöşüâîû",  # Turkish
    "äõöüšž",  # Estonian
    "āčēģīķļņšūž",  # Latvian
    "ąčęėįšųūž",  # Lithuanian
    "абвгдеёжзийклмнопрстуфхцчшщъыьэюя",  # Russian, Bulgarian
    "абвгґдеєжзиіїйклмнопрстуфхцчшщьюя",  # Ukrainian
    "абвгдеёжзійклмнопрстуўфхцчшыьэюя",  # Belarusian
    "абвгдђежзијклљмнњопрстћуфхцчџш",  # Serbian
    "абвгдѓежзѕијклљмнњопрстќуфхцчџш",  # Macedonian
)
_WORD = re.compile(r"[^\W\d_]+")
_JUDGED = ("LATIN", "CYRILLIC")
_SCRIPTS = ("LATIN", "CYRILLIC", "GREEK", "HEBREW", "ARABIC", "HANGUL", "THAI")
_ASIAN = ("CJK", "HIRAGANA", "KATAKANA", "HALFWIDTH KATAKANA", "FULLWIDTH")
_PAIRS = ("«»", "‹›")
_SIGN_BEFORE_LETTER = re.compile(r"[№©®™´×½¼¾²³§£€][^\W\d_]|°(?![CFKNSEWO]\b)[^\W\d_]")
_BLANK_AT_WORD = re.compile("(?:^|\\s)\u00a0|\u00a0(?:\\s|$)", re.ASCII)
# Signs that stand within or around words; others there come from a wrong encoding.
_SIGNS = set("’‘“”„‚«»‹›–—…•°·€£§©®™´×½¼¾²³¿¡ª\u00a0\u00ad№")


class UnknownEncoding(StoreError):
    """A text file whose encoding is not sure."""


def decoded(data: bytes | None, name: str = "") -> str:
    """Returns the caption in a text file, without blanks around it; "" for None.

    `name` is the file's name. Raises UnknownEncoding where a guess could be wrong.
    """
    text = _text(data or b"")
    if text is None:
        which = f"“{name}”" if name else "The caption file"
        raise UnknownEncoding(
            f"{which} is in an encoding that cannot be told for sure. Save it as UTF-8, then try "
            "again."
        )
    return "\n".join(text.splitlines()).strip()


def _text(data: bytes) -> str | None:
    for bom, encoding in _BOMS:
        if data.startswith(bom):
            return _strict(data.removeprefix(bom), encoding)
    text = _strict(data, "utf-8")
    if text is not None and "\0" not in text:
        return text
    return _older(data)


def _strict(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except (UnicodeDecodeError, LookupError):
        return None


def _older(data: bytes) -> str | None:
    """Returns the only plausible text of those that older encodings give; None without one."""
    if len(data) > _MOST_OLD_BYTES:
        return None
    if b"\0" in data:
        texts = {_strict(data, encoding) for encoding in ("utf-16-le", "utf-16-be")}
    else:
        # charset-normalizer takes short texts for what they are not, so it only rules out here.
        texts = {_strict(data, encoding) for encoding in (*_SINGLE_BYTE, *_fitting(data))}
    plausible = {text for text in texts if text and _is_plausible(text)}
    return plausible.pop() if len(plausible) == 1 else None


def _fitting(data: bytes) -> list[str]:
    """Returns the encodings with characters of two bytes that the file may well be in."""
    matches = list(from_bytes(data, cp_isolation=list(_DOUBLE_BYTE), threshold=0.3))
    best = min((match.chaos for match in matches), default=0.0)
    return [match.encoding for match in matches if match.chaos <= best + _MARGIN]


def _is_plausible(text: str) -> bool:
    """Returns whether people write so: words of one script, letters of one language, and no signs
    and capitals within words."""
    if any(not _is_ordinary(sign) for sign in set(text) if not sign.isalnum()):
        return False
    if _SIGN_BEFORE_LETTER.search(text) or any(
        text.count(opening) != text.count(closing) for opening, closing in _PAIRS
    ):
        return False
    words = set(_WORD.findall(text))
    scripts = {_script_of(letter) for word in words for letter in set(word)}
    foreign = scripts - {"LATIN"}
    if None in scripts or len(foreign) > 1 or _BLANK_AT_WORD.search(text):
        return False
    if foreign & {"ASIAN", "HANGUL"} and sum(not one.isascii() for one in text) < _FEWEST_ASIAN:
        return False
    if any(len({_script_of(letter) for letter in set(word)}) > 1 for word in words):
        return False
    if any(_has_odd_case(word) for word in words) or _has_sign_in_word(text):
        return False
    return _fits_a_language({letter.lower() for word in words for letter in word})


def _is_ordinary(sign: str) -> bool:
    if sign in _SIGNS or sign in "\n\r\t":
        return True
    return unicodedata.category(sign) in ("Mn", "Mc") or (
        " " <= sign <= "~" or "\u3000" <= sign <= "\u303f" or "\uff00" <= sign <= "\uff65"
    )


def _script_of(letter: str) -> str | None:
    if letter.isascii():
        return "LATIN"
    name = unicodedata.name(letter, "")
    if name.startswith(_ASIAN):
        return "ASIAN"
    return next((script for script in _SCRIPTS if name.startswith(script)), None)


def _has_odd_case(word: str) -> bool:
    """Returns whether a capital follows a small letter, or a final sigma is not final."""
    return "ς" in word[:-1] or any(
        before.islower() and after.isupper() and not (before.isascii() and after.isascii())
        for before, after in pairwise(word)
    )


def _has_sign_in_word(text: str) -> bool:
    return any(
        found[0] not in "’‘·\u00ad"
        for found in re.finditer(r"(?<=[^\W\d_])[^\x00-\x7f\w](?=[^\W\d_])", text)
    )


def _fits_a_language(letters: set[str]) -> bool:
    judged = {one for one in letters if not one.isascii() and _script_of(one) in _JUDGED}
    return not judged or any(judged <= set(alphabet) for alphabet in _ALPHABETS)

"""Spelling by the dictionaries of hunspell that are on the computer, read by spylls.

Loading a dictionary takes a second or more, and suggestions as long: do both in another thread.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from functools import lru_cache
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any

from core.errors import StoreError
from core.files import read_bytes, write_atomically, write_error
from core.message import translatable
from core.write_lock import one_at_a_time

log = logging.getLogger(__name__)

OWN_WORDS = "words.txt"
"""The file of a person's own words, a word a line, in the folder `own_folder`."""

Span = tuple[int, int]

_MOST_SUGGESTIONS = 7
_LONGEST_WORD = 60
_LARGEST = 50_000_000
# A text of so many words, of which so large a share is unknown, is in another language.
_LEAST_FOREIGN, _FOREIGN = 6, 0.6
# Not words: addresses, names of files, and what is between angle brackets, as LoRAs' names are.
_NO_WORDS = re.compile(
    r"<[^<>\n]*>|\S+://\S+|\S+@\S+\.\S+|\b\w+\.(?:png|jpe?g|webp|gif|tiff?|txt)\b"
)
_WORD = re.compile(r"(?<![^\W_])[^\W\d_]+(?:['’][^\W\d_]+)*(?![^\W_])")
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:[_-][A-Za-z0-9]+)*")


def own_folder(data: Path) -> Path:
    """Returns where a person's own dictionaries and words are, in the program's folder."""
    return data / "dictionaries"


def dictionary_folders(data: Path) -> list[Path]:
    """Returns where dictionaries may be: a person's own, the system's, LibreOffice's, spylls'."""
    home = Path.home()
    folders = [own_folder(data)]
    if sys.platform == "win32":
        programs = [os.environ.get(name, "") for name in ("PROGRAMFILES", "PROGRAMFILES(X86)")]
        offices = [Path(one) / "LibreOffice/share/extensions" for one in programs if one]
    elif sys.platform == "darwin":
        folders += [home / "Library/Spelling", Path("/Library/Spelling")]
        offices = [Path("/Applications/LibreOffice.app/Contents/Resources/extensions")]
    else:
        places = ("/usr/share/hunspell", "/usr/share/myspell", "/usr/share/myspell/dicts")
        folders += [home / ".local/share/hunspell", *map(Path, places)]
        offices = [Path("/usr/lib/libreoffice/share/extensions"), Path("/opt/libreoffice/share")]
    for office in offices:
        folders += sorted(office.glob("dict-*")) + sorted(office.glob("*/dict-*"))
    if (spec := find_spec("spylls")) and spec.origin:
        folders.append(Path(spec.origin).parent / "hunspell" / "data" / "en")
    return folders


def find_dictionaries(folders: Iterable[Path]) -> dict[str, Path]:
    """Returns the dictionaries by their languages, such as en_US: the path without its ending.
    The first one of a language counts."""
    found: dict[str, Path] = {}
    for folder in folders:
        try:
            names = sorted(entry.name for entry in os.scandir(folder))
        except OSError:
            continue
        for name in names:
            stem, ending = os.path.splitext(name)  # noqa: PTH122 (a name, not a path)
            if ending == ".dic" and f"{stem}.aff" in names and _LANGUAGE.fullmatch(stem):
                found.setdefault(stem.replace("-", "_"), folder / stem)
    return dict(sorted(found.items()))


def best_language(wanted: str, found: Iterable[str]) -> str:
    """Returns which of the languages found suits one, such as de_AT; "" if none does."""
    languages = list(found)
    same = [one for one in languages if one.partition("_")[0] == wanted.partition("_")[0]]
    if wanted in same:
        return wanted
    usual = {"en": "en_US", "de": "de_DE", "pt": "pt_BR"}.get(wanted.partition("_")[0], "")
    return usual if usual in same else next(iter(same), "")


def spans_of_words(text: str) -> Iterator[Span]:
    """Yields where the words of a text are that have a spelling: without numbers and addresses.
    Tags are words too, with underscores or blanks between them."""
    skipped = [match.span() for match in _NO_WORDS.finditer(text)]
    for match in _WORD.finditer(text):
        begin, end = match.span()
        if end - begin > 1 and not any(low < end and begin < high for low, high in skipped):
            yield begin, end


class Spelling:
    """The words of one dictionary, and a person's own. Used by one thread."""

    def __init__(self, dictionary: Path, own: Path):
        """`dictionary` is what `find_dictionaries` returned, `own` the file of a person's words.

        Raises StoreError if the dictionary cannot be read.
        """
        self._own_file = own
        self._own = _read_words(own)
        self._dictionary = _loaded(dictionary)
        self._knows = lru_cache(maxsize=1 << 16)(self._looked_up)

    def wrong_spans(self, text: str) -> list[Span]:
        """Returns where words are that are written wrong; none in a text in another language."""
        spans = list(spans_of_words(text))
        wrong = [(begin, end) for begin, end in spans if not self.is_right(text[begin:end])]
        is_foreign = len(spans) >= _LEAST_FOREIGN and len(wrong) > _FOREIGN * len(spans)
        return [] if is_foreign else wrong

    def is_right(self, word: str) -> bool:
        """Whether a word is written right."""
        return word.casefold() in self._own or self._knows(word.replace("’", "'"))

    def suggestions(self, word: str) -> list[str]:
        """Returns what may be meant, the likeliest first. Takes up to some seconds."""
        if len(word) > _LONGEST_WORD:
            return []
        try:
            found = self._dictionary.suggest(word.replace("’", "'"))
            return list(islice(dict.fromkeys(map(str, found)), _MOST_SUGGESTIONS))
        except Exception:
            log.exception("No suggestions can be found")
            return []

    def add(self, word: str) -> None:
        """Takes a word for right from now on. Raises StoreError if it cannot be kept, and where the
        file of a person's words cannot be read: they would be lost."""
        self._own.add(word.casefold())
        path = self._own_file
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with one_at_a_time(path.with_suffix(".lock")):
                text = _text(read_bytes(path, most=_LARGEST) or b"")
                # Another program may have added some.
                self._own.update(map(str.casefold, text.splitlines()))
                if word not in text.splitlines():
                    between = "" if not text or text.endswith("\n") else "\n"
                    write_atomically(path, f"{text}{between}{word}\n".encode())
        except OSError as error:
            raise write_error(path, error) from error

    def _looked_up(self, word: str) -> bool:
        # Tags are written without capitals: paris, new year.
        forms = dict.fromkeys((word, word.capitalize()))
        try:
            return len(word) > _LONGEST_WORD or any(map(self._dictionary.lookup, forms))
        except Exception:  # What spylls makes of a dictionary's rules may fail for odd words.
            log.exception("A word cannot be looked up")
            return True


def _read_words(path: Path) -> set[str]:
    try:
        lines = _text(read_bytes(path, most=_LARGEST) or b"").splitlines()
    except StoreError as error:
        log.warning("A person's own words are not known: %s", error)
        return set()
    return {line.strip().casefold() for line in lines if line.strip()}


def _text(data: bytes) -> str:
    """Returns the text of a file of words, which a person may have written with any editor."""
    is_wide = data.startswith((BOM_UTF16_LE, BOM_UTF16_BE))
    with suppress(UnicodeDecodeError):
        return data.decode("utf-16" if is_wide else "utf-8-sig")
    return data.decode("latin-1")


def _loaded(path: Path) -> Any:
    from spylls.hunspell import Dictionary, readers
    from spylls.hunspell.readers.file_reader import FileReader

    class Reader(FileReader):
        """Closes its files."""

        def reset_io(self, obj: Any) -> None:
            if hasattr(self, "io"):
                self.io.close()
            super().reset_io(obj)

        def close(self) -> None:
            self.io.close()

    try:
        with closing(Reader(f"{path}.aff")) as rules:
            aff, context = readers.read_aff(rules)
        with closing(Reader(f"{path}.dic", encoding=context.encoding)) as words:
            dic = readers.read_dic(words, aff=aff, context=context)
        return Dictionary(aff, dic)
    except MemoryError:
        raise
    except Exception as error:  # spylls raises what comes of a file that is no dictionary.
        message = translatable("core", "The dictionary “{name}” cannot be read. Install it again.")
        raise StoreError(message.format(name=path.name)) from error

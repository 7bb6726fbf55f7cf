"""Tags in a caption: read, and changed so that everything else in the caption stays as it is.

Tags stand between commas or line breaks. A semicolon separates only before white space, as `;)` and
`^_^;` are tags themselves. Tags are the same if they differ only in case, in white space, and in
how their characters are encoded.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from core.captions.folding import comparable

USUAL_SEPARATOR = ", "

_SEPARATOR = re.compile(r"(\s*(?:[,，、；\n]|(?<=\S);(?=\s))(?:\s*[,，、；\n])*\s*)")
# What a list with only the usual separator does not have; most lists have no other.
_UNUSUAL = re.compile(r"^,|[，、；;\n]|\s,|,(?! \S)|\s$")
_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True)
class TagList:
    """The tags of a caption and what stands around them.

    `separators` are those between the tags, one fewer than these. `head` and `tail` are white space
    and separators before the first and after the last.
    """

    tags: tuple[str, ...] = ()
    separators: tuple[str, ...] = ()
    head: str = ""
    tail: str = ""

    @classmethod
    def of(cls, caption: str) -> TagList:
        """Takes a caption apart; `text` puts it together again, character by character."""
        body = caption.lstrip()
        head = caption[: len(caption) - len(body)]
        if body and _is_usual(body):
            usual = tuple(body.split(USUAL_SEPARATOR))
            return cls(usual, (USUAL_SEPARATOR,) * (len(usual) - 1), head)
        parts = _SEPARATOR.split(body)
        tags, separators = parts[::2], parts[1::2]
        while separators and not tags[0]:
            head += separators.pop(0)
            del tags[0]
        last = tags[-1].rstrip()
        tail = tags[-1][len(last) :]
        tags[-1] = last
        while tags and not tags[-1]:
            del tags[-1]
            tail = separators.pop() + tail if separators else tail
        if not tags:
            return cls(head=head + tail)
        if "" in tags:  # Between two separators that are not one: “,; ”.
            for place in reversed([n for n, tag in enumerate(tags) if not tag]):
                del tags[place]
                separators[place - 1 : place + 1] = ["".join(separators[place - 1 : place + 1])]
        return cls(tuple(tags), tuple(separators), head, tail)

    @property
    def text(self) -> str:
        """Returns the caption."""
        parts = [self.head]
        for tag, separator in zip(self.tags, (*self.separators, self.tail), strict=False):
            parts += (tag, separator)
        return "".join(parts)

    @property
    def separator(self) -> str:
        """Returns what stands between most of its tags."""
        kinds = set(self.separators)
        if len(kinds) > 1:
            return Counter(self.separators).most_common(1)[0][0]
        return kinds.pop() if kinds else USUAL_SEPARATOR

    @property
    def keys(self) -> list[str]:
        """Returns what its tags are compared by."""
        text = ",".join(self.tags)
        if not self.tags or text.count(",") != len(self.tags) - 1 or not _is_plain(text):
            return list(map(tag_key, self.tags))
        return text.lower().split(",")

    def with_added(self, tags: Iterable[str], *, at_start: bool = False) -> TagList:
        """Returns it with those of `tags` that it lacks, at the end or at the start."""
        known = set(self.keys)
        new: list[str] = []
        for tag in (one.strip() for one in tags):
            if tag and tag_key(tag) not in known:
                known.add(tag_key(tag))
                new.append(tag)
        if not new:
            return self
        gaps = [self.separator] * (len(new) - 1)
        if not self.tags:
            # Blanks and commas without a tag are no form to keep; a final line break is the file's.
            return TagList(tuple(new), tuple(gaps))
        if at_start:
            separators = (*gaps, self.separator, *self.separators)
            return replace(self, tags=(*new, *self.tags), separators=separators)
        separators = (*self.separators, self.separator, *gaps)
        return replace(self, tags=(*self.tags, *new), separators=separators)

    def kept(self, is_kept: Callable[[int, str], bool]) -> TagList:
        """Returns it with only the tags for whose place and text `is_kept` is true."""
        places = [n for n, tag in enumerate(self.tags) if is_kept(n, tag)]
        if len(places) == len(self.tags):
            return self
        if not places:
            return TagList()
        # What stood before a tag goes with it, but before the first one nothing did.
        separators = tuple(self.separators[place - 1] for place in places[1:])
        return replace(self, tags=tuple(self.tags[n] for n in places), separators=separators)

    def without(self, tags: Collection[str]) -> TagList:
        """Returns it without these tags."""
        gone = set(map(tag_key, tags))
        if gone.isdisjoint(self.keys):
            return self
        return self.kept(lambda _, tag: tag_key(tag) not in gone)

    def without_duplicates(self) -> TagList:
        """Returns it with the first of equal tags."""
        first: dict[str, int] = {}
        for place, key in enumerate(self.keys):
            first.setdefault(key, place)
        return self.kept(lambda place, tag: first[tag_key(tag)] == place)

    def renamed(self, names: Mapping[str, str]) -> TagList:
        """Returns it with other names for some tags. A tag that gets the name of another one
        merges with it, at the place of the first; an empty name removes the tag."""
        by_key = {tag_key(old): new.strip() for old, new in names.items()}
        if not by_key.keys() & set(self.keys):
            return self
        tags = tuple(by_key.get(tag_key(tag), tag) for tag in self.tags)
        renamed = {tag_key(new) for new in by_key.values()}
        first: dict[str, int] = {}
        for place, tag in enumerate(tags):
            first.setdefault(tag_key(tag), place)
        return replace(self, tags=tags).kept(
            lambda place, tag: (
                bool(tag) and (tag_key(tag) not in renamed or first[tag_key(tag)] == place)
            )
        )

    def moved(self, place: int, to: int) -> TagList:
        """Returns it with the tag at one place moved to another one; separators stay."""
        tags = list(self.tags)
        tags.insert(to, tags.pop(place))
        return replace(self, tags=tuple(tags))

    def with_tag(self, place: int, text: str) -> TagList:
        """Returns it with another text at a place: several tags, if it has commas, and none for an
        empty one. Tags that it has elsewhere are left out."""
        others = {key for at, key in enumerate(self.keys) if at != place}
        wanted = list(dict.fromkeys(one for one in tags_of(text) if tag_key(one) not in others))
        if not wanted:
            return self.kept(lambda at, _: at != place)
        gaps = (self.separator,) * (len(wanted) - 1)
        return replace(
            self,
            tags=(*self.tags[:place], *wanted, *self.tags[place + 1 :]),
            separators=(*self.separators[:place], *gaps, *self.separators[place:]),
        )

    def sorted_by(self, key: Callable[[str], Any], *, fixed: int = 0) -> TagList:
        """Returns it sorted, but for the first `fixed` tags; separators stay in their places."""
        rest = sorted(self.tags[fixed:], key=key)
        return replace(self, tags=(*self.tags[:fixed], *rest))


def tags_of(caption: str) -> list[str]:
    """Returns the tags of a caption in their order."""
    if caption and not caption[0].isspace() and _is_usual(caption):
        return caption.split(USUAL_SEPARATOR)
    return list(TagList.of(caption).tags)


def _is_usual(text: str) -> bool:
    """Returns whether a list of tags, which does not begin with white space, has only the usual
    separator. The quick answer is for most captions: ASCII without control characters."""
    if not (text.isascii() and text.isprintable()):
        return not _UNUSUAL.search(text)
    return (
        text.count(",") == text.count(USUAL_SEPARATOR)
        and ",  " not in text
        and " ," not in text
        and ";" not in text
        and text[0] != ","
        and text[-1] != " "
    )


def _is_plain(tags: str) -> bool:
    """Returns whether all of some tags, with a comma between them, differ from what they are
    compared by only in case: they are ASCII, without two blanks in a row or blanks around them."""
    return (
        tags.isascii()
        and tags.isprintable()
        and "  " not in tags
        and ", " not in tags
        and " ," not in tags
        and tags[:1] != " "
        and tags[-1:] != " "
    )


def tag_key(tag: str) -> str:
    """Returns what a tag is compared by."""
    return " ".join(comparable(tag).split())


def natural_key(tag: str) -> tuple[str, str]:
    """Returns what tags are sorted by: without case, and 2 before 10."""
    return _NUMBER.sub(lambda digits: f"{int(digits[0]):020}", tag_key(tag)), tag


def counted(captions: Iterable[str]) -> Counter[str]:
    """Returns how many captions have each tag, named as most of them write it."""
    # Most tags repeat and are written alike: each way to write one is looked at once.
    keys: dict[str, str] = {}
    totals: dict[str, int] = {}
    forms: dict[str, dict[str, int]] = {}
    for caption in captions:
        found: dict[str, str] = {}
        for tag in tags_of(caption):
            key = keys.get(tag)
            if key is None:
                key = keys[tag] = tag_key(tag)
                forms.setdefault(key, {})[tag] = 0
            found[key] = tag
        for key, tag in found.items():
            totals[key] = totals.get(key, 0) + 1
            forms[key][tag] += 1
    named = {key: max(ways, key=ways.__getitem__) for key, ways in forms.items()}
    return Counter({named[key]: total for key, total in totals.items()})

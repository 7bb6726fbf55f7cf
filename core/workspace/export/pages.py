"""Pages that show images with their alternative texts: HTML and Markdown."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from html import escape
from pathlib import PurePath
from string import Template
from urllib.parse import quote

from core.captions.alt_text import AltText
from core.message import translatable
from core.resources import RESOURCES
from core.workspace.export.items import ExportItem
from core.workspace.export.tables import OneFile

_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>#|!~&])")


class Html(OneFile):
    """A page with a figure for each image. A decorative image has an empty alternative text, and a
    long description can be unfolded."""

    def content(self, items: Sequence[ExportItem]) -> str:
        """Returns the page."""
        title = escape(self.options.title or self.options.output.stem)
        head = Template((RESOURCES / "export_page.html").read_text("utf-8"))
        return head.substitute(title=title) + "".join(map(self._figure, items))

    def _figure(self, item: ExportItem) -> str:
        size = f' width="{item.width}" height="{item.height}"' if item.width else ""
        source, alt = escape(_address(self, item)), escape(item.shown_alt_text)
        lines = [f'<figure>\n<img src="{source}" alt="{alt}"{size} loading="lazy">']
        said = {item.shown_alt_text, AltText(item.alt_text, item.long_description).caption}
        if item.caption.strip() not in said and not item.is_decorative:
            lines.append(f"<figcaption>{_paragraphs(item.caption)}</figcaption>")
        if item.long_description:
            long = _paragraphs(item.long_description)
            summary = translatable("core", "Long description")
            lines.append(f"<details><summary>{summary}</summary>\n<p>{long}</p></details>")
        return "\n".join([*lines, "</figure>\n"])


class Markdown(OneFile):
    """A document with an image after the other."""

    def content(self, items: Sequence[ExportItem]) -> str:
        """Returns the document."""
        title = _marked(self.options.title or self.options.output.stem)
        return f"# {title}\n\n" + "\n".join(map(self._image, items))

    def _image(self, item: ExportItem) -> str:
        text = f"![{_marked(item.shown_alt_text)}](<{_address(self, item)}>)\n"
        if item.long_description:
            paragraphs = re.split(r"\n\s*\n", item.long_description.strip())
            text += "".join(f"\n{_marked(' '.join(one.split()))}\n" for one in paragraphs)
        return text


def _address(page: OneFile, item: ExportItem) -> str:
    """Returns where the image is, from the page."""
    folder = os.path.abspath(page.options.output.parent)  # noqa: PTH100 (keeps links)
    path = os.path.abspath(item.path)  # noqa: PTH100
    try:
        relative = os.path.relpath(path, folder)
    except ValueError:  # On another drive of Windows.
        return item.path.as_uri()
    return quote(os.fsencode(PurePath(relative).as_posix()))


def _paragraphs(text: str) -> str:
    return escape(text).replace("\n", "<br>\n")


def _marked(text: str) -> str:
    return _MARKDOWN.sub(r"\\\1", " ".join(text.split()))

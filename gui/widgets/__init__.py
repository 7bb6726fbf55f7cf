"""The theme, and small widgets and helpers that know nothing of the rest of the program.

`theme` has the colours, fonts and icons, light and dark; `file_urls` turns URLs of drags into paths
and back; `notice_bar` lists all that the button of a notice can do. `screen_fit` keeps windows on
their screen, `scrolled_page` pages reachable in a low window. `buttons`, `labels` and `painting`
build and paint what several packages need. `translated` is for whatever core says:
errors, notes, reasons.
"""

"""The theme, and small widgets and helpers that know nothing of the rest of the program.

`theme` has the colours, fonts and icons, light and dark; `file_urls` turns URLs of drags into paths
and back; `notice` is a notice as data, with all that its button can do, and `notice_bar` shows it.
`screen_fit` keeps windows on their screen, `scrolled_page` pages reachable in a low window.
`obstacle` greys a field out with a reason, `removal_box` asks before something goes. `buttons`,
`labels` and `painting` build and paint what several packages need; `job_progress` shows how far a
job is. `translated` is for whatever core says: errors, notes, reasons.
"""

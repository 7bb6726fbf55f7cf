"""The widgets of a folder run. Read `panel` first: it places the others, in `run_pages`, and
connects them.

Before a run: `form`, with `prompt_list`, `more_options`, `answer_checks`, `vocabulary_edit`,
`card_boxes` and `form_fields`, is what to ask and write, and `form_check` says what is wrong with
that; `trial`, with `trial_variant` and `trial_result`, compares two variants of it on a few
pictures.
The run: `run_controls` and `run_progress` start, end and show it; `undo_dialog` asks before it is
undone; `summary` shows its outcome. `head` names the run.
The captions, in `list_area`: `rows` is the table model, with `row_filter` and `thumbnails`;
`caption_list` is its view, with the delegates in `cells`; `filter_bar` and `replace` are the lines
above it; `conflict_dialog` asks where an edit meets a file that somebody else has changed.
After it the computer may sleep or shut down, which `after_run` offers and `countdown_dialog` says.
"""

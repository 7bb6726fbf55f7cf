"""The widgets of the workspace: all images of a folder, their captions, and what is done to them.

Read `image_rows` first, the list model; `image_list` shows it as a grid or a list, its cells placed
by `cell_layout`, each image painted by `image_cell`, with `thumbnails` from `thumbnail_cache`.
`selection_model` keeps what is selected, which `image_selection` reads; `scroll_anchor` keeps what
is in view there. `pane` is the left side of the window around them, with `reading_line` for how far
the reading of the folder is, and `editing_line` for an edit of many captions: each is a
`progress_line`.

`export_dialog` hands captions over to other programs, with the choices of `export_form` and the
words of `export_texts`; `import_dialog` takes theirs. `presets_dialog` changes presets, each with
`presets_form`. `notes_dialog` has notes for prompts, and shows these filled in.
`duplicates_dialog` has groups of images that look alike, `compare_dialog` the answers of several
runs about an image, or that there is `nothing_to_compare`, and `alt_text_dialog` its alternative
text. `again_dialog` asks before images are captioned again.

`query_line` above the list has a `query_field`, and `statistics_panel` below it a `frequency_list`
and a `length_histogram`.
`side_tabs` is the right side of the window, and `caption_panel` in it has a `caption_editor`; for
tags it has a `tag_editor` with `tag_chips`, which are painted by `tag_cells`, and an `answer_bar`
for what the model wrote.
`spelling_marks` underlines wrong words there, and `caption_counter` counts below.
`source_button` says which files captions stand in, and `review_row` what a person thinks of one.

`bulk_dialog` edits many captions at once: `bulk_fields` describe the edit, `bulk_changes` show what
it would do, and `bulk_report` says what it did not do.
"""

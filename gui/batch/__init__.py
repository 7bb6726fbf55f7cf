"""The widgets of a folder run: `panel` places the others.

`form` has the options, `caption_list` and `rows` the captions, `replace` finds and replaces,
`trial` compares two ways of asking, `summary` says what became of a run.
"""

"""What every engine that calls transformers' `generate()` shares.

`fitting_turns` leaves out turns that do not fit. `pending` is an answer that is being generated,
`sampling` how its tokens are chosen and `banned_words` which words are kept out of it. `generate`
runs one `generate()` in a thread of its own and stops it early, `streaming` turns its ids into
text, and `failure` says what went wrong. Imports torch; modules are imported by name.
"""

"""What every engine that calls transformers' `generate()` shares.

`streaming` runs one `generate()` in its own thread, streams its text and stops it early;
`banned_words` is the logits processor that keeps words out of an answer. Imports torch; modules are
imported by name.
"""

"""The window on top of `core`: a person's intent goes in, the state of the program comes out.

Packages from the bottom up, each importing only what stands before it: `widgets`, `picture`,
`inspector`, `conversation`, `batch` and `engines`, `session`, then `models` and `window`, then
`app`. Widgets know core's data, never the session or the model thread.
"""

"""PyTorch for the graphics card, as a person sees it: which card, which engine, what can be got.

`state` is what is known, as data, and in which stage that is; `wording` is what is said about it
and what can be done. `panel` shows all of it, in a dialog of its own (`dialog`) and in the
settings; `line` is one line of it, for the models dialog.
"""

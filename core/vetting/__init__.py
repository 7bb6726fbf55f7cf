"""A model's folder is tried in an isolated process before anything in it is used here.

Sizes of files and numbers in settings are checked by `core.checkpoint`. What only shows when it is
used, a tokenizer's patterns, an image processor's sizes, a chat template's loops, is used once by
`trial`, in a child that imports no torch and is watched for time and memory. `verdict` says how it
went, `kept` keeps that by the content of the files, and `vetting` is what opens engines uses: it
begins the trial while torch is imported, and waits for it before the first file is used.
"""

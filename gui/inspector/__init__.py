"""The trace of an answer, stage by stage.

`panel` is the dialog, `token_flow` its token ids, `facts_table` its labels and tables.
"""

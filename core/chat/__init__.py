"""Any other vision-language architecture, run by transformers.

`model` loads it without running code of the checkpoint, `engine` answers through its processor,
chat template and `generate()`. Imports torch; modules are imported by name.
"""

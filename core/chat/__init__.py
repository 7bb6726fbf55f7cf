"""Any other vision-language architecture, run by transformers.

`model` reads a folder without running code of the checkpoint: its `stored` tensors and its
`processor`. `loading` loads the weights, and `engine` answers through the processor, its chat
template and `generate()`. Imports torch; modules are imported by name.
"""

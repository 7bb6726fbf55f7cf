"""A model folder is understood, checked and loaded; nothing in it is trusted.

`folder` finds it and reads its configuration, `safety` says what it must not contain, `weights`
maps the tensors in its files to parameter names, `loading` reads them into place, and `lora` merges
an adapter into its base model. Imports torch; modules are imported by name.
"""

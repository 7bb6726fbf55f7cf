"""A model folder is understood, checked and loaded; nothing in it is trusted.

`folder` finds it and reads its configuration, whose values `llava_settings` checks; `safety` says
what it must not contain. `llava_model` builds a LLaVA-1.5 that takes no memory yet, `weights` maps
the tensors in its files to parameter names, `loading` reads them into place, and `lora` merges an
adapter into its base model. Imports torch; modules are imported by name.
"""

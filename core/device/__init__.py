"""Which device and precision a model runs on, and whether it fits there.

`choice` picks the device and the dtype, `card` says whether PyTorch can use the graphics card,
`memory` estimates what a model needs before anything is allocated, and `offload` spreads a model
over several cards and the host. Imports torch; modules are imported by name.
"""

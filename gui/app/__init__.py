"""Builds everything, wires it, and takes it down again.

`program` is the start and the end. `batch_wiring` and `models_wiring` connect sessions with
widgets; `idle_unload` unloads an idle model; `faults` reports unexpected errors; `single_instance`,
`updates`, `garbage` and `self_test` are what their names say.
"""

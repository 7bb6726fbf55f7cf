"""Builds everything, wires it, and takes it down again.

`start` is the process around the program, and `program` builds and ends it; each `*_wiring`
connects one subject of `gui/session` with the window, and `images_wiring` and `folder_jobs` build
several of them. `application` is the process around them and `tasks` the work that nobody awaits.
`imports` is what is done first of all, so that importing these takes less time.
`idle_unload` unloads an idle model; `faults` reports unexpected errors; `single_instance`,
`restart`, `updates`, `garbage`, `packaged_resources` and `self_test` are what their names say.
"""

"""The main window, its state and its commands, the status line, the settings and the help.

Read `view_state` first: everything that the window shows outside of its documents, as one value,
which `state_holder` holds. `shown` computes title, status line, notices and the prompt's offer from
it, `availability` which commands can be given. `command_table` is the table of commands, with
`command_table_images` and `command_table_run` (`command` their names, `commands` what its rows
are), from which `actions` makes menus and keys, `context_menus` and `text_menus` the context menus,
`help_dialogs` the list of keys and `keyboard_page` (with `key_bindings`) their change;
`command_runs` and `text_focus` do what concerns the window alone; `focus_watch` says what has the
focus. `main_window` shows the state, with its widgets from `parts`, placed by `workspace_page` and
`image_and_run`, and what the state means for them in `documents`; `escape` is what Esc ends.
`recent_menu`, `file_dialogs`, `leave_dialog`, `status_line`, `task_bar`, `saved_geometry`,
`input_elsewhere` and `settings_dialog` (with `settings_page` and `settings_pages`) are parts of it.
"""

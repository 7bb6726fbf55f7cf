"""The model dialogs. Read `dialog` first: it places the list (`model_list`) beside the details of
the model that is chosen (`details`, computed by `details_state`, with `facts`, `memory_table`
and `more_menu`). What a person asks for is a signal of `requests`; `follow_ups` asks back first
where a folder, a token or a confirmation is needed.
"""

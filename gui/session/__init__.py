"""What a person can do, without widgets; here intent, model, transcript and files meet.

`picture_list` opens pictures and `saved_picture` copies them out, `gone_images` finds those that
were moved and rewritten, `session` is the conversation
about the one shown (`conversation` its data) and `answer_inspection` what its answers rest on.
`workspace` is the folder that is open (with `image_listing`, `folder_reading`, `folder_scans`,
`watched_folders`, `worker_thread`, `workspace_reads`, `workspace_edits` and, for those that an edit
still goes on in, `left_folders`, `left_edits` and `unseen_outcomes`; `user_activity` lets
its threads wait), and `view_memory` what was in view of images and folders; `caption_editing` is
the caption in view, with `model_answers`, `caption_tokens` and `spell_checking`, and
`folder_counts` what captions have in common.
`folder_run` is a run over many images, with `run_engines`, `run_items`, `run_end`,
`existing_captions`, `caption_edits`, `run_pace`, and the `stoppable` ones `folder_trial`,
`caption_again` and `doubt_search`; `power` puts the computer to sleep after it.
`loaded_model` loads a model, for which a `waiting_question` waits and which a `look_ahead` lets get
ready for the image that is shown, and `model_library` manages all of them; `engine_packs` gets
PyTorch for the graphics card. `settings_file` writes the settings.
`exchange` exports the captions of a `workspace` and imports others, `preset_store` keeps presets.
`model_thread` is the QThread that owns the engine: `engine_jobs` is what it is asked to do,
`engine_worker` does it there, `engine_start` imports torch. `inbox` brings a run's events from
other threads to the GUI thread.
"""

"""What a person can do, without widgets; here intent, model, transcript and files meet.

`session` is the conversation, `folder_run` a run over many images, `model_library` the models.
`model_thread` is the QThread that owns the engine, `inbox` brings what other threads report
into the GUI thread.
"""

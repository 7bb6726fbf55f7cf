"""The model dialogs: `dialog` places `model_list` and `details`; `token_dialog` asks for a
token.
"""

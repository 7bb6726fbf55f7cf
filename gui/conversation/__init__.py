"""Questions and answers: the transcript, the prompt box, and what each word rests on.

`transcript_view` is a column of exchanges (`exchange_list`, `exchange_column`, `exchange_view`,
`exchange_body`, `exchange_foot`, `variant_pager`) below a `drawings_note`; `answer_text` and
`answer_words` draw one answer, `word_popup` and `evidence_view` what its words rest on.
`part_button` shows the part of the image that a question is about.
`prompt_box`, with the field in `prompt_edit` and what is offered in `prompt_offer`, is where the
user asks; `unknown_words` names words that the model may not understand.
"""

"""Several engines of one model, one a card, that answer as one `Engine`.

Read `group` first: it has the threads, one an engine. `feed` is what they share: the requests that
wait, and which engine holds which, so that those of an engine that fails go to the others; `ahead`
has images prepared for an engine in this process.
`process` is an engine in a child of this program, `child` its other side, and `messages` what they
say to each other; `one_answer` asks either a single question. `cards` says which engines a folder
run uses, and opens them.
"""

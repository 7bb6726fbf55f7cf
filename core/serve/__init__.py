"""`onlooker serve`: the model behind OpenAI's chat completions, for other programs and computers.

Read `server` first: it binds the address, loads the model and runs the web server. `application` is
the web application: who may ask and how much, and `answering` sends one answer. `chat` reads what a
client asks for and makes a `Request` of it, `pictures` opens the images that came along, and
`replies` writes answers as OpenAI's JSON. `engine_thread` owns the engine: one thread answers
the requests of all clients in its slots. `stop_strings` ends an answer at a text that the client
named, and `key` reads the key that clients must send. Starlette and uvicorn are imported by
`application` and `server` alone: they are the extra `serve`.
"""

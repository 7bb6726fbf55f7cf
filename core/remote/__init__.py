"""A model on a server as an `Engine`: OpenAI's chat completions over HTTP, one server or several.

Read `engine` first, which has the face that every engine has, then `dispatch`: which server gets a
request, and what becomes of it if that server fails. `server` talks to one server over
`connections`, each of them `direct` by `streams` where no proxy is needed; it sends what `question`
makes of a request (with `sent_picture`) and reads the answer with `event_stream`.
`refused_fields` learns what a server does not take, `limit` how many requests at once are good for
it. `fault` turns whatever goes wrong into a sentence. `address` reads what a person typed, `keys`
keeps a server's key, `canary` asks whether a model sees images, `abilities` says what the servers
cannot do, `discovery` finds servers on this machine, and `opening` puts all together. Nothing here
imports torch or the hub.
"""

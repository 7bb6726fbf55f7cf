"""Earlier conversations, in one SQLite file that can be searched and mends itself.

`store.py` is what the program calls; `opening.py` opens the file with the help of `check.py` (can
it be relied on?), `salvage.py` (what can be read of a damaged one?) and `schema.py` (the tables of
each version). `rows.py` turns rows into data and back. `following.py` finds the
conversations about an image that was moved.
"""

from core.store.following import KeptImage as KeptImage
from core.store.following import KeptPlace as KeptPlace
from core.store.following import followed as followed
from core.store.rows import THUMBNAIL_SIDE as THUMBNAIL_SIDE
from core.store.schema import VERSION as VERSION
from core.store.store import KeptConversation as KeptConversation
from core.store.store import Store as Store
from core.store.store import StoreBeingMended as StoreBeingMended
from core.store.store import Summary as Summary

"""`python -m core.terminal`: the command line without the window."""

import signal
import sys

if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    # As in `gui.__main__`: before imports.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from core.terminal.interrupt import without_waiting
from core.terminal.main import main

sys.exit(without_waiting(main(sys.argv[1:])))

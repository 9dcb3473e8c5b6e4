"""Hypothesis profiles (default, and soak by HYPOTHESIS_PROFILE=soak), and signals as at a terminal."""

import os
import signal

from hypothesis import settings

settings.register_profile("default", max_examples=100, deadline=None)
settings.register_profile("soak", max_examples=1000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

# A shell script starts `command &` with SIGINT and SIGQUIT ignored, and nohup with SIGHUP ignored. Every program that a
# test starts would inherit that, and not end by the signal that the test sends.
for number, handler in (
    (signal.SIGINT, signal.default_int_handler),
    (signal.SIGQUIT, signal.SIG_DFL),
    (signal.SIGHUP, signal.SIG_DFL),
):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, handler)

"""Hypothesis profiles (default, and soak by HYPOTHESIS_PROFILE=soak), signals as at a terminal, and UTC."""

import os
import signal
import time

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

# The texts of the Go tool that ours are compared with have the times of UTC.
os.environ["TZ"] = "UTC"
time.tzset()

"""Import this to end with the process that started this one; forks made from here end with this one.

Loaded into the fork server of the step processes. When a run is killed, its steps have to end with it: one that goes on
scoring would still hold the GPU while the slot of its pool has been given to the next run.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
"""From linux/prctl.h: the signal that this process gets when its parent ends. A fork does not inherit it."""

_here = os.getpid()


def _die_with_parent() -> None:
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _of_a_fork() -> None:
    # Only of direct forks: what a step forks from one of its threads would be killed when that thread ends.
    if os.getppid() == _here:
        _die_with_parent()


if sys.platform == "linux":
    _die_with_parent()
    os.register_at_fork(after_in_child=_of_a_fork)

# SPDX-License-Identifier: Apache-2.0
"""What the build says: PROGRESS lines for programs, everything else is detail."""
import signal
import sys

TOTAL = 1000
_last = [-1, ""]


def progress(done, text):
    """One PROGRESS line, never going back, never twice the same."""
    done = max(min(int(done), TOTAL), _last[0])
    if [done, text] != _last:
        _last[:] = [done, text]
        print(f"PROGRESS {done} {TOTAL} {text}", flush=True)


def detail(text):
    print(text, flush=True)


class BuildError(Exception):
    """A sentence for the user: what failed, and what to do now."""


def run_main(main):
    """The boundary: a sentence instead of a traceback, and a stop by signal that still tidies up."""
    def stop(_number, _frame):
        raise KeyboardInterrupt
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, stop)
    try:
        sys.exit(main())
    except BuildError as error:
        print(f"FAILED {error}", flush=True)
        sys.exit(1)
    except KeyboardInterrupt:
        print("FAILED The build was interrupted; nothing half-made is left in use.", flush=True)
        sys.exit(130)
    except OSError as error:
        import errno
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            print(f"FAILED No space is left on the disk for {error.filename or 'the image'}. Free some and build again.", flush=True)
            sys.exit(28)
        print(f"FAILED {error}", flush=True)
        sys.exit(1)

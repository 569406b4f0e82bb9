# SPDX-License-Identifier: BSD-2-Clause
"""What the tests of the scripts here have in common."""


def report(checks):
    """TAP of a dictionary, a name to whether that is right; the exit status."""
    print(f"1..{len(checks)}")
    for number, (what, good) in enumerate(checks.items(), 1):
        print(f"{'ok' if good else 'not ok'} {number} - {what}")
    return int(not all(checks.values()))


def failure(kind, function, *arguments):
    """The message of the exception of that kind that it ends with, as it should; None: it does not."""
    try:
        function(*arguments)
    except kind as why:
        return str(why)
    return None

# SPDX-License-Identifier: GPL-2.0-only
"""What tests of other people's kernels are written with: docs/testing.md.

These names, and the fixtures of plugin.py, stay as they are.  Whatever else
lies in kgdbrig is the rig's own, and changes without notice.
"""

from kgdbrig.clients.accesses import READ, WRITE, Access, Place
from kgdbrig.clients.noanswer import Died, Hangs, NeverEnds, NoAnswer, NoSymbol, NotInMemory, TooLong, WentDown
from kgdbrig.testing.guest import Guest

__all__ = ["READ", "WRITE", "Access", "Died", "Guest", "Hangs", "NeverEnds", "NoAnswer", "NoSymbol", "NotInMemory", "Place",
           "TooLong", "WentDown"]

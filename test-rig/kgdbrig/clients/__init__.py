# SPDX-License-Identifier: GPL-2.0-only
"""What sits on the line and on the console: gdb, kdb, raw packets, the shell, and what has the guest do things."""

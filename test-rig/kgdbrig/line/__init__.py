# SPDX-License-Identifier: GPL-2.0-only
"""The KGDB line: packets on the wire, and the tap that stands on it."""

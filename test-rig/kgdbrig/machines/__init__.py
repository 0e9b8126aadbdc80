# SPDX-License-Identifier: GPL-2.0-only
"""Machines: QEMU and Bochs with a kernel in them, what boots there, and what looks at them from outside."""

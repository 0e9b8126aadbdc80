# SPDX-License-Identifier: GPL-2.0-only
"""The rig: builds kernels, boots them in QEMU, and gives tests and people the same way in."""

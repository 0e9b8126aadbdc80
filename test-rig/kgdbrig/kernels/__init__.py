# SPDX-License-Identifier: GPL-2.0-only
"""Getting a kernel: its source, the series laid over it, and what is built of them."""

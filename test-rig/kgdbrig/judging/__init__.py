# SPDX-License-Identifier: GPL-2.0-only
"""What judges: the kernel log, the soak, the checks of the series, and the kernels compared with each other."""

# SPDX-License-Identifier: GPL-2.0-only
"""What the modules for Bochs share: their `target` is the machine there.

Debug registers are the same on each version of the kernel: in `make test` most of these modules run on one, and
test_bochs_processor.py on each.
"""

from __future__ import annotations

import pytest

from kgdbrig.clients.target import Target


@pytest.fixture
def target(bochs: Target) -> Target:
    return bochs

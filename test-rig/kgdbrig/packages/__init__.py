# SPDX-License-Identifier: GPL-2.0-only
"""Packages of Debian suites that are not this machine's."""

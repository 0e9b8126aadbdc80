/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The shim under the pure parts of the watchpoint code (packet.c, plan.c and
 * match.c): they are compiled into the kernel, into host unit tests under
 * sanitizers and into fuzzers, and may use nothing but what this header
 * provides.
 */
#ifndef _KGDB_WATCH_PURE_H
#define _KGDB_WATCH_PURE_H

#ifdef __KERNEL__
#include <linux/bitops.h>
#include <linux/kgdb_slots.h>
#include <linux/stddef.h>
#include <linux/types.h>
#else
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <linux/kgdb_slots.h>
#define BITS_PER_LONG ((int)sizeof(long) * CHAR_BIT)
#endif

#endif /* _KGDB_WATCH_PURE_H */

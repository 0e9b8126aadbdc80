/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests and the fuzz targets need that the C library does not have.
 */
#ifndef _KGDB_WATCH_COMMON_H
#define _KGDB_WATCH_COMMON_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* The same reason, or none in both */
static inline bool equal(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

/* A piece of heap of just that size: a sanitizer catches what goes beyond */
static inline void *allocate(size_t size)
{
	void *memory = malloc(size);

	if (!memory)
		abort();
	return memory;
}

#endif /* _KGDB_WATCH_COMMON_H */

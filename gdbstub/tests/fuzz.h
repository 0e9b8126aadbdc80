/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the fuzz targets have in common.
 *
 * At the end a target prints how often each outcome was seen, so that a run
 * which never got past the first comma does not pass for one that found
 * nothing.
 */
#ifndef _KGDB_WATCH_FUZZ_H
#define _KGDB_WATCH_FUZZ_H

#include "common.h"
#include "oracle.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

/* One more of these outcomes; a constant text */
void count(const char *what);

/* End the run: the fuzzer keeps the input */
void fail(const char *what, const char *expected, const char *got) __attribute__((noreturn));

/* A plan of these many slots at most, against the oracle */
void check_plan_in(const struct kgdb_watch_spec *watch, unsigned int room);

#endif /* _KGDB_WATCH_FUZZ_H */

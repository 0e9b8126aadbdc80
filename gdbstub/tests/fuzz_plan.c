// SPDX-License-Identifier: GPL-2.0-only
/*
 * libFuzzer target: any watchpoint into kgdb_plan_slots(), against the oracle.
 */
#include <string.h>

#include "fuzz.h"

/* As much room as makes a plan that can be looked at byte by byte */
#define MOST_ROOM 64

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	unsigned char bytes[2 + sizeof(struct kgdb_watch_spec)] = { 0 };
	struct kgdb_watch_spec watch;

	memcpy(bytes, data, size < sizeof(bytes) ? size : sizeof(bytes));
	watch.type = bytes[0] % 8;
	memcpy(&watch.len, bytes + 2, sizeof(watch.len));
	memcpy(&watch.addr, bytes + 2 + sizeof(watch.len), sizeof(watch.addr));
	check_plan_in(&watch, bytes[1] % (MOST_ROOM + 1));
	return 0;
}

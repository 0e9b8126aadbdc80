/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the debugger on the line understands (client.c).
 */
#ifndef _KGDB_WATCH_CLIENT_H
#define _KGDB_WATCH_CLIENT_H

#include <linux/types.h>

bool kgdb_client_takes_texts(void);
bool kgdb_client_takes_several(void);
void kgdb_client_begins(void);
void kgdb_client_continues(void);

#endif /* _KGDB_WATCH_CLIENT_H */

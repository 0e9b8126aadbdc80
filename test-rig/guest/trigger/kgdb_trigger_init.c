// SPDX-License-Identifier: GPL-2.0-only
/*
 * kgdb_trigger_init: a store made by a module's init function
 *
 *	insmod kgdb_trigger_init.ko address=0x... value=0x...
 *
 * stores the 4 bytes of value= at address=, a kernel address that the one who
 * loads it answers for (the buffer of kgdb_trigger, which does not learn of it),
 * and stays loaded.
 */
#include <linux/errno.h>
#include <linux/init.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/types.h>

static unsigned long address;
module_param(address, ulong, 0400);
MODULE_PARM_DESC(address, "where to store");

static unsigned int value;
module_param(value, uint, 0400);
MODULE_PARM_DESC(value, "what to store");

static int __init kgdb_trigger_init(void)
{
	if (!address)
		return -EINVAL;
	WRITE_ONCE(*(u32 *)address, value);
	return 0;
}

static void __exit kgdb_trigger_init_exit(void)
{
}

module_init(kgdb_trigger_init);
module_exit(kgdb_trigger_init_exit);

MODULE_DESCRIPTION("Stores to memory in its init function");
MODULE_LICENSE("GPL");

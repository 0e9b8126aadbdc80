// SPDX-License-Identifier: GPL-2.0-only
/*
 * kgdb_trigger: the lines that user space writes
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/ctype.h>
#include <linux/errno.h>
#include <linux/printk.h>
#include <linux/uaccess.h>

#include "trigger.h"

int trigger_get_line(char *line, const char __user *buffer, size_t length)
{
	size_t i, end = length;

	if (length > LINE_MAX_LENGTH)
		return trigger_refuse("the line is longer than %d bytes", LINE_MAX_LENGTH);
	if (copy_from_user(line, buffer, length))
		return -EFAULT;
	if (end && line[end - 1] == '\n')
		end--;
	line[end] = '\0';
	for (i = 0; i < end; i++) {
		if (!isascii(line[i]) || !isprint(line[i]))
			return trigger_refuse("byte %zu of the line is not a printable character",
					      i);
	}
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * kexec: loads another kernel and starts it
 *
 *	kexec load KERNEL INITRAMFS CMDLINE	for a reboot
 *	kexec crash KERNEL INITRAMFS CMDLINE	for a crash (crashkernel= is needed)
 *	kexec exec				go there, without a word to anybody
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/kexec.h>
#include <linux/reboot.h>

static int fail(const char *what)
{
	fprintf(stderr, "kexec: %s: %s\n", what, strerror(errno));
	return 1;
}

static int load(unsigned long flags, char **names)
{
#ifdef SYS_kexec_file_load
	int kernel = open(names[0], O_RDONLY), initramfs = open(names[1], O_RDONLY);

	if (kernel < 0)
		return fail(names[0]);
	if (initramfs < 0)
		return fail(names[1]);
	if (syscall(SYS_kexec_file_load, kernel, initramfs, strlen(names[2]) + 1, names[2], flags))
		return fail("kexec_file_load");
	return 0;
#else
	(void)flags;
	(void)names;
	errno = ENOSYS;
	return fail("kexec_file_load");
#endif
}

int main(int argc, char **argv)
{
	if (argc == 5 && !strcmp(argv[1], "load"))
		return load(0, argv + 2);
	if (argc == 5 && !strcmp(argv[1], "crash"))
		return load(KEXEC_FILE_ON_CRASH, argv + 2);
	if (argc == 2 && !strcmp(argv[1], "exec")) {
		reboot(LINUX_REBOOT_CMD_KEXEC);
		return fail("reboot");
	}
	fprintf(stderr, "kexec: load|crash KERNEL INITRAMFS CMDLINE, or exec\n");
	return 2;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * hwbp: the other users of the debug registers
 *
 *	hwbp perf ADDRESS LENGTH r|w|rw|x [CPU...]
 *	hwbp task STORES LENGTH [FILE LINE]
 *	hwbp ptrace STORES LENGTH [FILE LINE]
 *
 * perf counts the accesses to a kernel address, on the CPUs named or else on
 * all that are online, by one perf event of type PERF_TYPE_BREAKPOINT each.
 * It prints "ready" when all are there. A line "end" makes it give them back and
 * end, with "closed" as its last word; it answers any other line with the counts,
 * one a CPU.
 *
 * task watches a variable of its own with such an event that belongs to the
 * task, stores to it STORES times and prints "stores N hits M".
 *
 * ptrace does the same as a debugger does it: a parent programs a debug
 * register of its child, which makes the stores. M is how many SIGTRAPs came with
 * just that register's bit in DR6; any other signal ends it with an error.
 *
 * With FILE and LINE the task that stores writes LINE to FILE after each of its
 * stores.
 *
 * An error is one line, "hwbp: WHAT: REASON", and exit status 1: the reason for
 * a register that is not to be had is "No space left on device".
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_CPUS 64

/* The debug registers as PTRACE_POKEUSER wants them: SDM vol. 3B, 18.2. */
#define DR(n) ((void *)offsetof(struct user, u_debugreg[n]))
#define DR6_HIT_MASK 0xfUL
#define DR7_LOCAL_0 0x1UL
#define DR7_CONTROL_0 16
#define DR7_WRITE 0x1UL

/* What task and ptrace store to, aligned for any length, and what lies beside it. */
static struct {
	volatile union {
		uint8_t u8;
		uint16_t u16;
		uint32_t u32;
		uint64_t u64;
	} variable;
	volatile uint64_t neighbour;
} stored __attribute__((aligned(16)));

static void fail(const char *what)
{
	int error = errno;

	fflush(stdout);
	printf("hwbp: %s: %s\n", what, strerror(error));
	fflush(stdout);
	_exit(1);
}

static void fail_because(const char *what, const char *reason)
{
	printf("hwbp: %s: %s\n", what, reason);
	fflush(stdout);
	_exit(1);
}

static uint64_t number(const char *what, const char *text)
{
	unsigned long long value;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 0);
	if (errno || end == text || *end)
		fail_because(what, "not a number");
	return value;
}

/* A breakpoint event; -1 for any task, and for any CPU, as perf_event_open() has it. */
static int open_event(uint64_t address, uint64_t length, uint32_t type, pid_t task, int cpu)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_BREAKPOINT,
		.size = sizeof(attr),
		.bp_type = type,
		.bp_addr = address,
		.bp_len = length,
	};
	int fd = syscall(SYS_perf_event_open, &attr, task, cpu, -1, PERF_FLAG_FD_CLOEXEC);

	if (fd < 0)
		fail("perf_event_open");
	return fd;
}

static uint64_t count_of(int fd)
{
	uint64_t count;

	if (read(fd, &count, sizeof(count)) != sizeof(count))
		fail("reading a count");
	return count;
}

static uint32_t access_type(const char *text)
{
	if (!strcmp(text, "r"))
		return HW_BREAKPOINT_R;
	if (!strcmp(text, "w"))
		return HW_BREAKPOINT_W;
	if (!strcmp(text, "rw"))
		return HW_BREAKPOINT_RW;
	if (!strcmp(text, "x"))
		return HW_BREAKPOINT_X;
	fail_because(text, "not one of r, w, rw, x");
	return 0;
}

/* The CPUs that are online, from a list such as "0,2-3". */
static int online_cpus(int *cpus)
{
	int count = 0, first, last;
	char text[256], *at = text;
	ssize_t got;
	int fd = open("/sys/devices/system/cpu/online", O_RDONLY);

	if (fd < 0)
		fail("/sys/devices/system/cpu/online");
	got = read(fd, text, sizeof(text) - 1);
	if (got < 0)
		fail("/sys/devices/system/cpu/online");
	close(fd);
	text[got] = '\0';
	while (*at && *at != '\n') {
		first = last = strtol(at, &at, 10);
		if (*at == '-')
			last = strtol(at + 1, &at, 10);
		for (; first <= last && count < MAX_CPUS; first++)
			cpus[count++] = first;
		if (*at == ',')
			at++;
	}
	return count;
}

static int mode_perf(int argc, char **argv)
{
	int cpus[MAX_CPUS], fds[MAX_CPUS], count = 0, i;
	char line[64];

	if (argc < 3)
		fail_because("perf", "wants ADDRESS, LENGTH and TYPE");
	for (i = 3; i < argc && count < MAX_CPUS; i++)
		cpus[count++] = number("CPU", argv[i]);
	if (!count)
		count = online_cpus(cpus);
	for (i = 0; i < count; i++)
		fds[i] = open_event(number("ADDRESS", argv[0]), number("LENGTH", argv[1]),
				    access_type(argv[2]), -1, cpus[i]);
	printf("ready\n");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin) && strcmp(line, "end\n")) {
		for (i = 0; i < count; i++)
			printf("%s%" PRIu64, i ? " " : "", count_of(fds[i]));
		printf("\n");
		fflush(stdout);
	}
	for (i = 0; i < count; i++)
		close(fds[i]);
	printf("closed\n");
	return 0;
}

/*
 * One store of `length` bytes to the variable, of a value it does not hold, and
 * one beside it that must not count.
 *
 * The second has another use. The kernel does not switch breakpoints off in a
 * #DB from user space, and QEMU 7.2 keeps such a hit in mind for as long as
 * breakpoints stay on and nothing else is accessed in the page: it is in DR6
 * again when another register hits next.
 */
static void store(uint64_t length)
{
	static uint64_t value;

	value++;
	switch (length) {
	case 1:
		stored.variable.u8 = value;
		break;
	case 2:
		stored.variable.u16 = value;
		break;
	case 4:
		stored.variable.u32 = value;
		break;
	default:
		/* Two stores on a 32-bit machine: main() does not let it come to that. */
		stored.variable.u64 = value;
	}
	stored.neighbour = value;
}

static void store_all(uint64_t stores, uint64_t length, const char *file, const char *line)
{
	int fd = -1;

	if (file) {
		fd = open(file, O_WRONLY);
		if (fd < 0)
			fail(file);
	}
	while (stores--) {
		store(length);
		if (fd >= 0 && write(fd, line, strlen(line)) < 0)
			fail(file);
	}
	if (fd >= 0)
		close(fd);
}

static int mode_task(uint64_t stores, uint64_t length, const char *file, const char *line)
{
	int fd = open_event((uintptr_t)&stored.variable, length, HW_BREAKPOINT_W, 0, -1);

	store_all(stores, length, file, line);
	printf("stores %" PRIu64 " hits %" PRIu64 "\n", stores, count_of(fd));
	return 0;
}

static unsigned long dr7_for(uint64_t length)
{
	static const unsigned long bits[] = { [1] = 0, [2] = 1, [4] = 3, [8] = 2 };

	return DR7_LOCAL_0 | (DR7_WRITE | bits[length] << 2) << DR7_CONTROL_0;
}

static void child(uint64_t stores, uint64_t length, const char *file, const char *line)
{
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
		fail("PTRACE_TRACEME");
	raise(SIGSTOP);
	store_all(stores, length, file, line);
	_exit(0);
}

static void wait_for(pid_t task, int *status)
{
	if (waitpid(task, status, 0) != task)
		fail("waitpid");
}

static int mode_ptrace(uint64_t stores, uint64_t length, const char *file, const char *line)
{
	unsigned long dr6;
	uint64_t hits = 0;
	pid_t task = fork();
	int status;

	if (task < 0)
		fail("fork");
	if (!task)
		child(stores, length, file, line);
	wait_for(task, &status);
	if (ptrace(PTRACE_SETOPTIONS, task, NULL, (void *)PTRACE_O_EXITKILL))
		fail("PTRACE_SETOPTIONS");
	if (ptrace(PTRACE_POKEUSER, task, DR(0), (void *)&stored.variable))
		fail("DR0");
	if (ptrace(PTRACE_POKEUSER, task, DR(7), (void *)dr7_for(length)))
		fail("DR7");
	for (;;) {
		if (ptrace(PTRACE_CONT, task, NULL, NULL))
			fail("PTRACE_CONT");
		wait_for(task, &status);
		if (WIFEXITED(status))
			break;
		if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGTRAP)
			fail_because("the child", strsignal(WIFSTOPPED(status) ? WSTOPSIG(status) :
							    WTERMSIG(status)));
		errno = 0;
		dr6 = ptrace(PTRACE_PEEKUSER, task, DR(6), NULL);
		if (errno)
			fail("DR6");
		if ((dr6 & DR6_HIT_MASK) != 1)
			fail_because("DR6", "a SIGTRAP that is not of register 0");
		if (ptrace(PTRACE_POKEUSER, task, DR(6), NULL))
			fail("DR6");
		hits++;
	}
	if (WEXITSTATUS(status))
		return 1;
	printf("stores %" PRIu64 " hits %" PRIu64 "\n", stores, hits);
	return 0;
}

int main(int argc, char **argv)
{
	const char *file, *line;
	uint64_t stores, length;

	if (argc >= 2 && !strcmp(argv[1], "perf"))
		return mode_perf(argc - 2, argv + 2);
	if ((argc != 4 && argc != 6) || (strcmp(argv[1], "task") && strcmp(argv[1], "ptrace")))
		fail_because("usage", "perf ADDRESS LENGTH TYPE [CPU...], or task|ptrace STORES LENGTH [FILE LINE]");
	stores = number("STORES", argv[2]);
	length = number("LENGTH", argv[3]);
	if ((length != 1 && length != 2 && length != 4 && length != 8) || length > sizeof(long))
		fail_because("LENGTH", "no register covers that");
	file = argc == 6 ? argv[4] : NULL;
	line = argc == 6 ? argv[5] : NULL;
	if (!strcmp(argv[1], "task"))
		return mode_task(stores, length, file, line);
	return mode_ptrace(stores, length, file, line);
}

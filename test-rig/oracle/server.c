// SPDX-License-Identifier: GPL-2.0-only
/*
 * The oracle's control socket: a unix socket with a line protocol, served by
 * threads of its own.  Every command is answered with "ok ..." or "error REASON":
 *
 *	watch HEXADDR LEN   log accesses to LEN bytes (decimal) at HEXADDR -> "ok"
 *	stores HEXADDR LEN  the same of stores only                        -> "ok"
 *	clear               watch nothing; the log stays                   -> "ok"
 *	drain               the log so far, which is empty afterwards      -> "ok ENTRIES LOST",
 *	                    ENTRIES lines of access and the line "end".  LOST is how many
 *	                    accesses did not fit in the log since the last drain.
 *	count               instructions so far, summed over the vCPUs     -> "ok COUNT"
 *	visits HEXADDR      executions of the instruction there, since this
 *	                    was asked first: ask before it is executed     -> "ok COUNT"
 *	debugreg            instructions so far that wrote a debug register
 *	                    (x86), summed over the vCPUs                   -> "ok COUNT"
 *	ping                                                               -> "ok"
 *
 * An access is one line of eight fields: its index (counted since QEMU started,
 * so a lost access leaves a gap), vCPU (-1 if that cannot be told yet), the
 * instruction count of the thread that runs the vCPU, pc of the instruction, pc
 * of the instruction that follows it in memory, address, size in bytes, and
 * "load" or "store".  Count, index, vCPU and size are decimal.
 * The lines that share vCPU, count and pc are the accesses of one execution of
 * one instruction.
 */
#define _GNU_SOURCE
#include "oracle.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static char control[sizeof(((struct sockaddr_un *)NULL)->sun_path)];

static void command_watch(FILE *client, const char *arguments, bool stores)
{
	const char *reason;
	uint64_t addr, len;
	int end = -1;

	if (sscanf(arguments, "%" SCNx64 " %" SCNu64 " %n", &addr, &len, &end) != 2 ||
	    end < 0 || arguments[end]) {
		fprintf(client, "error usage: watch|stores HEXADDR LEN\n");
		return;
	}
	reason = watch_range(addr, len, stores);
	if (reason)
		fprintf(client, "error %s\n", reason);
	else
		fprintf(client, "ok\n");
}

static void command_clear(FILE *client)
{
	clear_ranges();
	fprintf(client, "ok\n");
}

static void command_drain(FILE *client)
{
	uint64_t missing;
	size_t i, n;
	struct entry *taken = take_log(&n, &missing);

	fprintf(client, "ok %zu %" PRIu64 "\n", n, missing);
	for (i = 0; i < n; i++) {
		const struct entry *e = &taken[i];

		fprintf(client, "%" PRIu64 " %d %" PRIu64 " %" PRIx64 " %" PRIx64 " %" PRIx64 " %u %s\n",
			e->index, vcpu_of(e->who), e->insns, e->pc, e->next_pc, e->access.vaddr,
			e->access.size, e->access.is_store ? "store" : "load");
	}
	fprintf(client, "end\n");
	free(taken);
}

/* Says how often the instruction was executed since this was asked first */
static void command_visits(FILE *client, const char *arguments)
{
	uint64_t pc, visits;
	int end = -1;

	if (sscanf(arguments, "%" SCNx64 " %n", &pc, &end) != 1 || end < 0 || arguments[end])
		fprintf(client, "error usage: visits HEXADDR\n");
	else if (!count_visits(pc, &visits))
		fprintf(client, "error too many addresses\n");
	else
		fprintf(client, "ok %" PRIu64 "\n", visits);
}

static void *serve_client(void *argument)
{
	int out_fd, in_fd = (int)(intptr_t)argument;
	FILE *in = NULL, *out = NULL;
	char *line = NULL;
	size_t size = 0;

	out_fd = dup(in_fd);
	if (out_fd >= 0)
		out = fdopen(out_fd, "w");
	in = fdopen(in_fd, "r");
	while (in && out && getline(&line, &size, in) > 0) {
		line[strcspn(line, "\r\n")] = '\0';
		if (!strncmp(line, "watch ", 6))
			command_watch(out, line + 6, false);
		else if (!strncmp(line, "stores ", 7))
			command_watch(out, line + 7, true);
		else if (!strcmp(line, "clear"))
			command_clear(out);
		else if (!strcmp(line, "drain"))
			command_drain(out);
		else if (!strcmp(line, "count"))
			fprintf(out, "ok %" PRIu64 "\n", count_insns());
		else if (!strncmp(line, "visits ", 7))
			command_visits(out, line + 7);
		else if (!strcmp(line, "debugreg"))
			fprintf(out, "ok %" PRIu64 "\n", count_debugreg_writes());
		else if (!strcmp(line, "ping"))
			fprintf(out, "ok\n");
		else
			fprintf(out, "error unknown command\n");
		if (fflush(out))
			break;
	}
	free(line);
	if (out)
		fclose(out);
	else if (out_fd >= 0)
		close(out_fd);
	if (in)
		fclose(in);
	else
		close(in_fd);
	return NULL;
}

static void *serve(void *argument)
{
	int listener = (int)(intptr_t)argument;
	pthread_attr_t detached;

	pthread_attr_init(&detached);
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	for (;;) {
		int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		pthread_t thread;

		if (client < 0) {
			if (errno == EINTR || errno == ECONNABORTED)
				continue;
			perror("oracle: accept");
			return NULL;
		}
		if (pthread_create(&thread, &detached, serve_client, (void *)(intptr_t)client)) {
			perror("oracle: pthread_create");
			close(client);
		}
	}
}

/* Listen, and serve from a thread that takes none of QEMU's signals. */
bool start_server(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	sigset_t all, before;
	pthread_t thread;
	int error, listener;

	if (strlen(path) >= sizeof(control)) {
		fprintf(stderr, "oracle: %s: longer than a socket's path may be\n", path);
		return false;
	}
	strcpy(control, path);
	strcpy(address.sun_path, control);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof(address)) ||
	    listen(listener, 8)) {
		fprintf(stderr, "oracle: %s: %s\n", control, strerror(errno));
		if (listener >= 0)
			close(listener);
		return false;
	}

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&thread, NULL, serve, (void *)(intptr_t)listener);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error) {
		fprintf(stderr, "oracle: pthread_create: %s\n", strerror(error));
		unlink(control);
		close(listener);
		return false;
	}
	pthread_detach(thread);
	return true;
}

void stop_server(void)
{
	unlink(control);
}

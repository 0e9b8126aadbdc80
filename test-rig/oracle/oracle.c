// SPDX-License-Identifier: GPL-2.0-only
/*
 * The oracle: a QEMU TCG plugin that says which guest accesses really happened.
 *
 *	qemu-system-x86_64 -accel tcg -plugin oracle.so,control=PATH ...
 *
 * It logs every load and store that overlaps a watched range of virtual
 * addresses, outside the guest and outside gdb, and counts the instructions
 * that the guest ran.  PATH is a unix socket with a line protocol; every
 * command is answered with "ok ..." or "error REASON":
 *
 *	watch HEXADDR LEN   log accesses to LEN bytes (decimal) at HEXADDR -> "ok"
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
 * so a lost access leaves a gap), vCPU, the vCPU's instruction count, pc of the
 * instruction, pc of the instruction that follows it in memory, address, size
 * in bytes, and "load" or "store".  Count, index, vCPU and size are decimal.
 * The lines that share vCPU, count and pc are the accesses of one execution of
 * one instruction.
 *
 * What QEMU 7.2 tells a plugin, and what it does not:
 * - A read-modify-write is a load and a store; but when the guest has several
 *   vCPUs, an atomic one (LOCK prefix, xchg) is a single "store".
 * - Accesses by the CPU itself (pushing an exception frame, walking page
 *   tables, loading a descriptor) are not reported.
 * - An access that hits a hardware watchpoint of an x86 guest is abandoned
 *   before it happens, and its instruction runs again; see record().
 */
#define _GNU_SOURCE
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

#include "qemu-plugin-api.h"

#define MAX_RANGES	64
#define MAX_ENTRIES	(1u << 20)	/* 56 bytes each */
#define MAX_ACCESS	128		/* bytes; more than any instruction moves in one go */
#define MAX_SEEN	32

QEMU_PLUGIN_EXPORT int qemu_plugin_version = QEMU_PLUGIN_VERSION;

#define load(p)		__atomic_load_n(p, __ATOMIC_RELAXED)
#define store(p, v)	__atomic_store_n(p, v, __ATOMIC_RELAXED)

/* One access, without who made it. */
struct access {
	uint64_t vaddr;
	uint32_t size;
	bool is_store;
};

struct entry {
	struct access access;
	uint64_t index;
	uint64_t insns;
	uint64_t pc;
	uint64_t next_pc;
	unsigned int vcpu;
};

/* Written by the vCPU's own thread only; insns is read by others as well. */
struct vcpu {
	uint64_t insns;

	/* The last instruction that touched a watched range. */
	uint64_t pc;
	uint64_t first_insns;		/* the count at its first try */
	uint64_t try_insns;		/* and at its last */
	bool left;			/* other blocks have run since (several vCPUs) */
	unsigned int nr_seen;		/* its accesses that are in the log */
	unsigned int position;		/* how many of them this try has made */
	struct access seen[MAX_SEEN];
} __attribute__((aligned(64)));

static struct vcpu *vcpus;
static unsigned int nr_vcpus;

/*
 * The watched ranges.  Changed under the lock; read without it by the first
 * look of a memory callback, which may be wrong for as long as a change takes:
 * the second look, under the lock, decides.
 */
static struct range {
	uint64_t addr;
	uint64_t len;
} ranges[MAX_RANGES];
static unsigned int nr_ranges;
/* Accesses of interest start at [bound_low, bound_low + bound_span). */
static uint64_t bound_low;
static uint64_t bound_span;

/* The log, under the lock. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct entry *entries;
static size_t nr_entries;
static size_t room;
static uint64_t next_index;
static uint64_t lost;

/* Written by every vCPU; rare. */
static uint64_t debugreg_writes;

/* Instructions whose executions are counted; none is ever removed. */
#define MAX_VISITED	16
static struct visited {
	uint64_t pc;
	uint64_t visits;
} visited[MAX_VISITED];
static unsigned int nr_visited;

static char control[sizeof(((struct sockaddr_un *)NULL)->sun_path)];

/*
 * A callback gets one pointer: it carries the pc and, in the top four bits,
 * the size of the instruction.  An x86 instruction has at most 15 bytes, and
 * bits 63 to 60 of a virtual address repeat bit 59 on every supported guest.
 */
_Static_assert(sizeof(void *) == 8, "the oracle needs a 64-bit host");

static void *pack_insn(const struct qemu_plugin_insn *insn)
{
	uint64_t pc = qemu_plugin_insn_vaddr(insn);
	uint64_t size = qemu_plugin_insn_size(insn);

	return (void *)(uintptr_t)((size << 60) | (pc & ~(UINT64_C(15) << 60)));
}

static uint64_t packed_pc(void *packed)
{
	return (uint64_t)((int64_t)((uint64_t)(uintptr_t)packed << 4) >> 4);
}

static uint64_t packed_size(void *packed)
{
	return (uint64_t)(uintptr_t)packed >> 60;
}

static bool overlaps(const struct access *access)
{
	unsigned int i, n = load(&nr_ranges);

	for (i = 0; i < n; i++) {
		uint64_t addr = load(&ranges[i].addr);

		if (access->vaddr - addr < load(&ranges[i].len) ||
		    addr - access->vaddr < access->size)
			return true;
	}
	return false;
}

static bool same(const struct access *a, const struct access *b)
{
	return a->vaddr == b->vaddr && a->size == b->size && a->is_store == b->is_store;
}

static void append(const struct entry *entry)
{
	if (nr_entries == room) {
		size_t more = room ? 2 * room : 1024;
		struct entry *grown = NULL;

		if (more <= MAX_ENTRIES)
			grown = realloc(entries, more * sizeof(*entries));
		if (!grown) {
			lost++;
			next_index++;
			return;
		}
		entries = grown;
		room = more;
	}
	entries[nr_entries] = *entry;
	entries[nr_entries++].index = next_index++;
}

/*
 * An instruction that makes several accesses may make some, then be abandoned
 * by QEMU at the next (an x86 watchpoint, a store to translated code), and be
 * run again from its beginning: "incl x" under a write watchpoint loads x
 * twice.  To the guest it ran once, and so it is logged once.
 *
 * Between the tries nothing else runs on the vCPU.  With one vCPU its count
 * says so: exactly one instruction has begun since, this one.  With several
 * there may be two more tries (an atomic instruction is tried again alone, with
 * the other vCPUs stopped), but each is a block of just this instruction.
 * An instruction that completed and then follows itself directly is a repeated
 * string instruction, and that has moved on to another address.
 */
static bool tried_again(const struct vcpu *vcpu, uint64_t pc, uint64_t insns,
			const struct access *access)
{
	if (pc != vcpu->pc || !vcpu->nr_seen || !same(access, &vcpu->seen[0]))
		return false;
	if (nr_vcpus == 1)
		return insns == vcpu->try_insns + 1;
	return insns != vcpu->try_insns && !vcpu->left;
}

static void record(unsigned int index, const struct access *access, void *packed)
{
	struct vcpu *vcpu = &vcpus[index];
	uint64_t insns = load(&vcpu->insns);
	uint64_t pc = packed_pc(packed);
	struct entry entry;

	if (tried_again(vcpu, pc, insns, access)) {
		vcpu->try_insns = insns;
		vcpu->position = 0;
	} else if (pc != vcpu->pc || insns != vcpu->try_insns) {
		vcpu->pc = pc;
		vcpu->first_insns = insns;
		vcpu->try_insns = insns;
		vcpu->left = false;
		vcpu->nr_seen = 0;
		vcpu->position = 0;
	}

	if (vcpu->position < vcpu->nr_seen && same(access, &vcpu->seen[vcpu->position])) {
		vcpu->position++;
		return;
	}

	entry = (struct entry) {
		.access = *access,
		.insns = vcpu->first_insns,
		.pc = pc,
		.next_pc = pc + packed_size(packed),
		.vcpu = index,
	};
	pthread_mutex_lock(&lock);
	if (!overlaps(access)) {
		pthread_mutex_unlock(&lock);
		return;
	}
	append(&entry);
	pthread_mutex_unlock(&lock);

	if (vcpu->position < MAX_SEEN) {
		vcpu->seen[vcpu->position++] = *access;
		vcpu->nr_seen = vcpu->position;
	}
}

static void on_access(unsigned int index, qemu_plugin_meminfo_t info, uint64_t vaddr, void *packed)
{
	struct access access;

	if (vaddr - load(&bound_low) >= load(&bound_span))
		return;

	access = (struct access) {
		.vaddr = vaddr,
		.size = 1u << qemu_plugin_mem_size_shift(info),
		.is_store = qemu_plugin_mem_is_store(info),
	};
	if (overlaps(&access))
		record(index, &access, packed);
}

static void count_block(struct vcpu *vcpu, uint64_t insns)
{
	store(&vcpu->insns, load(&vcpu->insns) + insns);
}

static void on_block(unsigned int index, void *insns)
{
	count_block(&vcpus[index], (uintptr_t)insns);
	vcpus[index].left = true;
}

static void on_single_insn_block(unsigned int index, void *packed)
{
	count_block(&vcpus[index], 1);
	if (packed_pc(packed) != vcpus[index].pc)
		vcpus[index].left = true;
}

static void on_visit(unsigned int index, void *counter)
{
	(void)index;
	__atomic_fetch_add((uint64_t *)counter, 1, __ATOMIC_RELAXED);
}

/* x86: 0F 23 /r, with a REX prefix for the upper registers (SDM vol. 2B) */
static bool writes_debugreg(const struct qemu_plugin_insn *insn)
{
	const uint8_t *code = qemu_plugin_insn_data(insn);
	size_t size = qemu_plugin_insn_size(insn);

	if (size == 4 && (code[0] & 0xf0) == 0x40) {
		code++;
		size--;
	}
	return size == 3 && code[0] == 0x0f && code[1] == 0x23;
}

static void count_rare(struct qemu_plugin_insn *insn)
{
	unsigned int i, n = __atomic_load_n(&nr_visited, __ATOMIC_ACQUIRE);

	if (writes_debugreg(insn))
		qemu_plugin_register_vcpu_insn_exec_cb(insn, on_visit, QEMU_PLUGIN_CB_NO_REGS,
						       &debugreg_writes);
	for (i = 0; i < n; i++) {
		if (visited[i].pc == qemu_plugin_insn_vaddr(insn))
			qemu_plugin_register_vcpu_insn_exec_cb(insn, on_visit, QEMU_PLUGIN_CB_NO_REGS,
							       &visited[i].visits);
	}
}

/*
 * With one vCPU, every instruction adds itself to the counter, inline.  The
 * inline addition of API version 1 knows one address only and is not atomic,
 * so several vCPUs each count whole blocks in a callback instead: a block that
 * an exception leaves early counts in full.
 */
static void on_translate(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	size_t i, n = qemu_plugin_tb_n_insns(tb);

	(void)id;
	if (nr_vcpus > 1 && n == 1)
		qemu_plugin_register_vcpu_tb_exec_cb(tb, on_single_insn_block,
						     QEMU_PLUGIN_CB_NO_REGS,
						     pack_insn(qemu_plugin_tb_get_insn(tb, 0)));
	else if (nr_vcpus > 1)
		qemu_plugin_register_vcpu_tb_exec_cb(tb, on_block, QEMU_PLUGIN_CB_NO_REGS,
						     (void *)(uintptr_t)n);
	for (i = 0; i < n; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);

		count_rare(insn);
		if (nr_vcpus == 1)
			qemu_plugin_register_vcpu_insn_exec_inline(insn, QEMU_PLUGIN_INLINE_ADD_U64,
								   &vcpus[0].insns, 1);
		/*
		 * One callback for both directions: QEMU 7.2 stops at the first
		 * callback of an instruction that is not for the direction of
		 * an access made by a helper.
		 */
		qemu_plugin_register_vcpu_mem_cb(insn, on_access, QEMU_PLUGIN_CB_NO_REGS,
						 QEMU_PLUGIN_MEM_RW, pack_insn(insn));
	}
}

/* Set the bounds to what the ranges are; open wide in between. */
static void update_bounds(void)
{
	uint64_t low = UINT64_MAX, last = 0;
	unsigned int i;

	if (!nr_ranges) {
		store(&bound_span, 0);
		return;
	}
	for (i = 0; i < nr_ranges; i++) {
		uint64_t end = ranges[i].addr + (ranges[i].len - 1);

		if (ranges[i].addr < low)
			low = ranges[i].addr;
		if (end > last)
			last = end;
	}
	low = low > MAX_ACCESS ? low - MAX_ACCESS : 0;
	__atomic_store_n(&bound_span, UINT64_MAX, __ATOMIC_SEQ_CST);
	__atomic_store_n(&bound_low, low, __ATOMIC_SEQ_CST);
	__atomic_store_n(&bound_span, last - low == UINT64_MAX ? UINT64_MAX : last - low + 1,
			 __ATOMIC_SEQ_CST);
}

static void command_watch(FILE *client, const char *arguments)
{
	const char *reason = NULL;
	uint64_t addr, len;
	int end = -1;

	if (sscanf(arguments, "%" SCNx64 " %" SCNu64 " %n", &addr, &len, &end) != 2 ||
	    end < 0 || arguments[end]) {
		fprintf(client, "error usage: watch HEXADDR LEN\n");
		return;
	}
	pthread_mutex_lock(&lock);
	if (!len || addr + (len - 1) < addr) {
		reason = "empty range, or one that wraps around";
	} else if (nr_ranges == MAX_RANGES) {
		reason = "too many ranges";
	} else {
		store(&ranges[nr_ranges].addr, addr);
		store(&ranges[nr_ranges].len, len);
		__atomic_store_n(&nr_ranges, nr_ranges + 1, __ATOMIC_SEQ_CST);
		update_bounds();
	}
	pthread_mutex_unlock(&lock);
	if (reason)
		fprintf(client, "error %s\n", reason);
	else
		fprintf(client, "ok\n");
}

static void command_clear(FILE *client)
{
	pthread_mutex_lock(&lock);
	store(&nr_ranges, 0);
	update_bounds();
	pthread_mutex_unlock(&lock);
	fprintf(client, "ok\n");
}

static void command_drain(FILE *client)
{
	struct entry *taken;
	size_t i, n;
	uint64_t missing;

	pthread_mutex_lock(&lock);
	taken = entries;
	n = nr_entries;
	missing = lost;
	entries = NULL;
	nr_entries = 0;
	room = 0;
	lost = 0;
	pthread_mutex_unlock(&lock);

	fprintf(client, "ok %zu %" PRIu64 "\n", n, missing);
	for (i = 0; i < n; i++) {
		const struct entry *e = &taken[i];

		fprintf(client, "%" PRIu64 " %u %" PRIu64 " %" PRIx64 " %" PRIx64 " %" PRIx64 " %u %s\n",
			e->index, e->vcpu, e->insns, e->pc, e->next_pc, e->access.vaddr,
			e->access.size, e->access.is_store ? "store" : "load");
	}
	fprintf(client, "end\n");
	free(taken);
}

static void command_count(FILE *client)
{
	uint64_t total = 0;
	unsigned int i;

	for (i = 0; i < nr_vcpus; i++)
		total += load(&vcpus[i].insns);
	fprintf(client, "ok %" PRIu64 "\n", total);
}

static struct visited *find_visited(uint64_t pc)
{
	unsigned int i;

	for (i = 0; i < nr_visited; i++) {
		if (visited[i].pc == pc)
			return &visited[i];
	}
	return NULL;
}

/* Says how often the instruction was executed since this was asked first */
static void command_visits(FILE *client, const char *arguments)
{
	struct visited *found;
	uint64_t pc, visits = 0;
	int end = -1;

	if (sscanf(arguments, "%" SCNx64 " %n", &pc, &end) != 1 || end < 0 || arguments[end]) {
		fprintf(client, "error usage: visits HEXADDR\n");
		return;
	}
	pthread_mutex_lock(&lock);
	found = find_visited(pc);
	if (found) {
		visits = load(&found->visits);
	} else if (nr_visited < MAX_VISITED) {
		found = &visited[nr_visited];
		found->pc = pc;
		__atomic_store_n(&nr_visited, nr_visited + 1, __ATOMIC_RELEASE);
	}
	pthread_mutex_unlock(&lock);
	if (found)
		fprintf(client, "ok %" PRIu64 "\n", visits);
	else
		fprintf(client, "error too many addresses\n");
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
			command_watch(out, line + 6);
		else if (!strcmp(line, "clear"))
			command_clear(out);
		else if (!strcmp(line, "drain"))
			command_drain(out);
		else if (!strcmp(line, "count"))
			command_count(out);
		else if (!strncmp(line, "visits ", 7))
			command_visits(out, line + 7);
		else if (!strcmp(line, "debugreg"))
			fprintf(out, "ok %" PRIu64 "\n", load(&debugreg_writes));
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
static bool start_server(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	sigset_t all, before;
	pthread_t thread;
	int error, listener;

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

static void on_exit_of_qemu(qemu_plugin_id_t id, void *udata)
{
	(void)id;
	(void)udata;
	unlink(control);
}

QEMU_PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info,
					   int argc, char **argv)
{
	int i;

	if (!info->system_emulation) {
		fprintf(stderr, "oracle: this plugin is for system emulation\n");
		return 1;
	}
	for (i = 0; i < argc; i++) {
		const char *path = argv[i] + strlen("control=");

		if (strncmp(argv[i], "control=", strlen("control=")) || !*path) {
			fprintf(stderr, "oracle: %s: the only argument is control=PATH\n", argv[i]);
			return 1;
		}
		if (strlen(path) >= sizeof(control)) {
			fprintf(stderr, "oracle: %s: longer than a socket's path may be\n", path);
			return 1;
		}
		strcpy(control, path);
	}
	if (!*control) {
		fprintf(stderr, "oracle: control=PATH is missing\n");
		return 1;
	}

	nr_vcpus = info->system.max_vcpus;
	vcpus = aligned_alloc(__alignof__(*vcpus), nr_vcpus * sizeof(*vcpus));
	if (!vcpus) {
		fprintf(stderr, "oracle: no memory\n");
		return 1;
	}
	memset(vcpus, 0, nr_vcpus * sizeof(*vcpus));
	if (!start_server())
		return 1;
	qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
	qemu_plugin_register_atexit_cb(id, on_exit_of_qemu, NULL);
	return 0;
}

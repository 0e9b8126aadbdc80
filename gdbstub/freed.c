// SPDX-License-Identifier: GPL-2.0-only
/*
 * Has somebody given back the memory that a watchpoint is on?
 *
 * Its next owner hits as well, and so does whoever uses it after it was freed.
 * A hit there is still reported, and the first one named as what it is.
 *
 * What the memory is, is found out as the watchpoint is armed, and looked at
 * again when it hits, without any lock:
 *
 *	a stack		does the thread live that it belonged to?
 *	vmalloc()	is the same page at the address?
 *	a slab's object	kfree() and kmem_cache_free() have tracepoints. A probe
 *			is there while such memory is watched, and costs nothing
 *			otherwise. It cannot be set from the debugger: some
 *			milliseconds pass until it is.
 *
 * What that does not tell: objects that are freed in bulk, where there is no
 * tracepoint; an area that vmalloc() gives to somebody else with the very same
 * page; pages of the page allocator.
 */
#define pr_fmt(fmt) "KGDB: " fmt

#include <linux/irq_work.h>
#include <linux/kernel.h>
#include <linux/kgdb.h>
#include <linux/mm.h>
#include <linux/pid_namespace.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/sched/task_stack.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <linux/workqueue.h>

#include <trace/events/kmem.h>

#include "freed.h"

enum memory_kind { MEMORY_LASTS, MEMORY_STACK, MEMORY_VMALLOC, MEMORY_OBJECT };

/**
 * struct memory - the memory of one watchpoint, as it was when it was armed
 * @spec: the watchpoint; of type KGDB_WATCH_SOFTWARE if there is none
 * @since: the generation in which it was new
 * @kind: what the memory is
 * @page: of MEMORY_VMALLOC: what was mapped there
 * @pid: of MEMORY_STACK: whose
 * @start_time: of MEMORY_STACK: a PID may be another thread's by now
 * @freed_since: equals @since if this object was freed
 * @freed_by: who has called then
 * @told: it has been said
 */
struct memory {
	struct kgdb_watch_spec spec;
	unsigned int since;
	enum memory_kind kind;
	const struct page *page;
	pid_t pid;
	u64 start_time;
	unsigned int freed_since;
	unsigned long freed_by;
	bool told;
};

static struct memory memories[KGDB_WATCH_MAX];

/* What is to be told at this stop */
static char text[256];

/*
 * The tracepoints
 */

/* Some CPU frees an object of @size bytes; the debugger may hold it in here */
static void object_freed(struct memory *memory, unsigned long offset,
			 size_t size, unsigned long caller, unsigned int since)
{
	if (offset >= size)
		return;
	WRITE_ONCE(memory->freed_by, caller);
	/* Not of a watchpoint that has come since */
	smp_store_release(&memory->freed_since, since);
}

static void look_for(const void *object, const struct kmem_cache *cache,
		     unsigned long caller)
{
	unsigned long offset;
	unsigned int i, since;

	for (i = 0; i < KGDB_WATCH_MAX; i++) {
		struct memory *memory = &memories[i];

		/* Pairs with kgdb_freed_watch() */
		since = smp_load_acquire(&memory->since);
		if (READ_ONCE(memory->kind) != MEMORY_OBJECT)
			continue;
		offset = READ_ONCE(memory->spec.addr) - (unsigned long)object;
		if (offset >= KMALLOC_MAX_SIZE)
			continue;
		object_freed(memory, offset,
			     cache ? kmem_cache_size((struct kmem_cache *)cache) :
				     ksize(object),
			     caller, since);
	}
}

static void probe_kfree(void *data, unsigned long caller, const void *object)
{
	look_for(object, NULL, caller);
}

static void probe_cache_free(void *data, unsigned long caller,
			     const void *object, const struct kmem_cache *cache)
{
	look_for(object, cache, caller);
}

static bool objects_watched;

static void set_probes(struct work_struct *work)
{
	static bool set;

	if (READ_ONCE(objects_watched) == set)
		return;
	if (set) {
		unregister_trace_kfree(probe_kfree, NULL);
		unregister_trace_kmem_cache_free(probe_cache_free, NULL);
		set = false;
		return;
	}
	if (register_trace_kfree(probe_kfree, NULL))
		return;
	if (register_trace_kmem_cache_free(probe_cache_free, NULL))
		unregister_trace_kfree(probe_kfree, NULL);
	else
		set = true;
}

static DECLARE_WORK(probes_work, set_probes);

static void queue_probes_work(struct irq_work *work)
{
	schedule_work(&probes_work);
}

/* Raises an interrupt, for when the debugger has been left */
static struct irq_work probes_kick = IRQ_WORK_INIT(queue_probes_work);

/*
 * What the memory is
 */

static bool on_stack_of(const struct task_struct *task, unsigned long addr)
{
	unsigned long stack = (unsigned long)READ_ONCE(task->stack);

	return stack && addr - stack < THREAD_SIZE;
}

static void identify_stack(struct memory *memory)
{
	struct task_struct *process, *thread;

	rcu_read_lock();
	for_each_process_thread(process, thread) {
		if (!on_stack_of(thread, memory->spec.addr))
			continue;
		memory->kind = MEMORY_STACK;
		memory->pid = task_pid_nr(thread);
		memory->start_time = thread->start_time;
		break;
	}
	rcu_read_unlock();
}

static void identify(struct memory *memory)
{
	void *addr = (void *)memory->spec.addr;

	memory->kind = MEMORY_LASTS;
	/* There is no struct page yet, and nothing but memory of the image */
	if (dbg_is_early)
		return;

	if (is_vmalloc_addr(addr)) {
		memory->kind = MEMORY_VMALLOC;
		memory->page = vmalloc_to_page(addr);
	} else if (virt_addr_valid(addr) && !PageReserved(virt_to_page(addr))) {
		memory->kind = MEMORY_OBJECT;
	} else {
		return;
	}
	identify_stack(memory);
}

static bool thread_lives(const struct memory *memory)
{
	struct task_struct *thread;
	bool lives;

	rcu_read_lock();
	thread = find_task_by_pid_ns(memory->pid, &init_pid_ns);
	lives = thread && thread->start_time == memory->start_time &&
		on_stack_of(thread, memory->spec.addr);
	rcu_read_unlock();
	return lives;
}

/* Write who has given the memory back; false if nobody is known to have */
static bool given_back(const struct memory *memory, char *buf, size_t size)
{
	switch (memory->kind) {
	case MEMORY_STACK:
		if (thread_lives(memory))
			return false;
		scnprintf(buf, size, "it was on the stack of thread %d, which has exited",
			  memory->pid);
		return true;
	case MEMORY_VMALLOC:
		if (vmalloc_to_page((void *)memory->spec.addr) == memory->page)
			return false;
		scnprintf(buf, size, "its memory was given back by vfree()");
		return true;
	case MEMORY_OBJECT:
		if (READ_ONCE(memory->freed_since) != memory->since)
			return false;
		scnprintf(buf, size, "its memory was freed by %pS",
			  (void *)memory->freed_by);
		return true;
	default:
		return false;
	}
}

/*
 * For the table
 */

/**
 * kgdb_freed_watch() - there is a new watchpoint: find out what its memory is
 * @i: its entry in the table
 * @spec: the watchpoint
 * @since: the generation in which it is new
 *
 * Context: master CPU about to leave the debugger, or all CPUs kept out of it.
 */
void kgdb_freed_watch(unsigned int i, const struct kgdb_watch_spec *spec,
		      unsigned int since)
{
	struct memory *memory = &memories[i];

	memory->spec = *spec;
	memory->told = false;
	identify(memory);
	/* Pairs with look_for() */
	smp_store_release(&memory->since, since);
}

/**
 * kgdb_freed_forget() - there is no such watchpoint any more
 * @i: its entry in the table
 *
 * Context: as kgdb_freed_watch().
 */
void kgdb_freed_forget(unsigned int i)
{
	memories[i].spec.type = KGDB_WATCH_SOFTWARE;
	memories[i].kind = MEMORY_LASTS;
}

/**
 * kgdb_freed_settled() - all watchpoints are known
 *
 * Context: as kgdb_freed_watch().
 */
void kgdb_freed_settled(void)
{
	bool wanted = false;
	int i;

	for (i = 0; i < KGDB_WATCH_MAX; i++)
		wanted |= memories[i].kind == MEMORY_OBJECT;
	if (wanted == objects_watched)
		return;
	WRITE_ONCE(objects_watched, wanted);
	irq_work_queue(&probes_kick);
}

/*
 * For the hits
 */

/**
 * kgdb_freed_hit() - say so if the memory that was hit has been given back
 * @hit: what is reported
 *
 * In the kernel log, and with kgdb_freed_text(); once for each watchpoint.
 *
 * Context: master CPU in the debugger.
 */
void kgdb_freed_hit(const struct kgdb_watch_spec *hit)
{
	char why[160];
	int i;

	text[0] = '\0';
	for (i = 0; i < KGDB_WATCH_MAX; i++) {
		struct memory *memory = &memories[i];

		if (memory->kind == MEMORY_LASTS || memory->told ||
		    hit->addr - memory->spec.addr >= memory->spec.len ||
		    !given_back(memory, why, sizeof(why)))
			continue;
		memory->told = true;
		scnprintf(text, sizeof(text),
			  "hit at 0x%lx, where the memory is not what was watched: %s\n",
			  hit->addr, why);
		pr_info("%s", text);
	}
}

/**
 * kgdb_freed_text() - what this stop's hit says of its memory
 *
 * Context: master CPU in the debugger, after kgdb_freed_hit().
 * Return: a line, or an empty text.
 */
const char *kgdb_freed_text(void)
{
	return text;
}

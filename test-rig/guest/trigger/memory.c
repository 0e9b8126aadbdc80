// SPDX-License-Identifier: GPL-2.0-only
/*
 * kgdb_trigger: memory that is given back
 *
 * memory	write "new KIND" to have some, of which there is one at a time:
 *		KIND is "object" (of a slab cache of its own), "vmalloc" or
 *		"stack" (a local variable of a thread). Reads as its address.
 *		"free" gives it back: by kfree(), by vfree(), or the thread
 *		exits. "again" has somebody else get it: another object, another
 *		page at the same address, another thread. "store VALUE" (hex)
 *		stores 4 bytes there: whoever has it by now, but for a freed
 *		object, which is nobody's.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": memory: " fmt

#include <linux/compiler.h>
#include <linux/completion.h>
#include <linux/debugfs.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/gfp.h>
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include "trigger.h"

#define OBJECT_SIZE	256
/* Whose stack is where another one's was, if that was freed a moment ago. */
#define THREADS_MAX	64

enum memory_kind { NO_MEMORY, OBJECT, VMALLOC, STACK };

static DEFINE_MUTEX(memory_lock);
static enum memory_kind memory_kind;
static void *memory_address;
static bool memory_owned;
static struct kmem_cache *memory_cache;
/* What keeps vmalloc() from getting the page that vfree() gave back. */
static struct page *memory_page;

struct memory_thread {
	struct task_struct *task;
	u32 *local;
	u32 value;
	bool end;
	struct completion ready, go;
};

static struct memory_thread *memory_threads[THREADS_MAX];

/* With a constructor, a cache is merged with no other, and free objects keep what they hold. */
static void memory_construct(void *object)
{
}

static noinline int memory_thread(void *data)
{
	struct memory_thread *thread = data;
	u32 local = 0;

	thread->local = &local;
	complete(&thread->ready);
	for (;;) {
		wait_for_completion(&thread->go);
		/* With what is called from here only, so that the variable stays what it is. */
		if (thread->end)
			kthread_complete_and_exit(NULL, 0);
		WRITE_ONCE(local, thread->value);
		complete(&thread->ready);
	}
}

static struct memory_thread *memory_start_thread(void)
{
	struct memory_thread *thread = kzalloc(sizeof(*thread), GFP_KERNEL);
	struct task_struct *task;

	if (!thread)
		return ERR_PTR(-ENOMEM);
	init_completion(&thread->ready);
	init_completion(&thread->go);
	task = kthread_create(memory_thread, thread, "kgdb_memory");
	if (IS_ERR(task)) {
		kfree(thread);
		return ERR_CAST(task);
	}
	/* It is kept, so that it can be waited for until it has gone. */
	thread->task = get_task_struct(task);
	wake_up_process(task);
	wait_for_completion(&thread->ready);
	return thread;
}

static void memory_end_thread(struct memory_thread *thread)
{
	struct task_struct *task = thread->task;

	thread->end = true;
	complete(&thread->go);
	/* The stack is given back a moment after the exit. */
	while (READ_ONCE(task->stack))
		schedule_timeout_uninterruptible(1);
	put_task_struct(task);
	kfree(thread);
}

static int memory_new(enum memory_kind kind)
{
	switch (kind) {
	case OBJECT:
		memory_address = kmem_cache_alloc(memory_cache, GFP_KERNEL);
		break;
	case VMALLOC:
		memory_address = vmalloc(PAGE_SIZE);
		break;
	default:
		memory_threads[0] = memory_start_thread();
		if (IS_ERR(memory_threads[0])) {
			memory_threads[0] = NULL;
			return -ENOMEM;
		}
		memory_address = memory_threads[0]->local;
	}
	if (!memory_address)
		return -ENOMEM;
	memory_kind = kind;
	memory_owned = true;
	return 0;
}

static noinline void memory_free(void)
{
	int i;

	if (!memory_owned)
		return;
	memory_owned = false;
	if (memory_kind == OBJECT)
		kfree(memory_address);
	else if (memory_kind == VMALLOC)
		vfree(memory_address);
	for (i = 0; i < THREADS_MAX; i++) {
		if (memory_threads[i])
			memory_end_thread(memory_threads[i]);
		memory_threads[i] = NULL;
	}
}

static int memory_again(void)
{
	void *address = memory_address;
	int i, result;

	if (memory_owned || !memory_kind)
		return trigger_refuse("nothing was given back");
	if (memory_kind == VMALLOC) {
		/* Only then are the addresses free for others. */
		vm_unmap_aliases();
		memory_page = memory_page ?: alloc_page(GFP_KERNEL);
	}
	result = memory_new(memory_kind);
	for (i = 1; !result && memory_kind == STACK && memory_address != address && i < THREADS_MAX; i++) {
		memory_threads[i] = memory_start_thread();
		if (IS_ERR(memory_threads[i])) {
			memory_threads[i] = NULL;
			return -ENOMEM;
		}
		memory_address = memory_threads[i]->local;
	}
	if (!result && memory_address != address)
		return trigger_refuse("somebody else has got %px", address);
	return result;
}

static int memory_store(u32 value)
{
	int i;

	if (memory_kind == NO_MEMORY || (!memory_owned && memory_kind != OBJECT))
		return trigger_refuse("nobody has this memory");
	if (memory_kind != STACK) {
		WRITE_ONCE(*(u32 *)memory_address, value);
		return 0;
	}
	for (i = 0; i < THREADS_MAX; i++) {
		struct memory_thread *thread = memory_threads[i];

		if (!thread || thread->local != memory_address)
			continue;
		thread->value = value;
		complete(&thread->go);
		wait_for_completion(&thread->ready);
	}
	return 0;
}

static int memory_do(const char *line)
{
	static const char * const kinds[] = {
		[OBJECT - 1] = "new object", [VMALLOC - 1] = "new vmalloc", [STACK - 1] = "new stack",
	};
	int kind = match_string(kinds, ARRAY_SIZE(kinds), line);
	u32 value;

	if (kind >= 0) {
		memory_free();
		return memory_new(kind + 1);
	}
	if (!strcmp(line, "free")) {
		memory_free();
		return 0;
	}
	if (!strcmp(line, "again"))
		return memory_again();
	if (sscanf(line, "store %x", &value) == 1)
		return memory_store(value);
	return trigger_refuse("\"%s\": none of new KIND, free, again, store VALUE", line);
}

static int trigger_memory_show(struct seq_file *file, void *unused)
{
	seq_printf(file, "0x%px\n", memory_address);
	return 0;
}

static ssize_t trigger_memory_write(struct file *file, const char __user *buffer, size_t length, loff_t *position)
{
	char line[LINE_MAX_LENGTH + 1];
	int result = trigger_get_line(line, buffer, length);

	if (result)
		return result;
	mutex_lock(&memory_lock);
	result = memory_do(line);
	mutex_unlock(&memory_lock);
	return result ? result : length;
}
DEFINE_SHOW_STORE_ATTRIBUTE(trigger_memory);

int trigger_memory_init(void)
{
	memory_cache = kmem_cache_create("kgdb_trigger", OBJECT_SIZE, 0, 0, memory_construct);
	return memory_cache ? 0 : -ENOMEM;
}

void trigger_memory_files(struct dentry *directory)
{
	debugfs_create_file("memory", 0600, directory, NULL, &trigger_memory_fops);
}

void trigger_memory_exit(void)
{
	memory_free();
	if (memory_page)
		__free_page(memory_page);
	kmem_cache_destroy(memory_cache);
}

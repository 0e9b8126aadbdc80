/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * kgdb_trigger: what its files share
 *
 * main.c has the overview. Here are the buffer, a request for accesses to it,
 * and what main.c calls to set the other files up.
 */
#ifndef KGDB_TRIGGER_H
#define KGDB_TRIGGER_H

#include <linux/completion.h>
#include <linux/interrupt.h>
#include <linux/irq_work.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/spinlock.h>
#include <linux/types.h>

struct dentry;

#define BUFFER_SIZE	4096
#define LINE_MAX_LENGTH	255

/* How many of the sizes 1, 2, 4, 8 there are. */
#define TRIGGER_SIZES	(IS_ENABLED(CONFIG_64BIT) ? 4 : 3)

/* The last two are for a request, not for an access. */
enum trigger_op { OP_READ, OP_WRITE, OP_ADD, OP_RMW, OP_PROBED, OP_RANDOM, OP_MIXED };

/* One access. */
struct trigger_access {
	enum trigger_op op;
	unsigned int size;
	unsigned int offset;
	u64 value;
};

static inline bool trigger_is_sequence(enum trigger_op op)
{
	return op == OP_RANDOM || op == OP_MIXED;
}

struct trigger_context;

/* One line written to `run`. It lives on the stack of the writer, who waits. */
struct trigger_request {
	/* What was asked for; constant once it is parsed. */
	enum trigger_op op;
	unsigned int size;
	unsigned int offset;
	u64 value;
	u32 count;
	u32 seed;
	unsigned int span;
	int cpu;		/* -1: wherever the writer runs */
	const struct trigger_context *context;

	/* Where the run is; the running thread's. */
	struct trigger_access access;
	u32 random;

	/* For the contexts that need one of these. */
	struct irq_work irq_work;
	struct tasklet_struct tasklet;
	raw_spinlock_t lock;

	/* Between the writer and the thread of cpu=. */
	struct completion done;
	bool stop;
	int result;
};

/**
 * struct trigger_context - where accesses are made
 * @name: for context=
 * @perform: called in the running thread; has performed the access when it
 *	     returns 0, and then has nothing of it left behind
 */
struct trigger_context {
	const char *name;
	int (*perform)(struct trigger_request *request);
};

/* access.c: exactly one page, so it has no neighbours. */
extern u8 kgdb_trigger_buffer[BUFFER_SIZE];

/* line.c: a line of printable characters from user space, its newline cut off. */
int trigger_get_line(char *line, const char __user *buffer, size_t length);

/* Linux 6.1 has it for files without a write() only. */
#ifndef DEFINE_SHOW_STORE_ATTRIBUTE
#define DEFINE_SHOW_STORE_ATTRIBUTE(name)					\
static int name##_open(struct inode *inode, struct file *file)			\
{										\
	return single_open(file, name##_show, inode->i_private);		\
}										\
										\
static const struct file_operations name##_fops = {				\
	.owner = THIS_MODULE,							\
	.open = name##_open,							\
	.read = seq_read,							\
	.write = name##_write,							\
	.llseek = seq_lseek,							\
	.release = single_release,						\
}
#endif

/* Every refusal says why in the kernel log, and is -EINVAL. */
#define trigger_refuse(fmt, ...)			\
({							\
	pr_err(fmt "\n", ##__VA_ARGS__);		\
	-EINVAL;					\
})

/* access.c: whether an instruction adds to memory and is no atomic one. */
#define TRIGGER_HAS_ADD	IS_ENABLED(CONFIG_X86)

/* access.c: whether an instruction accesses 16 bytes. In the thread only: it uses the FPU. */
#define TRIGGER_HAS_WIDE	IS_ENABLED(CONFIG_X86_64)
#define TRIGGER_WIDE		16

/* access.c: performs the access of @request, here and now. In any context. */
void trigger_perform(struct trigger_request *request);
/* How many that was so far. */
long trigger_performed(void);
bool trigger_has_rmw(void);

/* run_line.c: fill @request from @line, which is one line without its newline and is cut up. */
int trigger_parse(char *line, struct trigger_request *request);

/* run.c */
void trigger_run_files(struct dentry *directory);

/* context.c: NULL for a name that there is no context of on this machine. */
const struct trigger_context *trigger_context_find(const char *name);
int trigger_context_init(void);
void trigger_context_exit(void);

/* context_probe.c */
#ifdef CONFIG_KPROBES
int trigger_in_kprobe(struct trigger_request *request);
int trigger_in_kretprobe(struct trigger_request *request);
#endif
#ifdef CONFIG_FUNCTION_TRACER
int trigger_in_ftrace(struct trigger_request *request);
#endif
int trigger_context_probe_init(void);
void trigger_context_probe_exit(void);

/* memory.c */
int trigger_memory_init(void);
void trigger_memory_files(struct dentry *directory);
void trigger_memory_exit(void);

/* store.c */
#if defined(CONFIG_X86) && defined(CONFIG_KPROBES)
#define TRIGGER_HAS_PROBED	1
void trigger_write_probed(void *address, u64 value);
void trigger_store_files(struct dentry *directory);
void trigger_store_exit(void);
#else
#define TRIGGER_HAS_PROBED	0
static inline void trigger_store_files(struct dentry *directory) { }
static inline void trigger_store_exit(void) { }
#endif

/* hold.c and callin.c */
#ifdef CONFIG_X86_LOCAL_APIC
int trigger_hold_init(void);
void trigger_hold_files(struct dentry *directory);
void trigger_hold_exit(void);
int trigger_callin_init(void);
void trigger_callin_files(struct dentry *directory);
void trigger_callin_exit(void);
#else
static inline int trigger_hold_init(void) { return 0; }
static inline void trigger_hold_files(struct dentry *directory) { }
static inline void trigger_hold_exit(void) { }
static inline int trigger_callin_init(void) { return 0; }
static inline void trigger_callin_files(struct dentry *directory) { }
static inline void trigger_callin_exit(void) { }
#endif

/* debugreg.c, raise.c and patched.c */
#ifdef CONFIG_X86
void trigger_patched_files(struct dentry *directory);
void trigger_debugreg_files(struct dentry *directory);
int trigger_raise_init(void);
void trigger_raise_files(struct dentry *directory);
void trigger_raise_exit(void);
#else
static inline void trigger_patched_files(struct dentry *directory) { }
static inline void trigger_debugreg_files(struct dentry *directory) { }
static inline int trigger_raise_init(void) { return 0; }
static inline void trigger_raise_files(struct dentry *directory) { }
static inline void trigger_raise_exit(void) { }
#endif

#endif /* KGDB_TRIGGER_H */

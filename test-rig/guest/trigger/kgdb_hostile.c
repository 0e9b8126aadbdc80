// SPDX-License-Identifier: GPL-2.0-only
/*
 * kgdb_hostile: packets that no debugger would send, fed to KGDB without a line
 *
 *	insmod kgdb_hostile.ko count=N seed=N
 *
 * It registers an I/O driver of KGDB's own (no other may be registered, and kdb
 * must not be who answers), stops the machine, and is the debugger: it sets
 * watchpoints, sends N packets that are spoilt, and looks at each answer. Then
 * it has the machine go on and makes accesses, of which just those to the
 * watched words may stop it. Last it detaches. All has been done when the module
 * is loaded; insmod fails if something was wrong, and the kernel log says what.
 *
 * A packet is one of templates[] with some bytes changed, put in, doubled or
 * taken out, or noise; its checksum is wrong in one of sixteen. What a debugger
 * may use to change memory, registers or the stub's mode, or to have the machine
 * go on, is not sent, nor what the stub takes for no packet: see effects[]. What
 * inserts something after all is followed by the packet that removes it.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/kgdb.h>
#include <linux/module.h>
#include <linux/serial_core.h>
#include <linux/string.h>

/* A packet's payload is shorter than this, as the stub's own buffer is on x86 */
#define PAYLOAD_MOST	1000
#define ANSWER_MOST	4096

static unsigned int count = 1000;
module_param(count, uint, 0444);
MODULE_PARM_DESC(count, "how many packets");
static unsigned int seed = 1;
module_param(seed, uint, 0444);
MODULE_PARM_DESC(seed, "which packets; not 0");

/* What is watched: by Z2, by Z4 */
static u32 hostile_written;
static u64 hostile_accessed;
/* What packets name, and nobody watches */
static u64 hostile_other[32];

static const char * const templates[] = {
	"Z0,%lx,1", "Z1,%lx,1", "Z2,%lx,4", "Z3,%lx,2", "Z4,%lx,8", "z0,%lx,1",
	"z2,%lx,4", "z4,%lx,8", "m%lx,40", "m%lx,ffffffffffffffff", "p10", "g",
	"Hg1", "Hg-2", "Hc0", "T1", "qC", "qfThreadInfo", "qsThreadInfo",
	"qThreadExtraInfo,1", "qSupported:multiprocess+", "qAttached",
	"qXfer:features:read:target.xml:0,100", "vCont?", "QStartNoAckMode",
	"bc", "!", "i", "Y",
};

static const char effects[] = "MXGPcsCSDkR3?+-\003";

/* What the session says before and behind them, and what is to be answered; NULL is anything */
static const struct line {
	const char *packet;
	const void *address;
	const char *answer;
} before[] = {
	{ "?" },
	{ "Z2,%lx,4", &hostile_written, "OK" },
	{ "Z4,%lx,8", &hostile_accessed, "OK" },
	{ "g" },
}, behind[] = {
	{ "Hg0", NULL, "OK" },
	{ "Hc0", NULL, "OK" },
	{ "g" },
	{ "c" },
};

/* What the stub reads next, up to a NUL, and whether it gets a "+" first */
static char packet[PAYLOAD_MOST + 8];
static const char *unread = packet;
static bool acknowledge;
/* The packet's checksum is wrong */
static bool spoilt;

/* The answer so far, from its "$" on, and how many bytes of it there are; 0 between two */
static char answer[ANSWER_MOST];
static unsigned int answered;

/* How many lines of the session, and how many packets, were sent; one that takes the last back is on its way */
static unsigned int lines, packets;
static bool takes_back;
static char registers[ANSWER_MOST];
/* The hits that are expected, and what they have to say; then the session is over */
static const char *hit;
static const void *hit_address;
static unsigned int hits;
static bool leaves;

static unsigned int sums_refused, done, empty, errors, data;
static bool wrong;
static u32 state;

static u32 draw(u32 below)
{
	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state % below;
}

static void complain(const char *what)
{
	if (!wrong)
		pr_err("%s, packet %u, \"%.200s\", answer \"%.200s\"\n", what, packets, packet, answer);
	wrong = true;
}

/* Frame what is in packet[] behind its first byte */
static void send(unsigned int length)
{
	u8 sum = 0;
	unsigned int i;

	for (i = 1; i <= length; i++)
		sum += packet[i];
	sum += spoilt;
	packet[0] = '$';
	snprintf(packet + 1 + length, 4, "#%02x", sum);
	unread = packet;
}

static void send_line(const char *format, const void *address)
{
	send(scnprintf(packet + 1, PAYLOAD_MOST, format, (unsigned long)address));
}

static void insert(char *packet, unsigned int *length, unsigned int at, const char *bytes,
		   unsigned int number)
{
	number = min(number, PAYLOAD_MOST - 1 - *length);
	memmove(packet + at + number, packet + at, *length - at);
	memcpy(packet + at, bytes, number);
	*length += number;
}

static void spoil(char *packet, unsigned int *length)
{
	unsigned int at = draw(*length + 1), number;
	char byte, again[64];

	switch (draw(4)) {
	case 0:
		byte = 1 + draw(255);
		insert(packet, length, at, &byte, 1);
		break;
	case 1:
		insert(packet, length, at, "0123456789abcdef,:;-" + draw(20), 1);
		break;
	case 2:
		number = min(draw(4), *length - at);
		memmove(packet + at, packet + at + number, *length - at - number);
		*length -= number;
		break;
	default:
		number = min_t(unsigned int, *length - at, sizeof(again));
		memcpy(again, packet + at, number);
		insert(packet, length, at, again, number);
	}
}

/* Return: the length of a payload; a NUL, and what frames a packet, would end it. */
static unsigned int make(char *payload)
{
	unsigned int length, changes, i;

	do {
		if (draw(16)) {
			length = scnprintf(payload, PAYLOAD_MOST, templates[draw(ARRAY_SIZE(templates))],
					   (unsigned long)&hostile_other[draw(ARRAY_SIZE(hostile_other))]);
			for (changes = draw(4); changes; changes--)
				spoil(payload, &length);
		} else {
			length = 1 + draw(PAYLOAD_MOST - 1);
			for (i = 0; i < length; i++)
				payload[i] = 1 + draw(255);
		}
		for (i = 0; i < length; i++)
			if (!payload[i] || payload[i] == '#' || payload[i] == '$')
				payload[i] = 'x';
	} while (!length || strchr(effects, *payload) || !strncmp(payload, "qRcmd,", 6));
	return length;
}

/* What comes next in the session */
static void go_on(void)
{
	const struct line *line = NULL;

	spoilt = takes_back = false;
	if (lines < ARRAY_SIZE(before)) {
		line = &before[lines++];
	} else if (packets < count) {
		packets++;
		spoilt = !draw(16);
		send(make(packet + 1));
	} else if (lines < ARRAY_SIZE(before) + ARRAY_SIZE(behind)) {
		line = &behind[lines++ - ARRAY_SIZE(before)];
	}
	if (line)
		send_line(line->packet, line->address);
}

static void take_stop(void)
{
	char says[40];

	if (leaves) {
		send_line("D", NULL);
		return;
	}
	hits++;
	snprintf(says, sizeof(says), ";%s:%016lx;", hit ?: "nothing", (unsigned long)hit_address);
	if (!hit || !strstr(answer, says))
		complain("a stop that is none of ours");
	send_line("c", NULL);
}

static void take_answer(const char *said)
{
	const struct line *line = lines <= ARRAY_SIZE(before) ? &before[lines - 1] :
				  &behind[lines - 1 - ARRAY_SIZE(before)];

	if (*said == 'T' && packets == count) {
		take_stop();
		return;
	}
	if (leaves)
		return;
	if (takes_back || packets == 0 || lines > ARRAY_SIZE(before)) {
		if (takes_back ? strcmp(said, "OK") : line->answer && strcmp(said, line->answer))
			complain("not the answer that there should be");
		if (!takes_back && *line->packet == 'g') {
			if (packets && strcmp(said, registers))
				complain("the registers have changed");
			strscpy(registers, said, sizeof(registers));
		}
		go_on();
		return;
	}
	if (!strcmp(said, "OK"))
		done++;
	else if (!*said)
		empty++;
	else if (*said == 'E')
		errors++;
	else
		data++;
	if (packet[1] != 'Z' || strcmp(said, "OK")) {
		go_on();
		return;
	}
	packet[1] = 'z';
	takes_back = true;
	send(strlen(packet + 1) - 3);
}

static int hostile_read(void)
{
	if (acknowledge) {
		acknowledge = false;
		return '+';
	}
	/* The first of a session, or of what the stub waits for behind its stop reply */
	if (!*unread && !lines)
		go_on();
	return *unread ? (u8)*unread++ : NO_POLL_CHAR;
}

static void hostile_write(u8 byte)
{
	u8 sum = 0, said;
	unsigned int i;

	if (!answered && byte != '$') {
		/* Two digits come before what is sent again: nothing is */
		if (byte != (spoilt ? '-' : '+'))
			complain("the packet is taken for what it is not");
		if (byte == '-') {
			sums_refused++;
			go_on();
		}
		return;
	}
	if (answered < sizeof(answer) - 1)
		answer[answered++] = byte;
	answer[answered] = '\0';
	if (answered < 4 || answer[answered - 3] != '#')
		return;
	for (i = 1; i < answered - 3; i++)
		sum += answer[i];
	if (kstrtou8(answer + answered - 2, 16, &said) || said != sum)
		complain("the answer's checksum is wrong");
	answer[answered - 3] = '\0';
	answered = 0;
	acknowledge = true;
	take_answer(answer + 1);
}

static struct kgdb_io hostile_io = {
	.name = KBUILD_MODNAME,
	.read_char = hostile_read,
	.write_char = hostile_write,
};

/* An access that has to stop the machine once, or not at all */
#define ACCESS(how, name, variable, access)					\
do {										\
	hit = how;								\
	hit_address = &(variable);						\
	hits = 0;								\
	barrier();								\
	access;									\
	/* The stop is the exception's, of which the compiler does not know. */	\
	barrier();								\
	if (hits != !!(how))							\
		complain(name);							\
} while (0)

static int hostile_init(void)
{
	int result;

	state = seed;
	result = kgdb_register_io_module(&hostile_io);
	if (result)
		return result;
	kgdb_breakpoint();
	ACCESS("watch", "no hit of a store", hostile_written, WRITE_ONCE(hostile_written, 1));
	ACCESS(NULL, "a load is a hit", hostile_written, (void)READ_ONCE(hostile_written));
	ACCESS("awatch", "no hit of an access", hostile_accessed, (void)READ_ONCE(hostile_accessed));
	for (result = 0; result < ARRAY_SIZE(hostile_other); result++)
		ACCESS(NULL, "something is left", hostile_other[result], WRITE_ONCE(hostile_other[result], 1));
	leaves = true;
	kgdb_breakpoint();
	kgdb_unregister_io_module(&hostile_io);
	pr_info("%u packets, seed %u: %u done, %u unknown, %u refused, %u answered with data, %u with a wrong checksum\n",
		packets, seed, done, empty, errors, data, sums_refused);
	return wrong || packets != count ? -EIO : 0;
}

static void hostile_exit(void)
{
}

module_init(hostile_init);
module_exit(hostile_exit);

MODULE_DESCRIPTION("Feeds packets to KGDB that no debugger would send");
MODULE_LICENSE("GPL");

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Text of the Z, z and qSupported packets, and of a stop reply's watch field.
 *
 * First on a watchpoint's path: packet -> plan -> table -> slots -> arch ->
 * hit -> match -> stop reply. Pure code: text in, a struct or a reason out.
 */
#include "packet.h"

static int hex_digit(char ch)
{
	if (ch >= '0' && ch <= '9')
		return ch - '0';
	if (ch >= 'a' && ch <= 'f')
		return ch - 'a' + 10;
	if (ch >= 'A' && ch <= 'F')
		return ch - 'A' + 10;
	return -1;
}

/*
 * Read one hex number and step @text over it. The protocol sends numbers
 * without sign or prefix; more digits than a long has cannot be a number gdb
 * means, and cutting it off would watch a different address.
 *
 * Return: NULL, or what is wrong with the field.
 */
static const char *parse_hex(const char **text, unsigned long *value,
			     const char *missing, const char *overlong)
{
	const char *p = *text;
	int digit;

	*value = 0;
	while ((digit = hex_digit(*p)) >= 0) {
		if (p - *text == BITS_PER_LONG / 4)
			return overlong;
		*value = *value << 4 | digit;
		p++;
	}
	if (p == *text)
		return missing;
	*text = p;
	return NULL;
}

/**
 * kgdb_parse_break() - parse a Z or z packet
 * @text: the packet's payload, NUL-terminated
 * @packet: result, valid only when NULL is returned
 *
 * The form is ``Ztype,addr,kind[;anything]``. The optional fields behind
 * ``;`` (conditions and commands) are ignored: gdb sends them only to a stub
 * that offered them, and checks conditions itself otherwise. Nothing else is
 * tolerated.
 *
 * Context: any; touches nothing but its arguments.
 * Return: NULL on success, otherwise the reason as a constant text.
 */
const char *kgdb_parse_break(const char *text, struct kgdb_break_packet *packet)
{
	const char *why;

	if (text[0] != 'Z' && text[0] != 'z')
		return "not a Z or z packet";
	packet->insert = text[0] == 'Z';

	if (text[1] < '0' || text[1] > '4')
		return "the type is not one of 0 to 4";
	packet->spec.type = text[1] - '0';

	text += 2;
	if (*text++ != ',')
		return "no comma after the type";
	why = parse_hex(&text, &packet->spec.addr, "the address is not a hex number",
			"the address has too many digits");
	if (why)
		return why;

	if (*text++ != ',')
		return "no comma after the address";
	why = parse_hex(&text, &packet->spec.len, "the length is not a hex number",
			"the length has too many digits");
	if (why)
		return why;

	if (*text != '\0' && *text != ';')
		return "garbage after the length";
	return NULL;
}

/**
 * kgdb_format_watch() - write the watch field of a stop reply
 * @buf: where to write, at least KGDB_WATCH_REASON_SIZE bytes
 * @spec: the watchpoint that was hit
 *
 * Writes ``watch:ADDR;``, ``rwatch:ADDR;`` or ``awatch:ADDR;`` with the
 * address at its full width. A breakpoint has no such field: for it nothing
 * is written, since gdb knows its breakpoints from the PC.
 *
 * Context: any; touches nothing but its arguments.
 * Return: the address of the terminating NUL in @buf.
 */
char *kgdb_format_watch(char *buf, const struct kgdb_watch_spec *spec)
{
	const char *name;
	int shift;

	switch (spec->type) {
	case KGDB_WATCH_WRITE:
		name = "watch:";
		break;
	case KGDB_WATCH_READ:
		name = "rwatch:";
		break;
	case KGDB_WATCH_ACCESS:
		name = "awatch:";
		break;
	default:
		*buf = '\0';
		return buf;
	}

	while (*name)
		*buf++ = *name++;
	for (shift = BITS_PER_LONG - 4; shift >= 0; shift -= 4)
		*buf++ = "0123456789abcdef"[spec->addr >> shift & 0xf];
	*buf++ = ';';
	*buf = '\0';
	return buf;
}

/**
 * kgdb_offers() - does a debugger offer a feature?
 * @text: the payload of its qSupported packet, NUL-terminated
 * @feature: the feature's name, and '+'
 *
 * The form is ``qSupported:FEATURE;FEATURE...``. A feature that begins or ends
 * like this one is another.
 *
 * Context: any; touches nothing but its arguments.
 * Return: true if it is one of those that the packet names.
 */
bool kgdb_offers(const char *text, const char *feature)
{
	const char *wanted;

	while (*text && *text != ':')
		text++;
	while (*text) {
		text++;
		for (wanted = feature; *wanted && *text == *wanted; wanted++)
			text++;
		if (!*wanted && (!*text || *text == ';'))
			return true;
		while (*text && *text != ';')
			text++;
	}
	return false;
}

/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Where printed text goes: any of VGA, serial line and port E9; records go to E9 alone.
 *
 * A text is formatted into a buffer on the stack first and written under the lock after that. So one call is one piece, and a
 * fault while formatting (a bad %s) leaves no lock behind. A text longer than the buffer is formatted a second time,
 * straight to the devices.
 */
#include <kern/console.h>
#include <kern/format.h>
#include <kern/thread_impl.h>
#include <sys/debug.h>
#include <sys/mutex.h>
#include <sys/printf.h>
#include <sys/string.h>
#include <sys/tunable.h>

#define TEXT_MAX 512 /* longest dump line is about half of it */

static char console_names[32] = "vga,serial,e9";
TUNABLE_STRING(console_names, "console", "where text is printed: a list of vga, serial, e9");

/** An output device. */
struct console {
	const char *name;
	void (*write)(const char *, size_t);
	bool on;
};

/* Port E9 needs no preparation: it is the one that works from the first instruction on. */
static struct console consoles[] = {
	{ "e9", cons_e9_write, true },
	{ "vga", cons_vga_write, false },
	{ "serial", cons_serial_write, false },
};

static spinlock_t console_lock;

static bool
list_has(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = list; p != NULL; p = strchr(p, ',')) {
		if (*p == ',')
			p++;
		if (strncmp(p, word, n) == 0 && (p[n] == ',' || p[n] == '\0'))
			return (true);
	}
	return (false);
}

void
console_init(void)
{
	for (uint_t i = 0; i < NELEM(consoles); i++)
		consoles[i].on = list_has(console_names, consoles[i].name);
	if (list_has(console_names, "serial"))
		cons_serial_init();
}

/* The first of them is E9, where records go whether or not text is printed there. */
static void
devices_write(void *arg, const char *s, size_t n)
{
	int where = *(const int *)arg;

	if (where == CONS_RECORD) {
		cons_e9_write(s, n);
		return;
	}
	for (uint_t i = where == CONS_NOT_E9; i < NELEM(consoles); i++) {
		if (consoles[i].on)
			consoles[i].write(s, n);
	}
}

int
console_vprint(int where, const char *fmt, va_list ap)
{
	char text[TEXT_MAX];
	ulong_t saved = 0;
	bool locked;
	int len;

	len = vsnprintf(text, sizeof(text), fmt, ap);
	locked = panicstr == NULL; /* a stopped CPU may hold it for ever */
	if (locked)
		saved = spin_enter(&console_lock);
	if ((size_t)len < sizeof(text))
		devices_write(&where, text, (size_t)len);
	else
		(void)format(devices_write, &where, fmt, ap);
	if (locked)
		spin_exit(&console_lock, saved);
	return (len);
}

int
vprintf(const char *fmt, va_list ap)
{
	return (console_vprint(CONS_ALL, fmt, ap));
}

int
printf(const char *fmt, ...)
{
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = console_vprint(CONS_ALL, fmt, ap);
	va_end(ap);
	return (len);
}

int
record(const char *fmt, ...)
{
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = console_vprint(CONS_RECORD, fmt, ap);
	va_end(ap);
	return (len);
}

/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The line editor. In come characters, control characters and the arrow keys' ANSI sequences; out go only text,
 * carriage return and backspace, which the text screen and the dumbest terminal understand.
 *
 * Echo is for the eyes at the screen and the serial line; port E9 gets each finished line once.
 */
#include <kern/console.h>
#include <monitor/monitor_impl.h>
#include <sys/string.h>
#include <sys/symbols.h>
#include <sys/tunable.h>
#include <x86/keyboard.h>

#define PROMPT       "mon> "
#define HISTORY      8
#define ESCAPE_POLLS 200000 /* looks for the rest of an escape sequence: 10 ms and more */
#define MILLION      1000000u

static uint64_t monitor_wait = 100;
TUNABLE_NUMBER(monitor_wait, "monitor_wait", "millions of looks for a first key before the monitor gives up; 0: for ever");

static char history[HISTORY][MON_LINE]; /* newest last */
static uint_t remembered;

/** The line in the making. */
static struct {
	char text[MON_LINE];
	uint_t len, at; /**< characters; where the cursor is */
	uint_t shown;   /**< characters on the screen */
	uint_t back;    /**< lines back in history; 0: a new one */
} ed;

static void echo(const char *fmt, ...) PRINTFLIKE(1, 2);

static void
echo(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)console_vprint(CONS_NOT_E9, fmt, ap);
	va_end(ap);
}

/* ------------------------------------------------------------------ keys */

static int
any_input(void)
{
	int c = keyboard_read();

	return (c >= 0 ? c : cons_serial_read());
}

/* ESC [ A, ESC O A, ESC [ 3 ~ */
static int
escape_sequence(void)
{
	static const int16_t letter[] = {
		['A'] = KEY_UP, ['B'] = KEY_DOWN, ['C'] = KEY_RIGHT, ['D'] = KEY_LEFT, ['F'] = KEY_END, ['H'] = KEY_HOME
	};
	static const int16_t digit[] = { -1, KEY_HOME, -1, KEY_DELETE, KEY_END, -1, -1, KEY_HOME, KEY_END };
	int c = mon_getkey(ESCAPE_POLLS), number = 0;

	if (c != '[' && c != 'O')
		return (0);
	while ((c = mon_getkey(ESCAPE_POLLS)) >= '0' && c <= '9')
		number = (number * 10 + c - '0') % 100;
	if (c == '~')
		return ((uint_t)number < NELEM(digit) && digit[number] > 0 ? digit[number] : 0);
	return (c > 0 && (uint_t)c < NELEM(letter) ? letter[c] : 0);
}

int
mon_getkey(uint64_t polls)
{
	uint64_t n = 0;
	int c;

	while ((c = any_input()) < 0)
		if (++n == polls)
			return (-1);
	return (c);
}

/* ------------------------------------------------------------------ the line on the screen */

static void
show(void)
{
	uint_t wide = MAX(ed.len, ed.shown);

	echo("\r" PROMPT "%-*s", (int)wide, ed.text);
	for (uint_t i = ed.at; i < wide; i++)
		echo("\b");
	ed.shown = ed.len;
}

static void
set_line(const char *s)
{
	strlcpy(ed.text, s, sizeof(ed.text));
	ed.len = ed.at = strlen(ed.text);
}

/* Take out the characters from `from` up to `to`, which may be where the cursor is. */
static void
cut(uint_t from, uint_t to)
{
	memmove(ed.text + from, ed.text + to, ed.len - to + 1);
	ed.len -= to - from;
	ed.at = from;
}

static void
insert(const char *s, size_t n)
{
	n = MIN(n, sizeof(ed.text) - 1 - ed.len);
	memmove(ed.text + ed.at + n, ed.text + ed.at, ed.len - ed.at + 1);
	memcpy(ed.text + ed.at, s, n);
	ed.len += n;
	ed.at += n;
}

static uint_t
word_start(void)
{
	uint_t i = ed.at;

	while (i > 0 && ed.text[i - 1] == ' ')
		i--;
	while (i > 0 && ed.text[i - 1] != ' ')
		i--;
	return (i);
}

/* ------------------------------------------------------------------ history and completion */

static void
remember(void)
{
	if (ed.len == 0 || (remembered > 0 && strcmp(history[HISTORY - 1], ed.text) == 0))
		return;
	memmove(history[0], history[1], sizeof(history) - sizeof(history[0]));
	strlcpy(history[HISTORY - 1], ed.text, sizeof(history[0]));
	remembered = MIN(remembered + 1, (uint_t)HISTORY);
}

static void
recall(uint_t back)
{
	if (back > remembered)
		return;
	ed.back = back;
	set_line(back == 0 ? "" : history[HISTORY - back]);
}

/* What may stand here: commands as the first word, functions behind it. NULL: no more. */
static const char *
candidate(bool first, uint32_t n)
{
	if (!first)
		return (symbol_name(n));
	return (n < (uint32_t)(__stop_monitor - __start_monitor) ? __start_monitor[n].mc_name : NULL);
}

static size_t
common(const char *x, const char *y)
{
	size_t n = 0;

	while (x[n] != '\0' && x[n] == y[n])
		n++;
	return (n);
}

/* Insert what all that begin like the word have in common; where they part, list a few. */
static void
complete(void)
{
	uint_t start = ed.at, found = 0;
	size_t n, all = 0;
	const char *s, *match = NULL;
	bool first;

	while (start > 0 && ed.text[start - 1] != ' ')
		start--;
	first = start == 0;
	if (first && strncmp(ed.text, "::", 2) == 0)
		start = 2;
	if (ed.at < start || (!first && ed.at == start))
		return;
	n = ed.at - start;
	for (uint32_t i = 0; (s = candidate(first, i)) != NULL; i++) {
		if (strncmp(s, ed.text + start, n) != 0)
			continue;
		all = match == NULL ? strlen(s) : MIN(all, common(s, match));
		match = s;
		found++;
	}
	if (all > n)
		insert(match + n, all - n);
	if (found == 1)
		insert(" ", 1);
	if (found <= 1 || all > n)
		return;
	echo("\n");
	for (uint32_t i = 0, told = 0; (s = candidate(first, i)) != NULL && told < 24; i++)
		if (strncmp(s, ed.text + start, n) == 0)
			echo("%s%s", told++ > 0 ? " " : "", s);
	echo("\n");
}

/* ------------------------------------------------------------------ keys to deeds */

static void
move_key(int key)
{
	if ((key == KEY_LEFT || key == CTRL('b')) && ed.at > 0)
		ed.at--;
	else if ((key == KEY_RIGHT || key == CTRL('f')) && ed.at < ed.len)
		ed.at++;
	else if (key == KEY_HOME || key == CTRL('a'))
		ed.at = 0;
	else if (key == KEY_END || key == CTRL('e'))
		ed.at = ed.len;
	else if (key == KEY_UP || key == CTRL('p'))
		recall(ed.back + 1);
	else if ((key == KEY_DOWN || key == CTRL('n')) && ed.back > 0)
		recall(ed.back - 1);
}

static void
edit_key(int key)
{
	char c = (char)key;

	if ((key == '\b' || key == 0x7f) && ed.at > 0)
		cut(ed.at - 1, ed.at);
	else if ((key == KEY_DELETE || key == CTRL('d')) && ed.at < ed.len)
		cut(ed.at, ed.at + 1);
	else if (key == CTRL('k'))
		cut(ed.at, ed.len);
	else if (key == CTRL('u'))
		cut(0, ed.at);
	else if (key == CTRL('w'))
		cut(word_start(), ed.at);
	else if (key == '\t')
		complete();
	else if (key >= ' ' && key < 0x7f)
		insert(&c, 1);
	else
		move_key(key);
}

static bool
is_enter(int key)
{
	return (key == '\r' || key == '\n');
}

/* The time limit is for the very first key: whoever has pressed one may think as long as he likes. */
bool
mon_getline(char *line)
{
	static bool somebody;
	int key;

	memset(&ed, 0, sizeof(ed));
	for (;;) {
		key = mon_getkey(1);
		if (key < 0) { /* what comes fast is shown once */
			show();
			key = mon_getkey(somebody ? 0 : monitor_wait * MILLION);
		}
		if (key < 0) {
			echo("\n");
			return (false);
		}
		somebody = true;
		if (key == CTRL('['))
			key = escape_sequence();
		if (is_enter(key))
			break;
		edit_key(key);
	}
	show();
	echo("\n");
	record(PROMPT "%s\n", ed.text);
	remember();
	strlcpy(line, ed.text, MON_LINE);
	return (true);
}

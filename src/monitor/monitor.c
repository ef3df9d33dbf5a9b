/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief In and out of the monitor, the table of its commands, and what it lets through to them.
 *
 * What it reads was perhaps just being changed, or is damaged: everything is copied by peek() and followed with bounds, no
 * lock is taken, and entries are read from physical memory (check/peek_phys.h). The few commands that call the HAT's own
 * functions ask mon_quiet() first: paused threads keep their mutexes, and waiting for one would be for ever.
 *
 * Interrupts are off, so time stands still for the watchdog and for the checks.
 */
#include <check/check.h>
#include <check/invariants.h>
#include <check/peek_phys.h>
#include <monitor/monitor_impl.h>
#include <sys/debug.h>
#include <sys/peek.h>
#include <sys/string.h>
#include <sys/symbols.h>
#include <sys/tunable.h>
#include <sys/xcall.h>
#include <x86/cpufunc.h>
#include <x86/keyboard.h>

#define RESET_PORT 0xcf9 /* PIIX3 data sheet, 2.4.1 */
#define RESET_HARD 0x02
#define RESET_NOW  0x04

static char monitor_place[32];
static char monitor_script[320];
static uint64_t panic_monitor;
TUNABLE_STRING(monitor_place, "monitor", "1: enter the monitor after start-up; NAME: at that checkpoint");
TUNABLE_STRING(
    monitor_script, "monitor_script", "commands for the monitor instead of the keyboard: ; between them, a comma for each blank");
TUNABLE_NUMBER(panic_monitor, "panic_monitor", "1: enter the monitor after a panic");

uint_t monitor_entries;
static bool inside, leaving;
static const struct mon_command *current;

bool __attribute__((weak)) monitor_step_steal(void) { return (false); }

/* ------------------------------------------------------------------ what commands rely on */

void
mon_error(const char *fmt, ...)
{
	char text[160];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	printf("::%s: %s\n", current != NULL ? current->mc_name : "", text);
}

bool
mon_read(const void *addr, void *buf, size_t size)
{
	uintptr_t a = (uintptr_t)addr;

	return (a >= kernelbase && a + size > a && a % sizeof(void *) == 0 && peek(addr, buf, size));
}

static bool
holds_nothing(kthread_t *addr, const kthread_t *t, void *arg)
{
	(void)addr;
	if (t->t_state == T_DEAD || t->t_nlocks == 0)
		return (true);
	if (*(bool *)arg)
		mon_error(
		    "thread %s is in the middle of something (%d mutexes held): ::cont and try again", t->t_name, t->t_nlocks);
	return (false);
}

bool
mon_quiet(bool aloud)
{
	if (panicstr == NULL && khat_running && !check_active())
		return (mon_each_thread(holds_nothing, &aloud));
	if (aloud)
		mon_error("not %s", panicstr != NULL ? "after a panic" : khat_running ? "inside a check" : "before the HAT runs");
	return (false);
}

/* ------------------------------------------------------------------ arguments */

static bool
is_type(const char *type, const char *name)
{
	size_t n = strlen(name);

	return (strncmp(type, name, n) == 0 && (type[n] == '\0' || type[n] == ' ' || type[n] == ']'));
}

static bool
is_address(const char *type)
{
	return (is_type(type, "VA") || is_type(type, "ADDR") || is_type(type, "THREAD") || is_type(type, "HAT"));
}

/* What a number may be, by its type. */
static bool
in_bounds(const char *type, const char *word, uint64_t v)
{
	if (is_address(type) && v > UINTPTR_MAX)
		mon_error("%s is too large for an address of this kernel", word);
	else if (is_type(type, "LEVEL") && v > (uint64_t)mmu.max_level)
		mon_error("there is no level %s: this kernel has 0 to %d", word, mmu.max_level);
	else if (is_type(type, "PFN") && v > mmu.highest_pfn)
		mon_error("there is no frame %s: the last that an entry can name is 0x%lx", word, mmu.highest_pfn);
	else if (is_type(type, "HAT") && !mon_is_hat((hat_t *)(uintptr_t)v))
		mon_error("%s is no hat: see ::hats", word);
	else if (is_type(type, "THREAD") && !mon_is_thread((kthread_t *)(uintptr_t)v))
		mon_error("%s is no thread: see ::threads", word);
	else
		return (true);
	return (false);
}

static bool
parse_word(const char *type, const char *word, uint64_t *vp)
{
	uintptr_t va;

	if (is_type(type, "COMMAND"))
		return (true);
	if (is_type(type, "HAT") && strcmp(word, "kernel") == 0)
		*vp = (uintptr_t)kas_hat;
	else if (is_address(type) && symbol_value(word, &va))
		*vp = va;
	else if (!number_parse(word, vp)) {
		mon_error("\"%s\" is no number (decimal, or 0x and hexadecimal)", word);
		return (false);
	}
	return (in_bounds(type, word, *vp));
}

/* One blank-separated word of a usage, without its brackets; NULL: there are no more. */
static const char *
next_type(const char **usage, bool *optional)
{
	const char *type = *usage;

	if (*type == '\0')
		return (NULL);
	*optional = *type == '[';
	while (**usage != '\0' && **usage != ' ')
		(*usage)++;
	while (**usage == ' ')
		(*usage)++;
	return (type + *optional);
}

static bool
parse_args(const struct mon_command *c, char **word, int n, struct mon_args *a)
{
	const char *usage = c->mc_usage, *type;
	bool optional;

	memset(a, 0, sizeof(*a));
	while ((type = next_type(&usage, &optional)) != NULL) {
		if (a->count == n && !optional)
			break;
		if (a->count == n)
			return (true);
		a->word[a->count] = word[a->count];
		if (!parse_word(type, word[a->count], &a->value[a->count]))
			return (false);
		a->count++;
	}
	if (type == NULL && a->count == n)
		return (true);
	mon_error("too %s arguments; usage: ::%s %s", type != NULL ? "few" : "many", c->mc_name, c->mc_usage);
	return (false);
}

/* ------------------------------------------------------------------ commands */

static const struct mon_command *
find_command(const char *name)
{
	if (strncmp(name, "::", 2) == 0)
		name += 2;
	for (const struct mon_command *c = __start_monitor; c < __stop_monitor; c++)
		if (strcmp(c->mc_name, name) == 0)
			return (c);
	return (NULL);
}

/* Cuts the line up. */
static int
split(char *line, char **word, int max)
{
	int n = 0;

	for (;;) {
		while (*line == ' ')
			*line++ = '\0';
		if (*line == '\0' || n == max)
			return (n);
		word[n++] = line;
		while (*line != '\0' && *line != ' ')
			line++;
	}
}

static void
run_line(char *line)
{
	char *word[MON_MAXARGS + 2];
	struct mon_args a;
	int n = split(line, word, (int)NELEM(word));

	if (n == 0)
		return;
	current = find_command(word[0]);
	if (current == NULL)
		printf("%s: no such command; ::help lists them\n", word[0]);
	else if (parse_args(current, word + 1, n - 1, &a))
		current->mc_func(&a);
	current = NULL;
}

static void
help_line(const struct mon_command *c)
{
	char text[40];

	(void)snprintf(text, sizeof(text), "::%s %s", c->mc_name, c->mc_usage);
	printf("  %-21s %s\n", text, c->mc_help);
}

MON_COMMAND(help, "help", "[COMMAND]", "this list, or one line of it")
{
	const struct mon_command *c = a->count > 0 ? find_command(a->word[0]) : NULL;

	if (c != NULL)
		help_line(c);
	else if (a->count > 0)
		mon_error("no such command: %s", a->word[0]);
	else
		for (c = __start_monitor; c < __stop_monitor; c++)
			help_line(c);
}

MON_COMMAND(cont, "cont", "", "leave the monitor; the kernel goes on")
{
	(void)a;
	leaving = true;
}

MON_COMMAND(halt, "halt", "", "end the run here")
{
	(void)a;
	run_done(panicstr != NULL ? "panic" : "ok");
}

/* A hard reset by the chipset. The keyboard controller's leaves model-specific registers alone, which Bochs' BIOS does not survive. */
MON_COMMAND(reboot, "reboot", "", "restart the machine")
{
	(void)a;
	outb(RESET_PORT, RESET_HARD);
	outb(RESET_PORT, RESET_HARD | RESET_NOW);
	for (;;)
		hlt();
}

MON_COMMAND(steal, "step-steal", "", "steal one page table, as memory pressure would")
{
	(void)a;
	if (mon_quiet(true) && !monitor_step_steal())
		mon_error("no stealing in this kernel");
}

/* Where it was entered preemption was perhaps on, and the checker should see that; no tick can make use of it meanwhile. */
static uint_t
verify(void)
{
	cpu_t *c = CPU;
	int resched = c->cpu_resched;
	uint_t n;

	c->cpu_resched = 0;
	curthread->t_preempt--;
	n = check_invariants();
	curthread->t_preempt++;
	c->cpu_resched = resched;
	return (n);
}

MON_COMMAND(verify, "verify", "", "judge all invariants (docs/invariants.md)")
{
	(void)a;
	if (!khat_running)
		mon_error("not before the HAT runs");
	else if (!invariants_ready())
		mon_error("no memory was set aside for it: boot with monitor= or panic_monitor=");
	else
		printf("%u invariants broken\n", verify());
}

/* ------------------------------------------------------------------ in and out */

/* One command of the script, from *p to the next semicolon. */
static bool
script_next(const char **p, char *line)
{
	size_t n = 0;

	if (**p == '\0')
		return (false);
	for (; **p != '\0' && **p != ';'; (*p)++)
		if (n < MON_LINE - 1)
			line[n++] = **p == ',' ? ' ' : **p;
	line[n] = '\0';
	if (**p == ';')
		(*p)++;
	return (true);
}

static void
run_script(void)
{
	const char *p = monitor_script;
	char line[MON_LINE];

	while (!leaving && script_next(&p, line)) {
		printf("mon> %s\n", line);
		run_line(line);
	}
}

static void
run_user(void)
{
	char line[MON_LINE];

	printf("::help lists the commands, ::cont goes on\n");
	while (!leaving) {
		if (!mon_getline(line)) {
			printf("monitor: nobody is there\n");
			return;
		}
		run_line(line);
	}
}

static void
stay(const char *why)
{
	uint64_t window = peek_phys_save();

	printf("monitor: %s, CPU %d, thread %s\n", why, CPU->cpu_id, curthread->t_name);
	leaving = false;
	if (monitor_script[0] != '\0')
		run_script();
	else
		run_user();
	peek_phys_restore(window);
	printf("monitor: left\n");
}

/* Preemption stays off by hand: kpreempt_enable() would use the occasion to switch threads in the middle of a tick. */
void
monitor_enter(const char *why)
{
	ulong_t saved = intr_save();
	bool hold;

	if (!inside && cpu_ready) {
		inside = true;
		monitor_entries++;
		curthread->t_preempt++;
		hold = panicstr == NULL && khat_running && !xc_others_paused();
		if (hold)
			xc_pause_others();
		stay(why);
		if (hold)
			xc_resume_others();
		curthread->t_preempt--;
		inside = false;
	}
	intr_restore(saved);
}

/* Here memory for ::verify can still be had; after a panic it is too late. */
void
monitor_at(const char *place)
{
	bool here = strcmp(place, monitor_place) == 0;

	if (khat_running && (here || panic_monitor != 0))
		invariants_init();
	if (here)
		monitor_enter(place);
}

void
monitor_tick(void)
{
	if (CPU->cpu_id == 0 && !inside && mon_getkey(1) == KEY_MONITOR)
		monitor_enter("key");
}

void
monitor_panic(void)
{
	if (panic_monitor != 0)
		monitor_enter("panic");
}

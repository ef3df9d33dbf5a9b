/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief What the files of the monitor share: commands, arguments, and reading what may be damaged.
 */
#ifndef MONITOR_IMPL_H
#define MONITOR_IMPL_H

#include <hat/htable_impl.h>
#include <monitor/monitor.h>
#include <sys/printf.h>
#include <sys/thread.h>

#define MON_LINE    72 /**< longest line, with its end; with the prompt it fits a screen */
#define MON_MAXARGS 3

/** What was typed behind a command's name, checked against its usage. */
struct mon_args {
	int count;
	uint64_t value[MON_MAXARGS];   /**< numbers; 0 when left out */
	const char *word[MON_MAXARGS]; /**< as typed; NULL when left out */
};

/**
 * One command. The usage is what ::help shows and what the arguments are checked by: words in their order, optional ones in
 * brackets. HAT is `kernel` or an address on the list of hats, LEVEL and PFN are bounded by the MMU in use, VA, ADDR and THREAD
 * fit a pointer and may be names of functions, COMMAND is any word, everything else a number.
 */
struct mon_command {
	const char *mc_name;
	const char *mc_usage;
	const char *mc_help;
	void (*mc_func)(const struct mon_args *a);
};

#define MON_COMMAND(ident, name, usage, help) \
	static void mon_##ident(const struct mon_args *a); \
	static const struct mon_command mon_entry_##ident \
	    __attribute__((used, section("monitor"), aligned(sizeof(void *)))) = { name, usage, help, mon_##ident }; \
	static void mon_##ident(const struct mon_args *a)

extern const struct mon_command __start_monitor[], __stop_monitor[];

/** Read one line from keyboard or serial line. False: nobody is there (only before the first key). */
bool mon_getline(char *line);
/** The next key, or -1 when `polls` looks have found none; 0: wait for ever. */
int mon_getkey(uint64_t polls);

/** Say in one line why the command in hand cannot do it. */
void mon_error(const char *fmt, ...) PRINTFLIKE(1, 2);

/** Copy a kernel object that may not be there: user addresses are never touched. */
bool mon_read(const void *addr, void *buf, size_t size);
/** May functions of the HAT be called? Nobody holds a mutex, no check is in the middle of something, no panic. Says why not, if asked to. */
bool mon_quiet(bool aloud);

/** @name Iteration by copies; fn returns false to stop. False: stopped, or the list is damaged (which is said)
 * @{ */
typedef bool (*mon_hat_fn)(hat_t *addr, const hat_t *copy, void *arg);
typedef bool (*mon_table_fn)(htable_t *addr, const htable_t *copy, void *arg);
typedef bool (*mon_thread_fn)(kthread_t *addr, const kthread_t *copy, void *arg);
bool mon_each_hat(mon_hat_fn fn, void *arg);
bool mon_each_table(const hat_t *hat, mon_table_fn fn, void *arg); /**< linked ones; `hat` is a copy */
bool mon_each_thread(mon_thread_fn fn, void *arg);
/** @} */

/** A table that was searched for. */
struct mon_table {
	htable_t *addr; /**< NULL: not found */
	htable_t ht;
};

/** The linked table of a hat with this base and level; the one with this address or frame in any hat. */
bool mon_table_over(hat_t *hat, uintptr_t base, level_t level, struct mon_table *t);
bool mon_table_at(const htable_t *addr, struct mon_table *t);
bool mon_table_in(pfn_t pfn, struct mon_table *t);
bool mon_is_hat(const hat_t *hat);
bool mon_is_thread(const kthread_t *t);
/** The hat an optional argument means: the one given, else the one that this CPU runs. */
hat_t *mon_hat_arg(const struct mon_args *a, int i);
const char *mon_hat_name(const hat_t *hat);

/** One entry by its table; whatever its size. */
bool mon_entry(const htable_t *ht, uint_t index, x86pte_t *e);
/** An entry in words. */
void mon_entry_text(char *buf, size_t size, x86pte_t e, level_t l);
const char *mon_page_size(level_t l);

#endif

/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The border between the two kinds of files in this folder, in plain C types only.
 *
 * *Outside* (machine.c, main.c, shrink.c) is ordinary C with libc and none of our headers. *Inside* is everything else: the kernel's own
 * headers and flags, no libc. Both include this file.
 */
#ifndef HOST_MACHINE_H
#define HOST_MACHINE_H

/** What a run is to do; filled in from the command line or from the fixed list of main.c. */
struct machine_options {
	const char *program;                       /**< how it was called */
	const char *test;                          /**< a name of tests.c */
	const char *cmdline;                       /**< the kernel's own words, as GRUB would give them: kpm=0 force_steal=3 ... */
	unsigned int cpus;                         /**< pretend CPUs, 1 ... 8 */
	unsigned int no_1g, no_nx, no_pge, no_cx8; /**< the pretend CPU lacks 1 GiB pages, no-execute, global pages, CMPXCHG8B */
	unsigned long seed, steps;
	unsigned long every;     /**< steps from one complete comparison to the next */
	unsigned long kmem_fail; /**< let every n-th request for an object fail that may fail; 0: none */
	unsigned int verbose;
	/** Histories (shrink.c): steps to take instead of random ones; where those taken are written, and how many were begun. */
	const void *script;
	void *record;
	unsigned long *reached;
	unsigned int as_c;     /**< print each step as a line of C */
	const char *mutant;    /**< "UNIT:NUMBER", of those in the program; NULL: none */
	unsigned int patience; /**< milliseconds for a check */
};

/* ------------------------------------------------------------------ provided outside */

/**
 * @name Physical memory: a file in memory, mapped whole where only the machine looks
 * @{
 */
/** Make it. Also puts up the handler of segmentation faults. */
void machine_init(unsigned long long bytes);
/** Where a physical address stands, or 0: no memory there. Naturally aligned up to a page. */
void *machine_phys(unsigned long long pa);
/** Map all of it once more, at an address of the caller's choice: the kernel's linear map. */
void machine_map_all(unsigned long va);
/** @} */

/**
 * @name Pages of the host that stand for pages of the kernel's address space
 * @{
 */
/** Keep [va, va + bytes) for windows: nothing can be reached there yet. */
void machine_windows(unsigned long va, unsigned long bytes);
/** Show the frame at `pa` in a window's page. @param access 0: nothing can be reached, 1: read, 2: read and write */
void machine_window_set(unsigned long va, unsigned long long pa, int access);
/** @} */

/**
 * @name Memory of the host: heap.c, sched/memory.c
 * @{
 */
void *machine_alloc(unsigned long size, unsigned long align);
void machine_free(void *p);
/** Where CPUs are real threads: what one of the host's is, others are not to touch. */
void machine_lock(void);
void machine_unlock(void);
/** @} */

/** Copy memory that may not be there, or may have been freed; 0: it could not be read (or written). */
int machine_copy(void *dst, const void *src, unsigned long n);

/**
 * @name Several stacks
 * @{
 */
/** Called before and after the stack pointer changes to the stack at `bottom`, NULL: the first one; AddressSanitizer must know. */
void machine_stack_before(void **save, const void *bottom, unsigned long size);
void machine_stack_after(void *save);
/** @} */

/** One instruction at a time: while func() runs, next(pc) is called before each, until it returns 0. */
void machine_step(void (*func)(void), int (*next)(unsigned long pc));

/** From now on, and until it is called again: after so many milliseconds of this program's time, stuck(pc) is called. */
void machine_patience(unsigned milliseconds, void (*stuck)(unsigned long pc));

/** The end, at once, with what has been printed. */
void machine_exit(int code) __attribute__((noreturn));

/** Nothing goes on from here: to the innermost machine_try(), or the end of the program with exit code 1. */
void machine_stop(const char *text) __attribute__((noreturn));
/** If set, is told of it first, and of wild pointers. */
extern void (*machine_stopped)(const char *text);
/** Call fn(arg). @return 0, or 1 when machine_stop() was called meanwhile; its text goes to `text` */
int machine_try(void (*fn)(void *), void *arg, char *text, unsigned long size);

/* ------------------------------------------------------------------ provided inside */

/** One run, from a machine just switched on. @return 0: all is well */
int inside_main(const struct machine_options *o);
/** Bytes of a step of a history. */
unsigned long inside_op_size(void);
/** Something was reached that is not there: is it a window whose entry says otherwise? Then map it and return 1. */
int inside_window_fault(unsigned long va);
/** Called once before the program dies (of a panic, or of what a sanitizer found): say how to repeat it. */
void inside_last_words(void);

#endif

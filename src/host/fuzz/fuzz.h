/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The border between libFuzzer's side (outside: main.c) and what is fuzzed (inside), in plain C types.
 *
 * A target panics when something is wrong. Where input may be refused, a refusal is a panic of the kernel itself, with words that
 * `fuzz_refusals` has.
 */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

struct fuzz_target {
	const char *name;
	void (*once)(void); /**< before the first input, or NULL */
	void (*try_one)(const unsigned char *data, unsigned long size);
	const char *const *refusals; /**< beginnings of panics that are right answers, up to a NULL; or NULL: there are none */
};

/** Multiboot information of either version: memory maps, modules. */
extern const struct fuzz_target fuzz_boot;
/** The kernel's command line. */
extern const struct fuzz_target fuzz_cmdline;
/** Programs. */
extern const struct fuzz_target fuzz_elf;
/** Histories of HAT calls on two CPUs, against the model. */
extern const struct fuzz_target fuzz_history;

#endif

/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief A drill from its beginning to its end, with stops where the host looks at what has become of it.
 */
#include <check/check.h>
#include <check/drill.h>
#include <sys/printf.h>
#include <sys/thread.h>
#include <sys/tunable.h>

extern uint64_t check_seed;

static uint64_t steps_wanted, tell;
TUNABLE_NUMBER(steps_wanted, "drill", "so many calls of the HAT, drawn from seed=, behind the tour (docs/drill.md)");
TUNABLE_NUMBER(
    tell, "drill_tell", "1: print each of them, and stop at a checkpoint in each address space behind the last; 2: print only");

/* Where the host looks. Not inlined: it stands at this function's address, with the hat in CR3. */
void __attribute__((noinline)) drill_stop(ulong_t done, ulong_t space)
{
	__asm__ volatile("nop" : : "r"(done), "r"(space) : "memory"); /* two instructions, see evidence.c */
}

static void
show(ulong_t done)
{
	char name[16];

	for (uint_t s = 0; s < DRILL_SPACES; s++) {
		kpreempt_disable();
		hat_setup(drill_hat(s));
		drill_stop(done, s);
		kpreempt_enable();
		if (tell != 1 || done < steps_wanted)
			continue;
		snprintf(name, sizeof(name), "drill-%u", s);
		checkpoint(name);
	}
}

static void
say(ulong_t n, const struct drill_step *st)
{
	static const char *const words[] = {
#define DRILL_WORD(id, word) word,
		DRILL_KINDS(DRILL_WORD)
#undef DRILL_WORD
	};

	printf("drill %lu: %s: address space %u, 0x%lx, 0x%lx bytes, from page %u on %u pages, frame 0x%x, attributes 0x%x\n", n,
	    words[st->ds_kind], st->ds_space, st->ds_va, (ulong_t)st->ds_len, st->ds_skip, st->ds_pages, st->ds_frame, st->ds_attr);
}

void
drill_main(void)
{
	if (steps_wanted == 0)
		return;
	printf("drill: %llu steps of seed %llu\n", (unsigned long long)steps_wanted, (unsigned long long)check_seed);
	drill_begin();
	for (ulong_t n = 0; n < steps_wanted; n++) {
		struct drill_step st = drill_choose(check_seed, n);

		if (tell != 0)
			say(n + 1, &st);
		drill_do(&st);
		if (n + 1 == steps_wanted / 2 || n + 1 == steps_wanted)
			show(n + 1);
	}
	drill_end();
	printf("drill: done\n");
}

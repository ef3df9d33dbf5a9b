/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Long random histories of HAT calls on several CPUs, against the model.
 *
 * After each step every translation that any CPU remembers of the page in question must be covered by the tables; every few
 * steps all of them; every `every` steps model, walker, htable_walk(), TLBs and invariants are compared completely. At the
 * end everything is given back and all counts are what they were.
 */
#include <host/history.h>
#include <host/host.h>
#include <host/mmu.h>
#include <hat/htable_impl.h>
#include <sys/debug.h>
#include <sys/printf.h>
#include <sys/string.h>
#include <vm/page.h>

#define RECENT     20u
#define LOOK_EVERY 8u /**< steps from one look at all TLBs to the next */

static struct op recent[RECENT];
static ulong_t step;

/* ------------------------------------------------------------------ in words, and in C */

static const char *const ids[] = {
#define ID(id, word) #id,
	OP_KINDS(ID)
#undef ID
};
static const char *const words[] = {
#define WORD(id, word) word,
	OP_KINDS(WORD)
#undef WORD
};
static const char *const frame_names[] = { "SMALL(%u)", "CHUNK(%u, %u)", "DEVICE(%u, %u)", "GIANT(%u)" };

static void
frame_text(char *text, size_t size, uint_t frame)
{
	snprintf(text, size, frame_names[FRAME_KIND(frame) & 3], FRAME_INDEX(frame), FRAME_OFFSET(frame));
}

/** A line of an array for test_replays.c. */
static void
print_c(const struct op *op)
{
	char frame[24];

	frame_text(frame, sizeof(frame), op->frame);
	printf("\t{ OP_%s, .cpu = %d, .space = %d", ids[op->kind], op->cpu, op->space);
	if (op->va != 0)
		printf(", .va = 0x%lx", (ulong_t)op->va);
	if (op->n != 0)
		printf(", .n = %u", op->n);
	if (op->frame != 0)
		printf(", .frame = %s", frame);
	if (op->attr != 0)
		printf(", .attr = 0x%x", op->attr);
	if (op->flags != 0)
		printf(", .flags = 0x%x", op->flags);
	printf(" },\n");
}

static void
print_words(ulong_t n, const struct op *op)
{
	char frame[24];

	frame_text(frame, sizeof(frame), op->frame);
	printf("  %6lu cpu%d %-10s space %2d va 0x%lx units %u frame %s attr 0x%x flags 0x%x\n", n, op->cpu, words[op->kind],
	    op->space, (ulong_t)op->va, op->n, frame, op->attr, op->flags);
}

static void
last_words(void)
{
	const struct machine_options *o = host_options;

	if (o->script != NULL)
		return;
	printf("the last steps before and including %lu:\n", step);
	for (ulong_t s = step < RECENT ? 0 : step - RECENT + 1; s <= step; s++)
		print_words(s, &recent[s % RECENT]);
	printf("repeat it with:\n  %s --test history --cpus %u --seed %lu --steps %lu --every %lu", o->program, o->cpus, o->seed,
	    step + 1, o->every);
	if (o->cmdline[0] != '\0')
		printf(" --args \"%s\"", o->cmdline);
	if (o->kmem_fail != 0)
		printf(" --kmem-fail %lu", o->kmem_fail);
	printf("%s%s%s\n", o->no_1g ? " --no-1g" : "", o->no_nx ? " --no-nx" : "", o->no_pge ? " --no-pge" : "");
	printf("and make it as short as it can be with the same and --shrink\n");
}

/* ------------------------------------------------------------------ counts */

struct counts {
	ulong_t free, avail;
	uint32_t tables;
	long objects;
};

static struct counts
count(void)
{
	htable_purge_hat(kas_hat);
	return ((struct counts){ freemem, availrmem, active_ptables, (long)kmem_cache_inuse(htable_cache) - htable_reserve_cnt });
}

static void
expect_same(struct counts a, struct counts b)
{
	expect(a.free == b.free && a.avail == b.avail && a.tables == b.tables && a.objects == b.objects,
	    "not all is given back: %ld free pages, %ld reserved, %d tables, %ld objects more than before", (long)(b.free - a.free),
	    (long)(a.avail - b.avail), (int)(b.tables - a.tables), b.objects - a.objects);
}

/* ------------------------------------------------------------------ running */

/** What comes next: from the script that we were given, or by chance; and noted for those who started us. */
static struct op
next_op(void)
{
	const struct machine_options *o = host_options;
	struct op op;

	if (o->script != NULL)
		op = ((const struct op *)o->script)[step];
	else
		op = history_choose(o->seed, step);
	if (o->record != NULL)
		((struct op *)o->record)[step] = op;
	if (o->reached != NULL)
		*o->reached = step + 1;
	if (o->as_c)
		print_c(&op);
	if (o->as_c && step + 1 == o->steps)
		printf("};\n");
	return (op);
}

static void
run_steps(void)
{
	for (step = 0; step < host_options->steps; step++) {
		struct op op = next_op();

		recent[step % RECENT] = op;
		(void)history_apply(&op);
		if (step % LOOK_EVERY == 0 || host_options->every == 1)
			expect(mmu_verify(host_exempt()) == 0, "P5 is broken");
		if (step % host_options->every == host_options->every - 1)
			history_compare();
	}
}

/** Boot, and from then on memory is as short as the options want it. */
static struct counts
boot(void)
{
	uint64_t fail_pages, fail_tables;
	struct counts before;

	host_boot_tables();
	fail_pages = page_fail_after;
	fail_tables = force_steal;
	page_fail_after = force_steal = 0;
	hat_kern_setup();
	host_boot_rest();
	history_begin();
	before = count();
	page_fail_after = fail_pages;
	force_steal = fail_tables;
	history.scarce = fail_pages != 0 || fail_tables != 0 || host_options->kmem_fail != 0;
	history_look_for_thieves(NULL);
	return (before);
}

static void
end(struct counts before)
{
	history_compare();
	history_give_back();
	history_compare();
	expect_same(before, count());
	history_expect_unmapped();
}

void
test_history(void)
{
	struct counts before = boot();

	host_last_words = last_words;
	run_steps();
	end(before);
	printf("history: %lu steps, %lu calls, %lu pages stolen, %lu loaded again, %llu walks, %llu from the TLB, %llu too weak, "
	       "%llu windows moved, %lu shootdowns put off\n",
	    step, history.calls, history.stolen, history.returned, (unsigned long long)mmu_walks, (unsigned long long)mmu_hits,
	    (unsigned long long)mmu_weaker, (unsigned long long)mmu_window_moves, hatstat.hs_tlb_inval_delayed);
}

/** A history that once went wrong, from test_replays.c: nothing of it is left when it returns. */
void
history_replay(const struct op *ops, uint_t n)
{
	for (step = 0; step < n; step++) {
		recent[step % RECENT] = ops[step];
		expect(history_apply(&ops[step]), "step %lu, %s, does nothing any more", step, words[ops[step].kind]);
		history_compare();
	}
	history_give_back();
	history_compare();
}

unsigned long
inside_op_size(void)
{
	return (sizeof(struct op));
}

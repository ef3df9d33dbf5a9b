/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief A scene of your own: the words of `scene=`, each with its arguments, one after the other (docs/scenes.md).
 *
 * It only calls what any client of the HAT may call. A step that cannot be done stops the kernel.
 */
#include <check/check.h>
#include <hat/htable_impl.h>
#include <kern/scene.h>
#include <sys/debug.h>
#include <sys/peek.h>
#include <sys/printf.h>
#include <sys/string.h>
#include <sys/tunable.h>
#include <vm/page.h>

#define NARGS 4
#define NHATS 4

static char scene_text[480];
TUNABLE_STRING(scene_text, "scene", "steps of a scene of your own instead of the tour (docs/scenes.md)");

static hat_t *hats[NHATS];
static uint_t nhats;
static hat_t *current;

/** The words of one step; those that were not given are empty. */
struct step {
	char *st_word;
	char *st_arg[NARGS];
};

static uintptr_t
number(const struct step *st, uint_t arg, uintptr_t otherwise)
{
	uint64_t n;

	if (st->st_arg[arg][0] == '\0')
		return (otherwise);
	if (!number_parse(st->st_arg[arg], &n) || n != (uintptr_t)n)
		panic("scene: %s: \"%s\" is no number here", st->st_word, st->st_arg[arg]);
	return ((uintptr_t)n);
}

static uint_t
rights(const struct step *st, uint_t arg)
{
	uint_t attr = PROT_READ | PROT_USER;

	for (const char *s = st->st_arg[arg]; *s != '\0'; s++) {
		if (*s != 'r' && *s != 'w' && *s != 'x')
			panic("scene: %s: rights are made of r, w, x, not \"%s\"", st->st_word, st->st_arg[arg]);
		attr |= *s == 'w' ? PROT_WRITE : *s == 'x' ? PROT_EXEC : 0;
	}
	return (attr);
}

static page_t *
page(void)
{
	page_t *pp = page_get(PAGE_USER);

	if (pp == NULL)
		panic("scene: out of memory");
	return (pp);
}

/* space: another address space, which the CPU then runs; space:N goes back to number N, from 1 */
static void
do_space(const struct step *st)
{
	uint_t n = (uint_t)number(st, 0, nhats + 1);

	if (n == 0 || n > nhats + 1 || n > NHATS)
		panic("scene: there is no space %u", n);
	if (n > nhats)
		hats[nhats++] = hat_alloc(NULL);
	current = hats[n - 1];
	hat_setup(current);
}

/* skip:N: so many page frames are passed over */
static void
do_skip(const struct step *st)
{
	for (uintptr_t n = number(st, 0, 1); n > 0; n--)
		(void)page();
}

static void
map(const struct step *st, uint_t flags)
{
	uintptr_t va = number(st, 0, 0);

	for (uintptr_t n = number(st, 2, 1); n > 0; n--, va += PAGESIZE)
		hat_memload(current, va, page(), rights(st, 1), flags);
}

/* map:VA:RIGHTS:N pages, each with a frame of its own */
static void
do_map(const struct step *st)
{
	map(st, HAT_LOAD);
}

/* offer:VA:RIGHTS:N: the same, and other spaces may share the tables that map them */
static void
do_offer(const struct step *st)
{
	map(st, HAT_LOAD_SHARE);
}

/* large:VA:RIGHTS: one page of the next size */
static void
do_large(const struct step *st)
{
	page_t *pp = page_get_large(PAGE_USER, LEVEL_SIZE(1) / PAGESIZE);

	if (pp == NULL)
		panic("scene: no large page");
	hat_devload(current, number(st, 0, 0), LEVEL_SIZE(1), pp->p_pagenum, rights(st, 1), HAT_LOAD);
}

/* unmap:VA:N pages; their frames are not used again */
static void
do_unmap(const struct step *st)
{
	hat_unload(current, number(st, 0, 0), number(st, 1, 1) * PAGESIZE, HAT_UNLOAD);
}

static void
do_read(const struct step *st)
{
	uint32_t word;

	if (!peek((const void *)number(st, 0, 0), &word, sizeof(word)))
		panic("scene: nothing can be read at %s", st->st_arg[0]);
}

static void
do_write(const struct step *st)
{
	uint32_t word = 0x68617421;

	if (!poke((void *)number(st, 0, 0), &word, sizeof(word)))
		panic("scene: nothing can be written at %s", st->st_arg[0]);
}

/* share:VA:LEN:N: show [VA, VA + LEN) of space N, which offered it, here */
static void
do_share(const struct step *st)
{
	uintptr_t va = number(st, 0, 0), n = number(st, 2, 1);

	if (n == 0 || n > nhats)
		panic("scene: there is no space %lu", n);
	if (hat_share(current, va, hats[n - 1], va, number(st, 1, LEVEL_SIZE(1)), 0) != 0)
		panic("scene: cannot share");
}

/* steal:N page tables, as memory pressure would */
static void
do_steal(const struct step *st)
{
	htable_t *ht = htable_steal((uint_t)number(st, 0, 1)), *next;

	for (; ht != NULL; ht = next) {
		next = ht->ht_next;
		htable_free(ht);
	}
}

/* stop:NAME: a checkpoint */
static void
do_stop(const struct step *st)
{
	checkpoint(st->st_arg[0][0] != '\0' ? st->st_arg[0] : "scene");
}

static const struct {
	const char *word;
	void (*func)(const struct step *);
} words[] = {
	{ "space", do_space },
	{ "skip", do_skip },
	{ "map", do_map },
	{ "offer", do_offer },
	{ "large", do_large },
	{ "unmap", do_unmap },
	{ "read", do_read },
	{ "write", do_write },
	{ "share", do_share },
	{ "steal", do_steal },
	{ "stop", do_stop },
};

static void
step(const struct step *st)
{
	for (uint_t i = 0; i < NELEM(words); i++) {
		if (strcmp(words[i].word, st->st_word) == 0) {
			words[i].func(st);
			return;
		}
	}
	panic("scene: there is no step \"%s\"", st->st_word);
}

/** Cut the text at the first `end` of it; what follows, or the empty end of it. */
static char *
cut(char *s, char end)
{
	char *at = strchr(s, end);

	if (at == NULL)
		return (s + strlen(s));
	*at = '\0';
	return (at + 1);
}

bool
scene_wanted(void)
{
	return (scene_text[0] != '\0');
}

void
scene(void)
{
	struct step st, first = { .st_word = "space", .st_arg = { "", "", "", "" } };
	char *next;

	do_space(&first);
	for (char *s = scene_text; *s != '\0'; s = next) {
		next = cut(s, ',');
		st.st_word = s;
		s = cut(s, ':');
		for (uint_t i = 0; i < NARGS; i++) {
			st.st_arg[i] = s;
			s = cut(s, ':');
		}
		step(&st);
	}
}

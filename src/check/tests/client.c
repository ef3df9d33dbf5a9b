/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Checks of the HAT's client: programs compute under it, what they did is all that is left of them, and bad ones harm nobody.
 *
 * They need GRUB modules (src/user/user.mk makes such an image); without any they say so and pass. What the programs print is
 * compared by the host (src/tests/test_client.py).
 */
#include <check/check.h>
#include <hat/htable.h>
#include <sys/cpu.h>
#include <sys/kmem.h>
#include <sys/string.h>
#include <sys/syscall.h>
#include <sys/thread.h>
#include <vm/anon.h>
#include <vm/as.h>
#include <vm/elf.h>
#include <vm/image.h>
#include <vm/page.h>
#include <vm/process.h>

#define AT_ONCE 6

/* ------------------------------------------------------------------ running programs */

static bool
is_bad(const struct image *im)
{
	return (strncmp(im->im_name, "bad", 3) == 0);
}

static bool
have_programs(void)
{
	if (image_number(0) != NULL)
		return (true);
	check_note("no programs in this image: nothing was checked");
	return (false);
}

static void
start(const struct image *im, const char *arg)
{
	check_true(proc_create(im, arg) != NULL, "%s was not started", im->im_name);
}

/* Wait for everybody, orphans too; all must have ended well. The first that has not is told of when nobody runs any more. */
static void
wait_all(void)
{
	struct process p, bad = { .p_status = 0 };

	while (proc_wait_kernel(&p) != 0)
		if (p.p_status != 0 && bad.p_status == 0)
			bad = p;
	check_true(bad.p_status == 0, "process %u (%s) ended with 0x%x %s", bad.p_pid, bad.p_name, (uint_t)bad.p_status, bad.p_why);
	check_eq(proc_count(), 0, "processes left");
	check_eq(anon_count, 0, "pages left");
}

/* Every program, so many at a time. */
static void
run_programs(uint_t at_once)
{
	const struct image *im;
	uint_t running = 0;

	for (uint_t n = 0; (im = image_number(n)) != NULL; n++) {
		if (is_bad(im))
			continue;
		start(im, "");
		if (++running == at_once) {
			wait_all();
			running = 0;
		}
	}
	wait_all();
}

struct memory {
	ulong_t m_free, m_avail;
	uint32_t m_tables;
};

/* What caches keep for later is not lost; it goes first. */
static struct memory
memory_now(void)
{
	for (int i = 0; i < 3; i++) {
		kmem_reap_sync();
		thread_delay(1);
	}
	return ((struct memory){ freemem, availrmem, active_ptables });
}

static void
same_memory(struct memory before)
{
	struct memory now = memory_now();

	check_eq(now.m_tables, before.m_tables, "page tables");
	check_eq(now.m_free, before.m_free, "free pages");
	check_eq(now.m_avail, before.m_avail, "pages that may be reserved");
}

static void
nap(void *arg)
{
	(void)arg;
	thread_delay(5);
}

/* Stacks of ended threads are kept for new ones: have as many as there can ever be, however the programs overlap. */
static void
make_spare_threads(void)
{
	static kthread_t *t[AT_ONCE * 16];

	for (uint_t i = 0; i < NELEM(t); i++)
		t[i] = thread_create("nap", nap, NULL);
	for (uint_t i = 0; i < NELEM(t); i++)
		thread_join(t[i]);
}


CHECK(client_alone, "client-alone", NULL, 0, 0, NULL, 0)
{
	(void)hat;
	if (have_programs())
		run_programs(1);
}

CHECK(client_six, "client-six", NULL, 0, 0, NULL, 0)
{
	struct memory before;

	(void)hat;
	if (!have_programs())
		return;
	make_spare_threads();
	run_programs(AT_ONCE);
	before = memory_now();
	run_programs(AT_ONCE);
	same_memory(before); /* as after the first round */
}

/* ------------------------------------------------------------------ under pressure */

static volatile bool pressure_on;
static volatile ulong_t pressure_rounds;

/* Take away what the HAT may take at any moment: cached tables, and every translation. Nobody may notice. */
static void
pressure(void *arg)
{
	(void)arg;
	while (pressure_on) {
		htable_reap(NULL);
		if (pressure_rounds++ % 2 == 1)
			proc_for_each_as(as_forget_translations);
		thread_delay(3);
	}
}

CHECK(client_pressure, "client-pressure", NULL, 0, 0, NULL, 0)
{
	kthread_t *t;

	(void)hat;
	if (!have_programs())
		return;
	pressure_on = true;
	pressure_rounds = 0;
	t = thread_create("pressure", pressure, NULL);
	run_programs(AT_ONCE);
	pressure_on = false;
	thread_join(t);
	check_note("%lu rounds of taking away", pressure_rounds);
	check_true(pressure_rounds > 20, "only %lu rounds", pressure_rounds);
}

/* ------------------------------------------------------------------ misdeeds */

static const struct misdeed {
	const char *md_arg;
	int md_trap; /* that kills it; 0: it ends by itself, well */
} misdeeds[] = {
	{ "pointers", 0 },
	{ "kread", 14 },
	{ "kwrite", 14 },
	{ "kjump", 14 },
	{ "hole", -1 },
	{ "stack", 14 },
	{ "nx", -2 },
	{ "null", 14 },
	{ "text", 14 },
	{ "constant", 14 },
	{ "unmapped", 14 },
	{ "protected", 14 },
	{ "cli", 13 },
	{ "port", 13 },
	{ "undefined", 6 },
	{ "divide", 0 },
	{ "breakpoint", 3 },
	{ "gate", 13 },
	{ "step", 1 },
	{ "company", 14 },
};

/* A jump into the hole is refused by the jump itself; where there is no hole, by the page. */
static int
wanted_status(const struct misdeed *m, bool is32)
{
	int trap = m->md_trap;

	if (strcmp(m->md_arg, "divide") == 0)
		return (EXIT_KILLED + 0);
	if (trap == -1)
		trap = is32 ? 14 : 13;
	if (trap == -2 && mmu.pt_nx == 0)
		return (9); /* nothing can forbid it: "still here" */
	if (trap == -2)
		trap = 14;
	return (trap == 0 ? 0 : EXIT_KILLED + trap);
}

static void
misbehave(const struct image *im, const struct misdeed *m)
{
	struct process p;
	bool is32 = true;

	(void)elf_width(im, &is32);
	start(im, m->md_arg);
	check_true(proc_wait_kernel(&p) != 0, "%s %s never ended", im->im_name, m->md_arg);
	check_true(p.p_status == wanted_status(m, is32), "%s %s ended with 0x%x %s, not 0x%x", im->im_name, m->md_arg,
	    (uint_t)p.p_status, p.p_why, (uint_t)wanted_status(m, is32));
	check_eq(anon_count, 0, "pages left");
}

static void
misbehave_all(void)
{
	const struct image *im;

	for (uint_t n = 0; (im = image_number(n)) != NULL; n++)
		for (uint_t i = 0; is_bad(im) && i < NELEM(misdeeds); i++)
			misbehave(im, &misdeeds[i]);
}

CHECK(client_misdeeds, "client-misdeeds", NULL, 0, 0, NULL, 0)
{
	struct memory before;

	(void)hat;
	if (!have_programs())
		return;
	misbehave_all();
	before = memory_now();
	misbehave_all();
	same_memory(before);
}

/* ------------------------------------------------------------------ bad files */

enum { HEADER, SEGMENT };

/** Where a field is in files of either width. */
struct field {
	uint8_t f_where, f_off32, f_size32, f_off64, f_size64;
};

static const struct field f_magic = { HEADER, 0, 1, 0, 1 }, f_class = { HEADER, 4, 1, 4, 1 }, f_data = { HEADER, 5, 1, 5, 1 },
			  f_idver = { HEADER, 6, 1, 6, 1 }, f_type = { HEADER, 16, 2, 16, 2 }, f_machine = { HEADER, 18, 2, 18, 2 },
			  f_version = { HEADER, 20, 4, 20, 4 }, f_entry = { HEADER, 24, 4, 24, 8 },
			  f_phoff = { HEADER, 28, 4, 32, 8 }, f_phentsize = { HEADER, 42, 2, 54, 2 },
			  f_phnum = { HEADER, 44, 2, 56, 2 }, p_type = { SEGMENT, 0, 4, 0, 4 }, p_offset = { SEGMENT, 4, 4, 8, 8 },
			  p_vaddr = { SEGMENT, 8, 4, 16, 8 }, p_filesz = { SEGMENT, 16, 4, 32, 8 },
			  p_memsz = { SEGMENT, 20, 4, 40, 8 }, p_flags = { SEGMENT, 24, 4, 4, 4 },
			  p_align = { SEGMENT, 28, 4, 48, 8 };

#define BOTH   0
#define ONLY32 1
#define ONLY64 2
#define NSEGS  3 /* of our linker script */

/** One change of a good file, and what must be said of it. */
static const struct bad_file {
	const struct field *bf_field;
	uint_t bf_segment, bf_width;
	uint64_t bf_value;
	const char *bf_text;
} bad_files[] = {
	{ &f_magic, 0, BOTH, 0, "not an ELF file" },
	{ &f_class, 0, BOTH, 3, "neither a 32-bit nor a 64-bit file" },
	{ &f_data, 0, BOTH, 2, "not little-endian" },
	{ &f_idver, 0, BOTH, 0, "ELF version is not 1" },
	{ &f_type, 0, BOTH, 3, "not an executable at fixed addresses" },
	{ &f_machine, 0, BOTH, 8, "for another processor" },
	{ &f_version, 0, BOTH, 2, "ELF version is not 1" },
	{ &f_phentsize, 0, BOTH, 1, "program headers have another size" },
	{ &f_phnum, 0, BOTH, 0, "no program headers, or too many" },
	{ &f_phnum, 0, BOTH, 0xffff, "no program headers, or too many" },
	{ &f_phoff, 0, BOTH, 0x10000000, "program headers lie outside the file" },
	{ &f_phoff, 0, BOTH, ~0ull, "program headers lie outside the file" },
	{ &f_entry, 0, BOTH, 0, "it does not start in executable code" },
	{ &f_entry, 0, BOTH, 0x401000, "it does not start in executable code" },
	{ &f_entry, 0, BOTH, ~0ull, "it does not start in executable code" },
	{ &p_type, 0, BOTH, 3, "needs a dynamic linker" },
	{ &p_offset, 0, BOTH, 0x100000, "a segment lies outside the file" },
	{ &p_offset, 1, BOTH, ~0xfffull, "a segment lies outside the file" },
	{ &p_filesz, 0, BOTH, ~0ull, "a segment has more bytes in the file than in memory" },
	{ &p_memsz, 2, BOTH, 0, "a segment is empty" },
	{ &p_vaddr, 0, BOTH, 0x400008, "a segment's address and offset do not agree within a page" },
	{ &p_align, 0, BOTH, 3, "a segment's alignment makes no sense" },
	{ &p_align, 0, BOTH, 0x80000000, "a segment's alignment makes no sense" },
	{ &p_flags, 0, BOTH, 8 | 4, "a segment has unknown permissions, or cannot be read" },
	{ &p_flags, 0, BOTH, 1, "a segment has unknown permissions, or cannot be read" },
	{ &p_flags, 2, BOTH, 7, "a segment is writable and executable" },
	{ &p_memsz, 2, ONLY64, ~0ull, "a segment's address and size overflow" },
	{ &p_memsz, 2, ONLY32, ~0ull, "a segment reaches into the kernel" },
	{ &p_memsz, 2, ONLY64, 1ull << 47, "a segment lies in the hole of addresses that do not exist" },
	{ &p_vaddr, 2, BOTH, 0, "a segment covers address 0" },
	{ &p_vaddr, 2, ONLY32, 0xfffff000, "a segment reaches into the kernel" },
	{ &p_vaddr, 2, ONLY64, 0xffffffff80400000, "a segment reaches into the kernel" },
	{ &p_vaddr, 2, ONLY64, 0xfffff80000000000, "a segment reaches into the kernel" },
	{ &p_vaddr, 2, ONLY64, 0x0000800000000000, "a segment lies in the hole of addresses that do not exist" },
	{ &p_vaddr, 2, ONLY64, 0xffff7fffffffe000, "a segment lies in the hole of addresses that do not exist" },
	{ &p_vaddr, 2, BOTH, 0x401000, "two segments share a page" },
};

/* Program headers follow the file's header, as our linker writes them. */
static void
change(uint8_t *file, const struct field *f, uint_t segment, bool is32, uint64_t value)
{
	size_t at = is32 ? f->f_off32 : f->f_off64;

	if (f->f_where == SEGMENT)
		at += is32 ? 52 + 32 * segment : 64 + 56 * segment;
	memcpy(file + at, &value, is32 ? f->f_size32 : f->f_size64);
}

/* Refused by the reader with these words, and nothing is left of the attempt. */
static void
refused(const struct image *im, const struct as *as, const char *want)
{
	struct elf_program *ep = kmem_alloc(sizeof(*ep), KM_SLEEP);
	const char *have = elf_read(im, as, ep);

	kmem_free(ep, sizeof(*ep));
	check_true(have != NULL ? want != NULL && strcmp(have, want) == 0 : want == NULL, "said \"%s\" instead of \"%s\"",
	    have == NULL ? "-" : have, want == NULL ? "-" : want);
	check_true(want == NULL || proc_create(im, "") == NULL, "started although \"%s\"", want);
	check_eq(proc_count(), 0, "processes left");
}

static void
bad_fields(struct image *im, uint8_t *file, const struct as *as, bool is32)
{
	uint8_t good[256];

	memcpy(good, file, sizeof(good));
	for (uint_t i = 0; i < NELEM(bad_files); i++) {
		const struct bad_file *b = &bad_files[i];

		if (b->bf_width == (is32 ? ONLY64 : ONLY32))
			continue;
		change(file, b->bf_field, b->bf_segment, is32, b->bf_value);
		refused(im, as, b->bf_text);
		memcpy(file, good, sizeof(good));
	}
	for (uint_t s = 0; s < NSEGS; s++)
		change(file, &p_type, s, is32, 0);
	refused(im, as, "nothing to load");
	memcpy(file, good, sizeof(good));
	change(file, &p_vaddr, 2, is32, (as_limit(as) - 0x10000) & ~0xfffull);
	check_true(proc_create(im, "") == NULL, "started with a segment in its stack");
	memcpy(file, good, sizeof(good));
}

static void
short_files(struct image *im, const struct as *as)
{
	size_t whole = im->im_size;

	im->im_size = 0;
	refused(im, as, "shorter than an ELF header");
	im->im_size = 15;
	refused(im, as, "shorter than an ELF header");
	im->im_size = 40;
	refused(im, as, "shorter than an ELF header");
	im->im_size = 66;
	refused(im, as, "program headers lie outside the file");
	im->im_size = 0x1800; /* in the middle of its code */
	refused(im, as, "a segment lies outside the file");
	im->im_size = whole;
}

/* Whatever the reader accepts must be harmless. */
static void
check_program(const struct image *im, const struct as *as, const struct elf_program *ep)
{
	for (uint_t i = 0; i < ep->ep_nsegs; i++) {
		const struct elf_seg *s = &ep->ep_seg[i];

		check_true(
		    as_range_ok(as, s->es_base, s->es_size), "segment %u at 0x%lx + 0x%lx", i, s->es_base, (ulong_t)s->es_size);
		check_true(s->es_filesz <= s->es_size && s->es_filesz <= im->im_size && s->es_off <= im->im_size - s->es_filesz,
		    "segment %u has 0x%lx bytes of the file", i, (ulong_t)s->es_filesz);
		for (uint_t j = 0; j < i; j++)
			check_true(s->es_base > ep->ep_seg[j].es_base + (ep->ep_seg[j].es_size - 1) ||
				ep->ep_seg[j].es_base > s->es_base + (s->es_size - 1),
			    "segments %u and %u overlap", i, j);
	}
}

static void
random_files(struct image *im, uint8_t *file, const struct as *as)
{
	struct elf_program *ep = kmem_alloc(sizeof(*ep), KM_SLEEP);
	static const uint8_t odd[] = { 0, 1, 0x7f, 0x80, 0xff, 0x10, 0xf0 };
	uint8_t good[256];
	uint_t accepted = 0;

	memcpy(good, file, sizeof(good));
	for (uint_t i = 0; i < 2000; i++) {
		for (uint64_t n = 1 + check_random(4); n > 0; n--)
			file[check_random(232)] = check_random(2) ? odd[check_random(sizeof(odd))] : (uint8_t)check_random(256);
		if (elf_read(im, as, ep) == NULL) {
			accepted++;
			check_program(im, as, ep);
		}
		memcpy(file, good, sizeof(good));
	}
	check_note("%u of 2000 random files accepted", accepted);
	kmem_free(ep, sizeof(*ep));
}

static void
bad_copies_of(const struct image *good)
{
	uint8_t *file = kmem_alloc(good->im_size, KM_SLEEP);
	struct image im = { .im_size = good->im_size, .im_mem = file };
	bool is32 = true;
	struct as *as;

	strlcpy(im.im_name, good->im_name, sizeof(im.im_name));
	check_true(image_read(good, 0, file, good->im_size), "%s cannot be read", good->im_name);
	check_true(elf_width(&im, &is32) == NULL, "%s is not fit", good->im_name);
	as = as_alloc(is32);
	refused(&im, as, NULL);
	bad_fields(&im, file, as, is32);
	short_files(&im, as);
	random_files(&im, file, as);
	refused(&im, as, NULL);
	as_free(as);
	kmem_free(file, good->im_size);
}

CHECK(client_elf, "client-elf", NULL, 0, 0, NULL, 0)
{
	const struct image *im;
	struct memory before;

	(void)hat;
	if (!have_programs())
		return;
	before = memory_now();
	for (uint_t n = 0; (im = image_number(n)) != NULL; n++)
		if (strncmp(im->im_name, "sieve", 5) == 0)
			bad_copies_of(im);
	same_memory(before);
}

/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The pretend MMU [SDM3 4.3-4.10].
 *
 * A translation is remembered with what the whole path allowed, as real TLBs do; a link with what the path down to it did.
 * Windows are another kind of TLB: what a page of the host shows is changed by invlpg, and by nothing else. A window that
 * was re-pointed without its flush keeps showing the old frame.
 */
#include <host/host.h>
#include <host/mmu.h>
#include <sys/cpu.h>
#include <sys/debug.h>
#include <sys/printf.h>
#include <sys/string.h>
#include <x86/cpufunc.h>
#include <memmap.h>

#define MAX_LEVELS   4
#define BUCKETS      1024u
#define WINDOW_PAGES (1024u + HOST_NPAGES) /* up to the end of the pages at HOST_PAGES */
#define MAXPHYADDR   40

/** The shape of one paging mode; `leaf`: bit 7 makes an entry a leaf. */
struct format {
	uint_t levels, size;
	struct {
		uint8_t shift;
		bool leaf;
		uint16_t count;
	} level[MAX_LEVELS];
};

static const struct format formats[] = {
	{ 2, 4, { { 12, false, 1024 }, { 22, false, 1024 } } }, /* without PSE, bit 7 of an entry means nothing */
	{ 2, 4, { { 12, false, 1024 }, { 22, true, 1024 } } },
	{ 3, 8, { { 12, false, 512 }, { 21, true, 512 }, { 30, false, 4 } } },
	{ 4, 8, { { 12, false, 512 }, { 21, true, 512 }, { 30, true, 512 }, { 39, false, 512 } } },
};

/** Something remembered: a translation (a leaf), or a link to a table. */
struct cached {
	struct cached *next, **prev;         /* same bucket */
	struct cached *all_next, **all_prev; /* all translations, or all links, of this CPU */
	uint64_t va, size;                   /* what it covers */
	paddr_t pa;                          /* frame of the page, or of the table */
	level_t level;                       /* of the table that holds the entry */
	bool link;
	bool user, write, exec, global, dirty;
};

struct mmu_cpu {
	uint64_t cr3, cr4, efer;
	x86pte_t directory[4]; /* PAE: loaded with CR3, and only then [SDM3 4.4.1] */
	struct cached *bucket[BUCKETS];
	struct cached *all[2]; /* translations, links */
	uint_t remembered;
};

static struct mmu_cpu cpus[NCPU];
static uint_t ncpu;
static paddr_t kernel_root;
static const struct machine_options *features;
static struct {
	paddr_t pa;
	int access;
} window[WINDOW_PAGES];

uint64_t mmu_walks, mmu_hits, mmu_weaker, mmu_invlpgs, mmu_flushes, mmu_window_moves;

static void
count(uint64_t *n)
{
	machine_lock();
	++*n;
	machine_unlock();
}

static struct mmu_cpu *
me(void)
{
	return (&cpus[CPU->cpu_id]);
}

static const struct format *
format_of(const struct mmu_cpu *c)
{
	if (c->efer & EFER_LMA)
		return (&formats[3]);
	return (&formats[c->cr4 & CR4_PAE ? 2 : c->cr4 & CR4_PSE ? 1 : 0]);
}

/* ------------------------------------------------------------------ what is remembered */

static uint_t
bucket_of(uint64_t va, uint_t shift, level_t level)
{
	uint64_t n = va >> shift;

	return ((uint_t)((n ^ (n >> 9) ^ (n >> 18) ^ (n >> 27)) + 61 * (uint_t)level) % BUCKETS);
}

static void
list_add(struct cached **head, struct cached *e)
{
	e->all_next = *head;
	e->all_prev = head;
	if (e->all_next != NULL)
		e->all_next->all_prev = &e->all_next;
	*head = e;
}

static void
remember(struct mmu_cpu *c, const struct cached *what, uint_t shift)
{
	struct cached *e = machine_alloc(sizeof(*e), 0);
	struct cached **head = &c->bucket[bucket_of(what->va, shift, what->level)];

	*e = *what;
	e->next = *head;
	e->prev = head;
	if (e->next != NULL)
		e->next->prev = &e->next;
	*head = e;
	list_add(&c->all[e->link], e);
	c->remembered++;
}

static void
forget(struct mmu_cpu *c, struct cached *e)
{
	*e->prev = e->next;
	if (e->next != NULL)
		e->next->prev = e->prev;
	*e->all_prev = e->all_next;
	if (e->all_next != NULL)
		e->all_next->all_prev = e->all_prev;
	c->remembered--;
	machine_free(e);
}

static struct cached *
recall(struct mmu_cpu *c, uint64_t va, uint_t shift, level_t level, bool link)
{
	struct cached *e;

	for (e = c->bucket[bucket_of(va, shift, level)]; e != NULL; e = e->next)
		if (e->level == level && e->link == link && va - e->va < e->size)
			break;
	return (e);
}

static void
forget_links(struct mmu_cpu *c)
{
	while (c->all[true] != NULL)
		forget(c, c->all[true]);
}

/** Everything but, perhaps, global translations. Links are never global. */
static void
forget_all(struct mmu_cpu *c, bool globals_too)
{
	struct cached *next;

	forget_links(c);
	for (struct cached *e = c->all[false]; e != NULL; e = next) {
		next = e->all_next;
		if (globals_too || !e->global)
			forget(c, e);
	}
}

static void
forget_page(struct mmu_cpu *c, uint64_t va)
{
	const struct format *f = format_of(c);

	for (uint_t l = 0; l < f->levels; l++) {
		struct cached *e;

		while ((e = recall(c, va, f->level[l].shift, l, false)) != NULL)
			forget(c, e);
	}
}

/* ------------------------------------------------------------------ walking */

static x86pte_t
fetch(const struct format *f, paddr_t at)
{
	void *p = machine_phys(at);

	if (p == NULL)
		panic("the MMU reads an entry at 0x%llx, where there is no memory", (unsigned long long)at);
	host_reads(p);
	if (f->size == 4)
		return (*(volatile x86pte32_t *)p);
	return (*(volatile x86pte_t *)p);
}

/** Set bits of an entry where it stands, if it is still what was read. */
static bool
mark(const struct format *f, paddr_t at, x86pte_t old, x86pte_t bits)
{
	void *p = machine_phys(at);
	bool done;

	if ((old & bits) == bits)
		return (true);
	host_before(p);
	if (f->size == 4)
		done = __sync_bool_compare_and_swap((x86pte32_t *)p, (x86pte32_t)old, (x86pte32_t)(old | bits));
	else
		done = __sync_bool_compare_and_swap((x86pte_t *)p, old, old | bits);
	host_after(p);
	return (done);
}

/** Bits that must be 0 in a present entry [SDM3 table 4-14 and its relatives]. */
static x86pte_t
reserved(const struct mmu_cpu *c, const struct format *f, x86pte_t e, level_t l)
{
	x86pte_t bits = ~(x86pte_t)0 << MAXPHYADDR & PT_PADDR;
	bool leaf = l > 0 && (e & PT_PAGESIZE) != 0;

	if (f->size == 4)
		return (leaf && f->level[l].leaf ? 0x3fe000 : 0);
	if (f->levels == 3)
		bits |= 0x7ff0000000000000ull;
	if (f->levels == 3 && l == 2)
		return (bits | PT_NX | 0x1e6);
	if (!(c->efer & EFER_NXE))
		bits |= PT_NX;
	if (leaf && (!f->level[l].leaf || (l == 2 && features->no_1g)))
		bits |= PT_PAGESIZE;
	else if (leaf)
		bits |= (1ull << f->level[l].shift) - 0x2000;
	return (bits);
}

static bool
is_leaf(const struct format *f, x86pte_t e, level_t l)
{
	return (l == 0 || (f->level[l].leaf && (e & PT_PAGESIZE) != 0));
}

/** Narrow what the path allows by one more entry; a PAE directory pointer restricts nothing. */
static void
allow(const struct format *f, struct cached *t, x86pte_t e, level_t l)
{
	if (f->levels == 3 && l == 2)
		return;
	t->user = t->user && (e & PT_USER);
	t->write = t->write && (e & PT_WRITABLE);
	t->exec = t->exec && (f->size == 4 || !(e & PT_NX));
}

static bool
permits(const struct cached *t, uint_t how)
{
	return (!((how & MMU_USER) && !t->user) && !((how & MMU_WRITE) && !t->write) && !((how & MMU_EXEC) && !t->exec));
}

/** Where a walk starts: the top table. */
static struct cached
root_of(const struct format *f, paddr_t cr3)
{
	return ((struct cached){ .pa = cr3 & (f->levels == 3 ? ~31ull : ~0xfffull),
	    .level = f->levels,
	    .link = true,
	    .user = true,
	    .write = true,
	    .exec = true });
}

static void
cover(const struct format *f, struct cached *t, uint64_t va, level_t l)
{
	t->level = l;
	t->size = 1ull << f->level[l].shift;
	t->va = va & -t->size;
}

/** Where the entry for va is in the table that `t` leads to. */
static paddr_t
entry_at(const struct format *f, const struct cached *t, uint64_t va)
{
	level_t l = t->level - 1;

	return (t->pa + ((va >> f->level[l].shift) & (f->level[l].count - 1u)) * f->size);
}

/** One step down. @return 0, or the fault bits of an entry that leads nowhere */
static uint_t
step(const struct mmu_cpu *c, const struct format *f, struct cached *t, uint64_t va, x86pte_t e)
{
	level_t l = t->level - 1;

	if (!PTE_ISVALID(e))
		return (MMU_FAULT);
	if (e & reserved(c, f, e, l))
		return (MMU_FAULT | MMU_PRESENT | MMU_RESERVED);
	allow(f, t, e, l);
	cover(f, t, va, l);
	t->link = !is_leaf(f, e, l);
	t->pa = e & PT_PADDR & (t->link ? ~0ull : -t->size);
	return (0);
}

/** A walk that leaves no trace, from memory only, down to `level` or to a leaf. */
static uint_t
look(const struct mmu_cpu *c, paddr_t cr3, uint64_t va, level_t level, struct cached *t, x86pte_t *last)
{
	const struct format *f = format_of(c);

	*t = root_of(f, cr3);
	while (t->link && t->level > level) {
		uint_t fault;

		*last = fetch(f, entry_at(f, t, va));
		fault = step(c, f, t, va, *last);
		if (fault != 0)
			return (fault);
	}
	return (0);
}

/** The lowest link over va that this CPU remembers, or its root. */
static struct cached
start_of(struct mmu_cpu *c, const struct format *f, uint64_t va)
{
	for (level_t l = 1; c->all[true] != NULL && l < (level_t)f->levels; l++) {
		struct cached *e = recall(c, va, f->level[l].shift, l, true);

		if (e != NULL)
			return (*e);
	}
	return (root_of(f, c->cr3));
}

/** Note a link that was followed. Directory pointers have their own four registers. */
static void
keep_link(struct mmu_cpu *c, const struct format *f, const struct cached *t)
{
	if (!(f->levels == 3 && t->level == 2))
		remember(c, t, f->level[t->level].shift);
}

/** Read an entry as the MMU does, and mark what it is used for. */
static x86pte_t
use_entry(struct mmu_cpu *c, const struct format *f, const struct cached *t, uint64_t va, uint_t how)
{
	paddr_t at = entry_at(f, t, va);
	level_t l = t->level - 1;
	struct cached probe;
	x86pte_t e;

	if (f->levels == 3 && l == 2)
		return (c->directory[va >> 30 & 3]);
	for (;;) {
		x86pte_t bits = PT_REF;

		e = fetch(f, at);
		probe = *t;
		if (step(c, f, &probe, va, e) != 0)
			return (e);
		if (!probe.link && !permits(&probe, how))
			return (e);
		if (!probe.link && (how & MMU_WRITE))
			bits |= PT_MOD;
		if (mark(f, at, e, bits))
			return (e | bits);
	}
}

/** The walk that an access makes. */
static uint_t
walk(struct mmu_cpu *c, uint64_t va, uint_t how, struct cached *t)
{
	const struct format *f = format_of(c);
	x86pte_t e = 0;

	count(&mmu_walks);
	*t = start_of(c, f, va);
	while (t->link) {
		uint_t fault;

		e = use_entry(c, f, t, va, how);
		fault = step(c, f, t, va, e);
		if (fault != 0)
			return (fault | how);
		if (t->link)
			keep_link(c, f, t);
	}
	if (!permits(t, how))
		return (MMU_FAULT | MMU_PRESENT | how);
	t->global = (e & PT_GLOBAL) && (c->cr4 & CR4_PGE);
	t->dirty = (e & PT_MOD) != 0;
	remember(c, t, f->level[t->level].shift);
	return (0);
}

static struct cached *
hit(struct mmu_cpu *c, uint64_t va)
{
	const struct format *f = format_of(c);

	for (level_t l = 0; l < (level_t)f->levels; l++) {
		struct cached *e = recall(c, va, f->level[l].shift, l, false);

		if (e != NULL)
			return (e);
	}
	return (NULL);
}

/**
 * A write through a translation that allows it and is not dirty: the entry is found again and marked, whatever it allows by now.
 * @return  false: there is no such page any more, the translation is of no use
 */
static bool
mark_late(struct mmu_cpu *c, struct cached *e, uint64_t va)
{
	const struct format *f = format_of(c);
	x86pte_t was = 0;
	struct cached t;
	paddr_t at;

	do {
		t = root_of(f, c->cr3);
		at = 0;
		while (t.link) {
			at = entry_at(f, &t, va);
			was = fetch(f, at);
			if (step(c, f, &t, va, was) != 0)
				return (false);
		}
		if (t.level != e->level || t.pa != e->pa)
			return (false);
	} while (!mark(f, at, was, PT_REF | PT_MOD));
	e->dirty = true;
	return (true);
}

/*
 * A translation that forbids the access makes a fault, which drops it [SDM3 4.10.4.1]; the retried instruction walks. Both
 * in one go here.
 */
static uint_t
access(struct mmu_cpu *c, uint64_t va, uint_t how, paddr_t *pa)
{
	struct cached *e = hit(c, va), t;
	uint_t fault;

	if (e != NULL && permits(e, how) && (e->dirty || !(how & MMU_WRITE) || mark_late(c, e, va))) {
		count(&mmu_hits);
		*pa = e->pa + (va - e->va);
		return (0);
	}
	if (e != NULL) {
		count(&mmu_weaker);
		forget_page(c, va);
	}
	fault = walk(c, va, how, &t);
	if (fault == 0)
		*pa = t.pa + (va - t.va);
	return (fault);
}

/** One instruction: interrupts come before it or after it. */
uint_t
mmu_access(uint64_t va, uint_t how, paddr_t *pa)
{
	struct mmu_cpu *c = me();
	uint_t fault;

	host_before(c);
	CPU->cpu_spin_depth++;
	host_after(c);
	fault = access(c, va, how, pa);
	CPU->cpu_spin_depth--;
	return (fault);
}

/* ------------------------------------------------------------------ windows */

static bool
in_windows(uint64_t va)
{
	return (va - WINDOW_BASE < WINDOW_PAGES * PAGESIZE);
}

/** Show in a window's page what the kernel's tables say now. */
static int
window_fill(uintptr_t va)
{
	uint_t i = (uint_t)((va - WINDOW_BASE) >> PAGESHIFT);
	struct cached t;
	x86pte_t e;
	int access = 0;

	if (look(&cpus[0], kernel_root, va, 0, &t, &e) == 0)
		access = t.write ? 2 : 1;
	else
		t.pa = 0;
	if (window[i].access == access && window[i].pa == t.pa)
		return (access);
	machine_window_set(va & PAGEMASK, t.pa, access);
	window[i].access = access;
	window[i].pa = t.pa;
	count(&mmu_window_moves);
	return (access);
}

int
inside_window_fault(unsigned long va)
{
	return (in_windows(va) && window_fill(va) != 0);
}

static uint_t
verify_window(uint_t i)
{
	uintptr_t va = WINDOW_BASE + i * PAGESIZE;
	struct cached t;
	x86pte_t e;

	if (window[i].access == 0)
		return (0);
	if (look(&cpus[0], kernel_root, va, 0, &t, &e) == 0 && t.pa == window[i].pa)
		return (0);
	printf("P5: window %u still shows frame 0x%llx, its entry does not\n", i, (unsigned long long)(window[i].pa >> PAGESHIFT));
	return (1);
}

/* ------------------------------------------------------------------ instructions */

void
invlpg(uintptr_t va)
{
	struct mmu_cpu *c = me();

	count(&mmu_invlpgs);
	host_before(c);
	host_after(c);
	forget_page(c, va);
	forget_links(c); /* all of them, whatever the address [SDM3 4.10.4.1] */
	if (in_windows(va))
		(void)window_fill(va);
}

uintptr_t
read_cr3(void)
{
	return ((uintptr_t)me()->cr3);
}

void
write_cr3(uintptr_t v)
{
	struct mmu_cpu *c = me();
	const struct format *f = format_of(c);

	count(&mmu_flushes);
	host_before(c);
	host_after(c);
	c->cr3 = v;
	forget_all(c, false);
	for (uint_t i = 0; f->levels == 3 && i < 4; i++) {
		x86pte_t e = fetch(f, (v & ~31ull) + i * 8);

		if (PTE_ISVALID(e) && (e & reserved(c, f, e, 2)))
			panic("general protection: directory pointer %u is 0x%llx", i, (unsigned long long)e);
		c->directory[i] = e;
	}
}

uintptr_t
read_cr4(void)
{
	return ((uintptr_t)me()->cr4);
}

/** A change of PGE drops everything, global translations included [SDM3 4.10.4.1]. */
void
write_cr4(uintptr_t v)
{
	struct mmu_cpu *c = me();
	bool drop = ((c->cr4 ^ v) & CR4_PGE) != 0;

	host_before(c);
	host_after(c);
	c->cr4 = v;
	if (!drop)
		return;
	count(&mmu_flushes);
	forget_all(c, true);
	for (uint_t i = 0; i < WINDOW_PAGES; i++)
		if (window[i].access != 0)
			(void)window_fill(WINDOW_BASE + i * PAGESIZE);
}

uint64_t
rdmsr(uint32_t msr)
{
	if (msr != MSR_EFER)
		panic("general protection: rdmsr 0x%x", msr);
	return (me()->efer);
}

void
wrmsr(uint32_t msr, uint64_t v)
{
	if (msr != MSR_EFER)
		panic("general protection: wrmsr 0x%x", msr);
	me()->efer = v;
}

struct cpuid_regs
cpuid(uint32_t leaf, uint32_t subleaf)
{
	(void)subleaf;
	switch (leaf) {
	case 0: /* "Pretend CPU " */
		return ((struct cpuid_regs){ 1, 0x74657250, 0x20555043, 0x20646e65 });
	case 1: /* PSE MSR PAE CX8 APIC PGE SSE2 */
		return ((struct cpuid_regs){
		    .edx = 1u << 3 | 1u << 5 | 1u << 6 | !features->no_cx8 << 8 | 1u << 9 | !features->no_pge << 13 | 1u << 26 });
	case 0x80000000:
		return ((struct cpuid_regs){ .eax = 0x80000008 });
	case 0x80000001:
		return ((struct cpuid_regs){ .edx = !features->no_nx << 20 | !features->no_1g << 26 | 1u << 29 });
	case 0x80000008:
		return ((struct cpuid_regs){ .eax = 48 << 8 | MAXPHYADDR });
	}
	return ((struct cpuid_regs){ 0 });
}

/* ------------------------------------------------------------------ P5 */

/** Why a thing remembered is not covered by the tables, or NULL. */
static const char *
worse(const struct mmu_cpu *c, const struct cached *e)
{
	struct cached t;
	x86pte_t last = 0;

	if (look(c, c->cr3, e->va, e->level, &t, &last) != 0)
		return ("the tables have nothing there");
	if (t.link != e->link || (e->link && t.level != e->level))
		return ("the tables have another kind of entry there");
	if (t.pa + (e->va - t.va) != e->pa)
		return ("the tables lead to another frame");
	if (!e->link && e->size > t.size)
		return ("the tables have smaller pages there");
	if ((e->user && !t.user) || (e->write && !t.write) || (e->exec && !t.exec))
		return ("the tables allow less");
	if (!e->link && e->dirty && !(last & PT_MOD))
		return ("the entry is not dirty");
	if (!e->link && e->global && !(last & PT_GLOBAL))
		return ("the entry is not global");
	return (NULL);
}

static uint_t
verify_one(const struct mmu_cpu *c, const struct cached *e)
{
	const char *why = worse(c, e);

	if (why == NULL)
		return (0);
	printf("P5: CPU %d remembers a %s of 0x%llx bytes at 0x%llx -> 0x%llx (%c%c%c%c%c): %s\n", (int)(c - cpus),
	    e->link ? "link" : "page", (unsigned long long)e->size, (unsigned long long)e->va, (unsigned long long)e->pa,
	    e->user ? 'u' : 's', e->write ? 'w' : '-', e->exec ? 'x' : '-', e->global ? 'g' : '-', e->dirty ? 'd' : '-', why);
	return (1);
}

static uint_t
verify_cpu(const struct mmu_cpu *c)
{
	uint_t bad = 0;

	for (int link = 0; link < 2; link++)
		for (const struct cached *e = c->all[link]; e != NULL; e = e->all_next)
			bad += verify_one(c, e);
	return (bad);
}

uint_t
mmu_verify_page(uint64_t va, ulong_t exempt)
{
	uint_t bad = 0;

	for (uint_t id = 0; id < ncpu; id++) {
		const struct cached *e = exempt & CPUSET(id) ? NULL : hit(&cpus[id], va);

		if (e != NULL)
			bad += verify_one(&cpus[id], e);
	}
	return (bad);
}

uint_t
mmu_verify(ulong_t exempt)
{
	uint_t bad = 0;

	for (uint_t id = 0; id < ncpu; id++)
		if (!(exempt & CPUSET(id)))
			bad += verify_cpu(&cpus[id]);
	for (uint_t i = 0; i < WINDOW_PAGES; i++)
		bad += verify_window(i);
	return (bad);
}

uint_t
mmu_remembered(void)
{
	uint_t n = 0;

	for (uint_t id = 0; id < ncpu; id++)
		n += cpus[id].remembered;
	return (n);
}

/* ------------------------------------------------------------------ power on */

void
mmu_power_on(unsigned n, pfn_t top, uintptr_t cr4, uint64_t efer)
{
	ncpu = n;
	features = host_options;
	kernel_root = pfn_to_pa(top);
	cpus[0].cr4 = cr4;
	cpus[0].efer = efer;
	write_cr3((uintptr_t)kernel_root);
	for (uint_t i = 0; i < WINDOW_PAGES; i++)
		(void)window_fill(WINDOW_BASE + i * PAGESIZE);
}

void
mmu_copy_registers(int from, int to)
{
	cpus[to].cr3 = cpus[from].cr3;
	cpus[to].cr4 = cpus[from].cr4;
	cpus[to].efer = cpus[from].efer;
	memcpy(cpus[to].directory, cpus[from].directory, sizeof(cpus[to].directory));
}

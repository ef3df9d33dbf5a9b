/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief From power-on to a running HAT: the seed tables that start.S makes, memory for boot, and kmain()'s order of things.
 */
#include <host/host.h>
#include <host/mmu.h>
#include <host/mutants.h>
#include <boot/boot.h>
#include <check/invariants.h>
#include <check/peek_phys.h>
#include <hat/hat_impl.h>
#include <hat/kbm.h>
#include <hat/mmu.h>
#include <sys/bootinfo.h>
#include <sys/debug.h>
#include <sys/kmem.h>
#include <sys/peek.h>
#include <sys/printf.h>
#include <sys/string.h>
#include <sys/tunable.h>
#include <vm/page.h>
#include <x86/cpufunc.h>
#include <memmap.h>

#define TEXT_PHYS  0x200000u /* where the image's parts would be: HOST_SYMBOLS in host.mk says the same */
#define TEXT_BYTES 0x100000u
#define DATA_PHYS  0x400000u
#define VGA_TEXT   0xb8000u

#define LINK   0x027u /* PT_PTPBITS */
#define DIRPTR 0x001u /* a PAE directory pointer: present only */
#define LEAF   0x463u /* P, R/W, A, D, PT_NOCONSIST */
#define LARGE  (LEAF | 0x080u)

const struct machine_options *host_options;
void (*host_last_words)(void);
bootinfo_t bootinfo;
const char *volatile panicstr;

static paddr_t next_free; /* boot's memory grows from the seed tables upward */
static bool closed;

/* ------------------------------------------------------------------ stops */

void (*host_intercept)(const char *kind, const char *file, int line, const char *text);

/** Whoever answers for the code that runs has the first word, where it is safe to jump away (src/kern/panic.c). */
static void NORETURN
stop(const char *kind, const char *file, int line, const char *text)
{
	if (host_intercept != NULL && cpu_ready && CPU->cpu_intr_depth == 0)
		host_intercept(kind, file, line, text);
	machine_stop(text);
}

void
panic(const char *fmt, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	stop("panic", NULL, 0, text);
}

void
assfail(const char *what, const char *file, int line)
{
	char text[400];

	(void)snprintf(text, sizeof(text), "assertion failed: %s, %s:%d", what, file, line);
	stop("assert", file, line, text);
}

void
lab_todo(int lab, const char *function, const char *section)
{
	char text[400];

	(void)snprintf(text, sizeof(text), "%s() is yours to write: lab %d, handout section %s", function, lab, section);
	stop("todo", NULL, 0, text);
}

void
inside_last_words(void)
{
	if (host_last_words != NULL)
		host_last_words();
}

void (*host_record)(const char *line);
void (*host_early)(void);

/** Dumps and records: only when somebody wants to read them, or when something is wrong; and a test may. */
int
record(const char *fmt, ...)
{
	char line[512];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (host_record != NULL)
		host_record(line);
	return (host_options->verbose ? printf("%s", line) : 0);
}

/* ------------------------------------------------------------------ reading what may not be there */

uintptr_t check_window_va;
void *check_window_pte;

void *(*host_reach)(uintptr_t va, uint_t how, bool *fault);

/** Where an address is: on the other side of the pretend MMU, or the host's own. NULL: nowhere. */
static void *
reach(const void *p, uint_t how)
{
	bool fault = false;
	void *there = host_reach != NULL ? host_reach((uintptr_t)p, how, &fault) : NULL;

	return (fault ? NULL : there != NULL ? there : (void *)(uintptr_t)p);
}

bool
peek(const void *src, void *dst, size_t n)
{
	const void *from = reach(src, 0);

	return (from != NULL && machine_copy(dst, from, n) != 0);
}

bool
poke(void *dst, const void *src, size_t n)
{
	void *to = reach(dst, MMU_WRITE);

	return (to != NULL && machine_copy(to, src, n) != 0);
}

/** The checkers' own route: straight to the memory. */
static bool
move_phys(paddr_t pa, void *buf, size_t len, bool write)
{
	char *p = machine_phys(pa);

	if (p == NULL || machine_phys(pa + len - 1) == NULL)
		return (false);
	memcpy(write ? p : buf, write ? buf : p, len);
	return (true);
}

bool
peek_phys(paddr_t pa, void *buf, size_t len)
{
	return (move_phys(pa, buf, len, false));
}

bool
poke_phys(paddr_t pa, const void *buf, size_t len)
{
	return (move_phys(pa, (void *)(uintptr_t)buf, len, true));
}

/* ------------------------------------------------------------------ memory for boot */

static paddr_t
take(size_t bytes)
{
	paddr_t pa = next_free;

	if (closed)
		panic("boot memory wanted after the page allocator took over");
	next_free += bytes;
	return (pa);
}

pfn_t
boot_alloc_frame(void)
{
	return (pa_to_pfn(take(PAGESIZE)));
}

/** The host's memory: nobody asks where it stands in the kernel's address space. */
void *
boot_alloc(size_t size)
{
	return (memset(machine_alloc(size, PAGESIZE), 0, size));
}

void
boot_memory_close(void)
{
	closed = true;
}

bool
boot_owns(paddr_t pa)
{
	return ((pa >= TEXT_PHYS && pa < TEXT_PHYS + TEXT_BYTES) || (pa >= DATA_PHYS && pa < next_free));
}

/* ------------------------------------------------------------------ what start.S does */

/** The format that the entry code chooses. */
static struct seed {
	uint_t levels, size; /* of an entry */
	bool large;          /* are there large pages? */
	uint8_t shift[4];
	paddr_t top;
} seed;

static const struct seed seed_long = { 4, 8, true, { 12, 21, 30, 39 }, 0 };
static const struct seed seed_pae = { 3, 8, true, { 12, 21, 30 }, 0 };
static const struct seed seed_nonpae = { 2, 4, true, { 12, 22 }, 0 };

static uint64_t
seed_get(paddr_t at)
{
	return (seed.size == 4 ? *(uint32_t *)machine_phys(at) : *(uint64_t *)machine_phys(at));
}

static void
seed_put(paddr_t at, uint64_t value)
{
	memcpy(machine_phys(at), &value, seed.size);
}

/** The slot for va in the table at `level`, making tables down to it. */
static paddr_t
seed_slot(uintptr_t va, uint_t level)
{
	paddr_t table = seed.top, at;

	for (uint_t l = seed.levels - 1;; l--) {
		bool directory = seed.levels == 3 && l == 2;

		at = table + ((uint64_t)va >> seed.shift[l] & (directory ? 3 : PAGESIZE / seed.size - 1)) * seed.size;
		if (l == level)
			return (at);
		if (seed_get(at) == 0)
			seed_put(at, take(PAGESIZE) | (directory ? DIRPTR : LINK));
		table = seed_get(at) & PT_PADDR;
	}
}

/** One level-1 entry's worth of memory. */
static void
seed_large(uintptr_t va, paddr_t pa)
{
	if (seed.large) {
		seed_put(seed_slot(va, 1), pa | LARGE);
		return;
	}
	for (paddr_t off = 0; off < 1ull << seed.shift[1]; off += PAGESIZE)
		seed_put(seed_slot(va + (uintptr_t)off, 0), (pa + off) | LEAF);
}

/** Text up to the start of data: a large page, if it fits. */
static void
seed_text(void)
{
	if (seed.size == 8) {
		seed_large(KERNEL_OFFSET + TEXT_PHYS, TEXT_PHYS);
		return;
	}
	for (paddr_t pa = TEXT_PHYS; pa < DATA_PHYS; pa += PAGESIZE)
		seed_put(seed_slot(KERNEL_OFFSET + (uintptr_t)pa, 0), pa | LEAF);
}

static bool
has_word(const char *word)
{
	const char *s = host_options->cmdline;
	size_t n = strlen(word);

	for (; *s != '\0'; s++)
		if (strncmp(s, word, n) == 0)
			return (true);
	return (false);
}

static void
choose_format(void)
{
	if (HOST_KPM != 0)
		seed = seed_long;
	else
		seed = has_word("pae=0") ? seed_nonpae : seed_pae;
	if (seed.size == 4 && has_word("pse=0"))
		seed.large = false;
}

static void
seed_tables(void)
{
	uintptr_t cr4;

	choose_format();
	seed.top = next_free = DATA_PHYS;
	(void)take(PAGESIZE);
	seed_large(0, 0);
	seed_text();
	seed_large(KERNEL_OFFSET + DATA_PHYS, DATA_PHYS);
	(void)seed_slot(WINDOW_BASE, 0);
	seed_put(seed_slot(WINDOW_VA(WINDOW_TABLE), 0), (seed_get(seed_slot(WINDOW_BASE, 1)) & PT_PADDR) | LEAF);
	cr4 = seed.size == 8 ? CR4_PAE : seed.large ? CR4_PSE : 0;
	mmu_power_on(host_options->cpus, pa_to_pfn(seed.top), cr4, seed.levels == 4 ? EFER_LME | EFER_LMA : 0);
}

static void
what_the_loader_says(void)
{
	bootinfo.bi_version = 2;
	bootinfo.bi_ram[0] = (boot_range_t){ 0, 0x9f000 };
	bootinfo.bi_ram[1] = (boot_range_t){ 0x100000, HOST_RAM };
	bootinfo.bi_nram = 2;
	strlcpy(bootinfo.bi_cmdline, host_options->cmdline, sizeof(bootinfo.bi_cmdline));
}

/* ------------------------------------------------------------------ kmain() */

void
host_boot_tables(void)
{
	host_first_cpu();
	seed_tables();
	mmu_init();
	kbm_init();
	what_the_loader_says();
	if (!tunables_parse(bootinfo.bi_cmdline))
		panic("bad command line: %s", bootinfo.bi_cmdline);
	kbm_map(WINDOW_VA(WINDOW_VGA), VGA_TEXT, 0);
	if (host_early != NULL)
		host_early();
	hat_init();
	hat_kern_alloc();
	page_init();
	if (kpm_vbase != 0) { /* the tables have it where the real kernel has it; used it is where the host can */
		machine_map_all(HOST_KPM);
		kpm_vbase = HOST_KPM;
	}
}

/** Where windows are below kernelbase, their entries must not be global (E1); the page windows are nobody's to judge. */
void
host_windows_not_global(void)
{
	uint64_t *table = machine_phys(mmu.pwin_pte_pa & ~(paddr_t)PAGEOFFSET);

	if (WINDOW_BASE >= kernelbase)
		return;
	table[WINDOW_BOOT] &= ~PT_GLOBAL;
	table[WINDOW_TABLE] &= ~PT_GLOBAL;
}

void
host_boot_rest(void)
{
	host_windows_not_global();
	hat_cpu_online(CPU);
	hat_init_finish();
	host_start_cpus();
	clear_boot_mappings(0, HOST_LOW_END);
	invariants_early("after clear_boot_mappings()");
	invariants_init();
}

void
host_boot(void)
{
	host_boot_tables();
	hat_kern_setup();
	invariants_early("after adoption");
	host_boot_rest();
}

void
host_sound(const char *when)
{
	uint_t bad = check_invariants() + mmu_verify(host_exempt());

	expect(bad == 0, "%s: %u invariants are broken", when, bad);
}

void
host_machine(void)
{
	machine_init(HOST_RAM);
	machine_windows(WINDOW_BASE, HOST_PAGES - WINDOW_BASE + HOST_NPAGES * PAGESIZE);
}

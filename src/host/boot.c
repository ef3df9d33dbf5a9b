/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief From power-on to a running HAT: the seed tables that start.S makes, memory for boot, and kmain()'s order of things.
 */
#include <host/host.h>
#include <host/mmu.h>
#include <boot/boot.h>
#include <check/invariants.h>
#include <check/peek_phys.h>
#include <hat/hat_impl.h>
#include <hat/kbm.h>
#include <hat/mmu.h>
#include <sys/bootinfo.h>
#include <sys/debug.h>
#include <sys/peek.h>
#include <sys/printf.h>
#include <sys/string.h>
#include <sys/tunable.h>
#include <vm/page.h>
#include <memmap.h>

#define TEXT_PHYS	0x200000u	/* where the image's parts would be: HOST_SYMBOLS in host.mk says the same */
#define TEXT_BYTES	0x100000u
#define DATA_PHYS	0x400000u
#define VGA_TEXT	0xb8000u

#define LINK		0x027u		/* PT_PTPBITS */
#define DIRPTR		0x001u		/* a PAE directory pointer: present only */
#define LEAF		0x463u		/* P, R/W, A, D, PT_NOCONSIST */
#define LARGE		(LEAF | 0x080u)

const struct machine_options *host_options;
void (*host_last_words)(void);
bootinfo_t bootinfo;
const char *volatile panicstr;

static paddr_t next_free;	/* boot's memory grows from the seed tables upward */
static bool closed;

/* ------------------------------------------------------------------ stops */

void
panic(const char *fmt, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof (text), fmt, ap);
	va_end(ap);
	machine_stop(text);
}

void
assfail(const char *what, const char *file, int line)
{
	panic("assertion failed: %s, %s:%d", what, file, line);
}

void
lab_todo(int lab, const char *function, const char *section)
{
	panic("%s() is still to be written: lab %d, \"%s\"", function, lab, section);
}

void
inside_last_words(void)
{
	if (host_last_words != NULL)
		host_last_words();
}

/** Dumps and records: only when somebody wants to read them, or when something is wrong. */
int
record(const char *fmt, ...)
{
	va_list ap;
	int n;

	if (!host_options->verbose)
		return (0);
	va_start(ap, fmt);
	n = vprintf(fmt, ap);
	va_end(ap);
	return (n);
}

/* ------------------------------------------------------------------ reading what may not be there */

uintptr_t check_window_va;
void *check_window_pte;

bool
peek(const void *src, void *dst, size_t n)
{
	return (machine_copy(dst, src, n) != 0);
}

bool
poke(void *dst, const void *src, size_t n)
{
	return (machine_copy(dst, src, n) != 0);
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

static const uint8_t seed_shift[] = { 12, 21, 30, 39 };

/** The slot for va in the table at `level`, making tables down to it. */
static uint64_t *
seed_slot(paddr_t top, uintptr_t va, int level)
{
	uint64_t *slot;

	for (int l = HOST_LEVELS - 1; ; l--) {
		slot = (uint64_t *)machine_phys(top) + ((uint64_t)va >> seed_shift[l] & (HOST_LEVELS == 3 && l == 2 ? 3 : 511));
		if (l == level)
			return (slot);
		if (*slot == 0)
			*slot = take(PAGESIZE) | (HOST_LEVELS == 3 && l == 2 ? DIRPTR : LINK);
		top = *slot & PT_PADDR;
	}
}

static void
seed_tables(void)
{
	paddr_t top = next_free = DATA_PHYS;
	uint64_t *self;

	(void)take(PAGESIZE);
	*seed_slot(top, 0, 1) = LARGE;
	*seed_slot(top, KERNEL_OFFSET + TEXT_PHYS, 1) = TEXT_PHYS | LARGE;
	*seed_slot(top, KERNEL_OFFSET + DATA_PHYS, 1) = DATA_PHYS | LARGE;
	self = seed_slot(top, WINDOW_VA(WINDOW_TABLE), 0);
	*self = (*seed_slot(top, WINDOW_BASE, 1) & PT_PADDR) | LEAF;
	mmu_power_on(host_options->cpus, pa_to_pfn(top), HOST_LEVELS);
}

static void
what_the_loader_says(void)
{
	bootinfo.bi_version = 2;
	bootinfo.bi_ram[0] = (boot_range_t){ 0, 0x9f000 };
	bootinfo.bi_ram[1] = (boot_range_t){ 0x100000, HOST_RAM };
	bootinfo.bi_nram = 2;
	strlcpy(bootinfo.bi_cmdline, host_options->cmdline, sizeof (bootinfo.bi_cmdline));
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
	hat_init();
	hat_kern_alloc();
	page_init();
	if (kpm_vbase != 0) {	/* the tables have it where the real kernel has it; used it is where the host can */
		machine_map_all(HOST_KPM);
		kpm_vbase = HOST_KPM;
	}
}

/** Where windows are below kernelbase, their entries must not be global (E1); the page windows are nobody's to judge. */
static void
windows_not_global(void)
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
	windows_not_global();
	hat_cpu_online(CPU);
	hat_init_finish();
	host_start_cpus();
	clear_boot_mappings(0, HOST_LOW_END);
	invariants_init();
}

void
host_boot(void)
{
	host_boot_tables();
	hat_kern_setup();
	host_boot_rest();
}

void
host_sound(const char *when)
{
	uint_t bad = check_invariants() + mmu_verify(host_exempt());

	expect(bad == 0, "%s: %u invariants are broken", when, bad);
}

int
inside_main(const struct machine_options *o)
{
	host_options = o;
	machine_init(HOST_RAM);
	machine_windows(WINDOW_BASE, 512 * PAGESIZE);
	if (strcmp(o->test, "boot") == 0)
		test_boot();
	else if (strcmp(o->test, "pure") == 0)
		test_pure();
	else if (strcmp(o->test, "history") == 0)
		test_history();
	else
		panic("there is no test \"%s\"", o->test);
	return (0);
}

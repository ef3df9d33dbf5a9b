/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Reading and writing physical memory without the HAT's help.
 */
#include <check/peek_phys.h>
#include <sys/atomic.h>
#include <sys/bootinfo.h>
#include <sys/peek.h>
#include <sys/string.h>
#include <sys/thread.h>
#include <x86/cpufunc.h>
#include <x86/pte.h>

/* Declared here and not through a header of the HAT: the start of the linear map is all that the checkers know of it. */
extern uintptr_t kpm_vbase;

uintptr_t check_window_va;
void *check_window_pte;

/* An entry that is stored in two halves must never be valid with half an address, so its low half goes last. */
static void
window_set(x86pte_t e)
{
	volatile uint32_t *half = check_window_pte;

	half[0] = 0;
	if (read_cr4() & CR4_PAE)
		half[1] = (uint32_t)(e >> 32);
	half[0] = (uint32_t)e;
	invlpg(check_window_va);
}

uint64_t
peek_phys_save(void)
{
	const volatile uint32_t *half = check_window_pte;

	if (half == NULL)
		return (0);
	return (half[0] | (read_cr4() & CR4_PAE ? (uint64_t)half[1] << 32 : 0));
}

void
peek_phys_restore(uint64_t window)
{
	if (check_window_pte != NULL)
		window_set(window);
}

static bool
in_ram(paddr_t pa)
{
	for (int i = 0; i < bootinfo.bi_nram; i++)
		if (pa >= bootinfo.bi_ram[i].br_start && pa < bootinfo.bi_ram[i].br_end)
			return (true);
	return (false);
}

/* Whoever reads an entry while the MMU may change it wants it in one piece. */
static bool
move(void *dst, const void *src, size_t len, bool write)
{
	uint64_t new, old;

	if (!write)
		return (peek(src, dst, len));
	if (len != sizeof(uint64_t) || ((uintptr_t)dst & (sizeof(uint64_t) - 1)) != 0)
		return (poke(dst, src, len));
	memcpy(&new, src, sizeof(new));
	do
		old = *(volatile uint64_t *)dst;
	while (atomic_cas_64(dst, old, new) != old);
	return (true);
}

/* One page at most. Preemption stays off while the window points somewhere: its translation is this CPU's. */
static bool
move_window(paddr_t pa, void *buf, size_t len, bool write)
{
	char *at = (char *)check_window_va + (pa & PAGEOFFSET);
	bool ok;

	kpreempt_disable();
	window_set((pa & ~(paddr_t)PAGEOFFSET) | PT_VALID | PT_WRITABLE | PT_REF | PT_MOD);
	ok = write ? move(at, buf, len, true) : move(buf, at, len, false);
	window_set(0);
	kpreempt_enable();
	return (ok);
}

static bool
move_page(paddr_t pa, void *buf, size_t len, bool write)
{
	char *at = (char *)kpm_vbase + pa;

	if (!in_ram(pa))
		return (false);
	if (kpm_vbase != 0)
		return (write ? move(at, buf, len, true) : move(buf, at, len, false));
	if (check_window_va != 0)
		return (move_window(pa, buf, len, write));
	if (write)
		return (false);
	boot_read_phys(pa, buf, len);
	return (true);
}

static bool
move_phys(paddr_t pa, void *buf, size_t len, bool write)
{
	while (len > 0) {
		size_t n = MIN(len, PAGESIZE - (size_t)(pa & PAGEOFFSET));

		if (!move_page(pa, buf, n, write))
			return (false);
		pa += n;
		buf = (char *)buf + n;
		len -= n;
	}
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

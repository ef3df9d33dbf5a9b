/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Processors, threads, memory: what is not the HAT's.
 */
#include <check/peek_phys.h>
#include <hat/hment.h>
#include <monitor/monitor_impl.h>
#include <sys/debug.h>
#include <sys/peek.h>
#include <sys/string.h>
#include <sys/symbols.h>
#include <sys/tunable.h>
#include <sys/xcall.h>
#include <vm/page.h>
#include <x86/cpufunc.h>

#define MAXTHREADS 4096u
#define PEEK_MAX   4096u

/* ------------------------------------------------------------------ processors */

/** What each CPU says of itself: it answers cross-calls while it stands still. */
static struct {
	paddr_t cr3;
	uintptr_t fp; /**< of the function that called */
} seen[NCPU];

static void
look_at_self(uintptr_t a, uintptr_t b)
{
	(void)a, (void)b;
	seen[CPU->cpu_id].cr3 = read_cr3();
	seen[CPU->cpu_id].fp = *(const uintptr_t *)__builtin_frame_address(0);
}

/* After a panic the others are beyond asking. */
static void
look_at_all(void)
{
	memset(seen, 0, sizeof(seen));
	if (panicstr == NULL && khat_running)
		xc_call(~(cpuset_t)0, look_at_self, 0, 0);
	else
		look_at_self(0, 0);
}

/* Read through the window of their own that maps all windows' entries. */
static void
window_show(int id, int which)
{
	x86pte_t e = 0;

	if (peek((void *)(mmu.pwin_pte_va + ((2 * (uintptr_t)id + which) << mmu.pte_size_shift)), &e, mmu.pte_size))
		printf(" %s 0x%llx", which == 0 ? "window" : "source", (unsigned long long)e);
}

static void
cpu_show(const cpu_t *c)
{
	const struct hat_cpu_info *hci = c->cpu_hat_info;
	hat_t *hat = c->cpu_current_hat;

	char cr3[24] = "-";

	if (seen[c->cpu_id].cr3 != 0)
		(void)snprintf(cr3, sizeof(cr3), "0x%012llx", (unsigned long long)seen[c->cpu_id].cr3);
	printf("  cpu%d apic=%u %s hat=0x%lx (%s) cr3=%s tlb_info=0x%x thread=0x%lx %s\n", c->cpu_id, c->cpu_apic_id,
	    c->cpu_stopped    ? "stopped" :
		c->cpu_online ? "online" :
				"offline",
	    (ulong_t)(uintptr_t)hat, hat == NULL ? "-" : mon_hat_name(hat), cr3, c->cpu_tlb_info, (ulong_t)(uintptr_t)c->cpu_thread,
	    c->cpu_thread->t_name);
	if (hci == NULL)
		return;
	printf("   ");
	window_show(c->cpu_id, 0);
	window_show(c->cpu_id, 1);
	printf(" owner 0x%lx\n", (ulong_t)(uintptr_t)hci->hci_mutex.m_owner);
}

MON_COMMAND(cpus, "cpus", "", "processors: hat, CR3, thread, page windows")
{
	(void)a;
	look_at_all();
	for (int i = 0; i < NCPU; i++)
		if (cpu[i] != NULL)
			cpu_show(cpu[i]);
}

/* ------------------------------------------------------------------ threads */

bool
mon_each_thread(mon_thread_fn fn, void *arg)
{
	kthread_t *t = all_threads, copy;

	for (uint_t n = 0; t != NULL; n++, t = copy.t_older) {
		if (n == MAXTHREADS || !mon_read(t, &copy, sizeof(copy))) {
			mon_error("the list of threads is damaged at 0x%lx", (ulong_t)(uintptr_t)t);
			return (false);
		}
		if (!fn(t, &copy, arg))
			return (false);
	}
	return (true);
}

static bool
other_thread(kthread_t *addr, const kthread_t *t, void *arg)
{
	return (addr != arg || t->t_state == T_DEAD);
}

bool
mon_is_thread(const kthread_t *t)
{
	return (t != NULL && !mon_each_thread(other_thread, (void *)(uintptr_t)t));
}

static bool
thread_line(kthread_t *addr, const kthread_t *t, void *arg)
{
	static const char *const state[] = { "runnable", "running", "sleeping" };

	if (t->t_state == T_DEAD)
		return (true);
	printf("  thread 0x%lx id=%u %-15s %-8s preempt=%d hatdepth=%d mutexes=%d hat=0x%lx\n", (ulong_t)(uintptr_t)addr, t->t_id,
	    t->t_name, (uint_t)t->t_state < NELEM(state) ? state[t->t_state] : "?", t->t_preempt, t->t_hatdepth, t->t_nlocks,
	    (ulong_t)(uintptr_t)t->t_hat);
	++*(uint_t *)arg;
	return (true);
}

MON_COMMAND(threads, "threads", "", "threads that live")
{
	uint_t n = 0;

	(void)a;
	if (mon_each_thread(thread_line, &n))
		printf("%u threads\n", n);
}

static const cpu_t *
cpu_of(const kthread_t *t)
{
	for (int i = 0; i < NCPU; i++)
		if (cpu[i] != NULL && cpu[i]->cpu_thread == t)
			return (cpu[i]);
	return (NULL);
}

MON_COMMAND(bt, "bt", "[THREAD]", "where a thread is (default: this one)")
{
	kthread_t *t = a->count > 0 ? (kthread_t *)(uintptr_t)a->value[0] : curthread;
	const cpu_t *c = cpu_of(t);
	struct md_context mx;

	look_at_all();
	if (t == curthread)
		backtrace(0, (uintptr_t)__builtin_frame_address(0));
	else if (c != NULL && c->cpu_stopped)
		backtrace(c->cpu_stop_pc, c->cpu_stop_fp);
	else if (c != NULL)
		backtrace(0, seen[c->cpu_id].fp);
	else if (mon_read(t->t_context, &mx, sizeof(mx)))
		backtrace(md_context_pc(&mx), md_context_fp(&mx));
	else
		mon_error("the registers of thread %s cannot be read", a->word[0]);
}

/* ------------------------------------------------------------------ memory */

MON_COMMAND(kmem, "kmem", "", "object caches")
{
	(void)a;
	if (mon_quiet(true))
		kmem_show();
}

static page_t *
page_of(const struct mon_args *a, page_t *copy)
{
	page_t *pp = page_numtopp_nolock((pfn_t)a->value[0]);

	if (pp != NULL && mon_read(pp, copy, sizeof(*copy)))
		return (pp);
	mon_error("frame %s has no page: it is not in memory", a->word[0]);
	return (NULL);
}

MON_COMMAND(page, "page", "PFN", "who owns a frame")
{
	static const char *const state[] = { "free", "boot", "kernel", "user", "table" };
	page_t p, *pp = page_of(a, &p);

	if (pp == NULL)
		return;
	printf("  page 0x%lx frame 0x%lx %s lock=%d share=%u%s%s%s szc=%u mapping=0x%lx/%u%s\n", (ulong_t)(uintptr_t)pp,
	    p.p_pagenum, p.p_state < NELEM(state) ? state[p.p_state] : "?", p.p_selock, p.p_share, p.p_nrm & P_REF ? " ref" : "",
	    p.p_nrm & P_MOD ? " mod" : "", p.p_nrm & P_RO ? " ro" : "", p.p_szc, (ulong_t)(uintptr_t)p.p_mapping, p.p_mlentry,
	    p.p_embed ? " embedded" : "");
}

static void
mapping_line(htable_t *addr, uint_t entry)
{
	htable_t ht;

	if (mon_read(addr, &ht, sizeof(ht)))
		printf("  htable 0x%lx level %d base 0x%lx [%u] hat 0x%lx\n", (ulong_t)(uintptr_t)addr, ht.ht_level, ht.ht_vaddr,
		    entry, (ulong_t)(uintptr_t)ht.ht_hat);
	else
		mon_error("a mapping leads to 0x%lx, which cannot be read", (ulong_t)(uintptr_t)addr);
}

MON_COMMAND(hment, "hment", "PFN", "who maps a page")
{
	const hment_t *hm;
	hment_t copy;
	uint_t n = 0;
	page_t p;

	if (page_of(a, &p) == NULL)
		return;
	if (p.p_embed)
		mapping_line(p.p_mapping, p.p_mlentry);
	for (hm = p.p_embed ? NULL : p.p_mapping; hm != NULL && n < p.p_share; hm = copy.hm_next, n++) {
		if (!mon_read(hm, &copy, sizeof(copy)))
			break;
		mapping_line(copy.hm_htable, copy.hm_entry);
	}
	if (hm != NULL)
		mon_error("the list is damaged at 0x%lx after %u of %u", (ulong_t)(uintptr_t)hm, n, p.p_share);
	else
		printf("%u mappings\n", n + (p.p_embed != 0));
}

/* Sixteen bytes: numbers and characters. */
static void
peek_line(paddr_t pa, const uint8_t *byte, uint_t n)
{
	char text[17], hex[16 * 3 + 1];

	for (uint_t i = 0; i < n; i++) {
		(void)snprintf(hex + 3 * i, 4, " %02x", byte[i]);
		text[i] = byte[i] >= ' ' && byte[i] < 0x7f ? (char)byte[i] : '.';
	}
	text[n] = '\0';
	printf("  0x%012llx %-48s  %s\n", (unsigned long long)pa, hex, text);
}

MON_COMMAND(peek, "peek", "PA N", "N bytes of physical memory")
{
	paddr_t pa = a->value[0], end = pa + a->value[1];
	uint8_t byte[16];

	if (a->value[1] == 0 || a->value[1] > PEEK_MAX || end < pa) {
		mon_error("N is from 1 to %u", PEEK_MAX);
		return;
	}
	for (; pa < end; pa += sizeof(byte)) {
		uint_t n = (uint_t)MIN(end - pa, sizeof(byte));

		if (!peek_phys(pa, byte, n)) {
			mon_error("there is no memory at 0x%llx", (unsigned long long)pa);
			return;
		}
		peek_line(pa, byte, n);
	}
}

MON_COMMAND(tunables, "tunables", "", "variables of the command line")
{
	(void)a;
	for (const tunable_t *t = __start_tunables; t < __stop_tunables; t++) {
		if (t->tn_number != NULL)
			printf("  %s=%llu\n", t->tn_name, (unsigned long long)*t->tn_number);
		else
			printf("  %s=%s\n", t->tn_name, t->tn_string);
	}
}

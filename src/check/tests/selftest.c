/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Tests of the kernel's services, inside the kernel: `selftest=1`.
 *
 * Each test is a function that returns when all is well and otherwise leaves the first thing that was wrong in `failure`.
 * It is reported like a check (docs/protocol.md). They need no HAT beyond what kernel memory needs.
 */
#include <kern/crash.h>
#include <sys/atomic.h>
#include <sys/cpu.h>
#include <sys/debug.h>
#include <sys/kmem.h>
#include <sys/md.h>
#include <sys/mutex.h>
#include <sys/peek.h>
#include <sys/printf.h>
#include <sys/startup.h>
#include <sys/string.h>
#include <sys/thread.h>
#include <sys/tunable.h>
#include <sys/vmem.h>
#include <sys/xcall.h>
#include <vm/page.h>
#include <x86/cpufunc.h>

static uint64_t selftest;
TUNABLE_NUMBER(selftest, "selftest", "1: test the kernel's own services after start-up");

/** What was wrong first. */
static struct {
	volatile int line; /**< 0: nothing */
	char text[160];
} failure;

#define EXPECT(cond, ...) ((cond) || (fail(__LINE__, __VA_ARGS__), false))

static void fail(int line, const char *fmt, ...) PRINTFLIKE(2, 3);

static void
fail(int line, const char *fmt, ...)
{
	va_list ap;

	if (atomic_cas_32((volatile uint32_t *)&failure.line, 0, (uint32_t)line) != 0)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(failure.text, sizeof(failure.text), fmt, ap);
	va_end(ap);
}

/* Marsaglia's xorshift: the same numbers in every run. */
static uint32_t
random32(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return (*state);
}

/* ------------------------------------------------------------------ text and numbers */

static void expect_text(int line, const char *want, const char *fmt, ...) PRINTFLIKE(3, 4);

static void
expect_text(int line, const char *want, const char *fmt, ...)
{
	char have[100];
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(have, sizeof(have), fmt, ap);
	va_end(ap);
	if (strcmp(have, want) != 0 || len != (int)strlen(want))
		fail(line, "format gives \"%s\", length %d, not \"%s\"", have, len, want);
}

#define TEXT(want, ...) expect_text(__LINE__, want, __VA_ARGS__)

static void
test_printf(void)
{
	char small[5];
	int nothing = 0;

	TEXT("plain", "plain");
	TEXT("100%", "100%%");
	TEXT("[  x]", "[%3c]", 'x');
	TEXT("[abc  ][  abc][ab]", "[%-5s][%5s][%.2s]", "abc", "abc", "abc");
	TEXT("0 -1 -2147483648", "%d %d %i", 0, -1, (int)0x80000000);
	TEXT("+5| 5|-5|00005|-0005", "%+d|% d|%d|%05d|%05d", 5, 5, -5, 5, -5);
	TEXT("4294967295 ff FF 0xff 0 377 0377", "%u %x %X %#x %#x %o %#o", ~0u, 255u, 255u, 255u, 0u, 255u, 255u);
	TEXT("18446744073709551615 -9223372036854775808", "%llu %lld", ~0ull, (long long)0x8000000000000000ull);
	TEXT("0x0123456789abcdef", "0x%016llx", 0x0123456789abcdefull);
	TEXT("[  0x2a][0x2a  ][0x002a]", "[%#6x][%-#6x][%#06x]", 42u, 42u, 42u);
	TEXT("-1 255 65535", "%hhd %hhu %hu", (signed char)-1, (uint8_t)0xff, (uint16_t)0xffff);
	TEXT("[  007][]", "[%5.3d][%.0d]", 7, nothing);
	TEXT("[   7][7   ]", "[%*d][%*d]", 4, 7, -4, 7);
	TEXT("0x1000 12345", "%p %zu", (void *)0x1000, (size_t)12345);
	EXPECT(snprintf(small, sizeof(small), "abcdefgh") == 8 && strcmp(small, "abcd") == 0, "cut text is \"%s\"", small);
}

static void
divide_check(uint64_t n, uint64_t d)
{
	volatile uint64_t vn = n, vd = d; /* not at compile time */
	volatile int64_t sn = (int64_t)n, sd = (int64_t)d;
	uint64_t q = vn / vd, r = vn % vd;
	int64_t sq, sr;

	EXPECT(r < d && q * d + r == n && (q == 0 || q <= UINT64_MAX / d), "%llu / %llu is not %llu rest %llu",
	    (unsigned long long)n, (unsigned long long)d, (unsigned long long)q, (unsigned long long)r);
	if (sn == (int64_t)0x8000000000000000ull && sd == -1)
		return;
	sq = sn / sd, sr = sn % sd;
	EXPECT((int64_t)((uint64_t)sq * (uint64_t)sd + (uint64_t)sr) == sn && (sr == 0 || (sr < 0) == (sn < 0)) &&
		(sr < 0 ? -(uint64_t)sr : (uint64_t)sr) < (sd < 0 ? -(uint64_t)sd : (uint64_t)sd),
	    "%lld / %lld is not %lld rest %lld", (long long)sn, (long long)sd, (long long)sq, (long long)sr);
}

static void
test_div64(void)
{
	static const uint64_t edges[] = { 1, 2, 3, 10, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, 0x100000001, 0x1ffffffff,
		0x7fffffffffffffff, 0x8000000000000000, 0xfffffffe00000001, 0xffffffffffffffff };
	uint32_t state = 1;

	for (uint_t i = 0; i < NELEM(edges); i++) {
		for (uint_t j = 0; j < NELEM(edges); j++)
			divide_check(edges[i], edges[j]);
	}
	for (int i = 0; i < 2000; i++) {
		uint64_t n = (uint64_t)random32(&state) << 32 | random32(&state);
		uint64_t d = ((uint64_t)random32(&state) << 32 | random32(&state)) >> (random32(&state) % 64);

		divide_check(n >> (random32(&state) % 64), d == 0 ? 1 : d);
	}
}

static void
test_string(void)
{
	char a[32] = "0123456789abcdef", b[8];

	(void)memmove(a + 2, a, 10);
	EXPECT(strcmp(a, "010123456789cdef") == 0, "memmove up gives %s", a);
	(void)memmove(a, a + 2, 10);
	EXPECT(strcmp(a, "012345678989cdef") == 0, "memmove down gives %s", a);
	(void)memset(a, 'x', 13);
	EXPECT(strncmp(a, "xxxxxxxxxxxxxdef", 16) == 0, "memset gives %s", a);
	strlcpy(b, "123456789", sizeof(b));
	EXPECT(strcmp(b, "1234567") == 0, "strlcpy gives %s", b);
	EXPECT(strchr("abc", 'c') != NULL && strchr("abc", 'd') == NULL && *strchr("abc", '\0') == '\0', "strchr");
	EXPECT(strcmp("a", "b") < 0 && strcmp("b", "a") > 0 && strncmp("ab", "ac", 1) == 0, "strcmp");
	EXPECT(memcmp("abc", "abd", 3) < 0 && memcmp("abc", "abd", 2) == 0, "memcmp");
}

/* ------------------------------------------------------------------ memory */

#define NPIECES 200

/* Random histories; nothing overlaps, all comes back, and the arena is then as empty as it was. */
static void
test_vmem(void)
{
	static struct {
		uintptr_t start;
		size_t size;
	} piece[NPIECES];
	vmem_t *v = vmem_create("selftest", 0x100000, 0x400000, 0x1000, NULL, NULL, NULL, VM_SLEEP);
	uint32_t state = 7;
	uintptr_t whole;

	for (int step = 0; step < 4000; step++) {
		uint_t i = random32(&state) % NPIECES;
		size_t align = (size_t)0x1000 << random32(&state) % 5;

		if (piece[i].size != 0) {
			vmem_free(v, (void *)piece[i].start, piece[i].size);
			piece[i].size = 0;
			continue;
		}
		piece[i].size = 1 + random32(&state) % 0x10000;
		piece[i].start = (uintptr_t)vmem_xalloc(v, piece[i].size, align, VM_NOSLEEP);
		if (piece[i].start == 0) {
			piece[i].size = 0;
			continue;
		}
		EXPECT(
		    (piece[i].start & (align - 1)) == 0 && piece[i].start >= 0x100000 && piece[i].start + piece[i].size <= 0x500000,
		    "0x%lx is out of place", (ulong_t)piece[i].start);
		for (uint_t j = 0; j < NPIECES; j++)
			EXPECT(j == i || piece[j].size == 0 || piece[j].start + piece[j].size <= piece[i].start ||
				piece[i].start + piece[i].size <= piece[j].start,
			    "pieces %u and %u overlap", i, j);
	}
	for (uint_t i = 0; i < NPIECES; i++) {
		if (piece[i].size != 0)
			vmem_free(v, (void *)piece[i].start, piece[i].size);
		piece[i].size = 0;
	}
	EXPECT(vmem_inuse(v) == 0, "%u bytes are missing", (uint_t)vmem_inuse(v));
	whole = (uintptr_t)vmem_alloc(v, 0x400000, VM_NOSLEEP);
	EXPECT(whole == 0x100000, "free pieces have not merged");
	if (whole != 0)
		vmem_free(v, (void *)whole, 0x400000);
	vmem_destroy(v);
}

static int
count_up(void *obj, void *arg, int kmflag)
{
	(void)kmflag;
	(*(int *)arg)++;
	*(uint32_t *)obj = 0x600dda7a;
	return (0);
}

static void
count_down(void *obj, void *arg)
{
	(void)obj;
	(*(int *)arg)--;
}

static void
test_kmem(void)
{
	static void *object[NPIECES];
	int constructed = 0;
	kmem_cache_t *c = kmem_cache_create("selftest", 72, 8, count_up, count_down, NULL, &constructed, NULL, 0);
	size_t arena_before;
	uint32_t state = 3;

	kmem_reap_sync();
	arena_before = vmem_inuse(kmem_va_arena);
	for (int step = 0; step < 4000; step++) {
		uint_t i = random32(&state) % NPIECES;

		if (object[i] == NULL) {
			object[i] = kmem_cache_alloc(c, KM_SLEEP);
			EXPECT(*(uint32_t *)object[i] == 0x600dda7a, "an object that was not constructed");
			((uint32_t *)object[i])[1] = i;
		} else {
			EXPECT(((uint32_t *)object[i])[1] == i, "object %u was handed out twice", i);
			kmem_cache_free(c, object[i]);
			object[i] = NULL;
		}
	}
	for (uint_t i = 0; i < NPIECES; i++) {
		if (object[i] != NULL)
			kmem_cache_free(c, object[i]);
		object[i] = NULL;
	}
	EXPECT(kmem_cache_inuse(c) == 0, "%u objects are missing", (uint_t)kmem_cache_inuse(c));
	kmem_reap_sync();
	EXPECT(vmem_inuse(kmem_va_arena) == arena_before, "slabs are missing: 0x%lx, 0x%lx before",
	    (ulong_t)vmem_inuse(kmem_va_arena), (ulong_t)arena_before);
	kmem_cache_destroy(c);
	EXPECT(constructed == 0, "%d objects were constructed and not destroyed", constructed);
}

static void
test_kmem_alloc(void)
{
	static const size_t sizes[] = { 1, 15, 16, 17, 100, 2047, 2048, 2049, 4096, 10000, 65536 };
	char *p[NELEM(sizes)];

	for (uint_t i = 0; i < NELEM(sizes); i++) {
		p[i] = kmem_zalloc(sizes[i], KM_SLEEP);
		EXPECT(((uintptr_t)p[i] & 15) == 0 && p[i][0] == 0 && p[i][sizes[i] - 1] == 0, "%u bytes", (uint_t)sizes[i]);
		(void)memset(p[i], (int)i + 1, sizes[i]);
	}
	for (uint_t i = 0; i < NELEM(sizes); i++) {
		EXPECT(p[i][0] == (char)(i + 1) && p[i][sizes[i] - 1] == (char)(i + 1), "%u bytes changed", (uint_t)sizes[i]);
		kmem_free(p[i], sizes[i]);
	}
}

/* Almost all memory there is, in large pieces linked through their first words, and back. (No page table may be refused yet.) */
static void
test_kmem_large(void)
{
	size_t before, n = 0, piece = 16 * PAGESIZE;
	void **list = NULL, **p;

	kmem_reap_sync();
	before = vmem_inuse(kmem_va_arena);
	while (freemem > 512 && (p = kmem_alloc(piece, KM_NOSLEEP)) != NULL) {
		*p = list;
		list = p;
		n++;
	}
	EXPECT(n > 16, "only %u pieces of 64 KiB", (uint_t)n);
	while ((p = list) != NULL) {
		list = *p;
		kmem_free(p, piece);
	}
	kmem_reap_sync();
	EXPECT(vmem_inuse(kmem_va_arena) == before, "0x%lx bytes are missing", (ulong_t)(vmem_inuse(kmem_va_arena) - before));
}

static void
test_peek(void)
{
	uint32_t there = 0x12345678, copy = 0;
	char *nothing = vmem_alloc(heap_arena, PAGESIZE, VM_SLEEP); /* VA with no page */

	EXPECT(peek(&there, &copy, sizeof(copy)) && copy == there, "peek of a variable fails");
	EXPECT(!peek(nothing, &copy, sizeof(copy)), "peek of nothing works");
	EXPECT(!poke(nothing, &copy, sizeof(copy)), "poke of nothing works");
	copy = 0xabcdef01;
	EXPECT(poke(&there, &copy, sizeof(copy)) && there == copy, "poke of a variable fails");
	EXPECT(!peek((void *)(((uintptr_t)1 << (sizeof(uintptr_t) * 8 - 2)) + 0x100), &copy, sizeof(copy)),
	    "peek of an address that cannot exist, or has no page, works");
	vmem_free(heap_arena, nothing, PAGESIZE);
}

static void
jump_back(struct md_jmpbuf *jb, int depth)
{
	if (depth < 0)
		return;
	if (depth == 0)
		md_longjmp(jb, 42);
	jump_back(jb, depth - 1);
	__asm__ volatile("" : : : "memory"); /* not a jump */
}

static void
test_setjmp(void)
{
	struct md_jmpbuf jb;
	volatile int local = 5;
	int value = md_setjmp(&jb);

	if (value == 0) {
		local = 6;
		cli();
		jump_back(&jb, 10);
	}
	EXPECT(value == 42 && local == 6, "md_setjmp returns %d", value);
	EXPECT(intr_enabled(), "md_longjmp leaves interrupts off");
}

/* ------------------------------------------------------------------ threads */

#define NWORKERS 6
#define ROUNDS   2000

static struct {
	kmutex_t lock;
	kcondvar_t cv;
	volatile uint_t counter, turn, inside;
	volatile cpuset_t seen;
	volatile bool stop;
} shared;

static void
run_workers(const char *name, void (*func)(void *), int n)
{
	kthread_t *t[NCPU * 2];

	(void)memset((void *)&shared, 0, sizeof(shared));
	for (int i = 0; i < n; i++)
		t[i] = thread_create(name, func, (void *)(uintptr_t)i);
	for (int i = 0; i < n; i++)
		thread_join(t[i]);
}

/* Two additions with a gap between them: without the lock, numbers get lost. */
static void
mutex_worker(void *arg)
{
	(void)arg;
	for (int i = 0; i < ROUNDS; i++) {
		uint_t n;

		mutex_enter(&shared.lock);
		EXPECT(shared.inside++ == 0, "two threads in one mutex");
		n = shared.counter;
		for (volatile int gap = 0; gap < 20; gap++)
			continue;
		shared.counter = n + 1;
		shared.inside--;
		mutex_exit(&shared.lock);
	}
}

static void
test_mutex(void)
{
	run_workers("mutex", mutex_worker, NWORKERS);
	EXPECT(shared.counter == NWORKERS * ROUNDS, "counter is %u, not %u", shared.counter, NWORKERS * ROUNDS);
	mutex_enter(&shared.lock);
	EXPECT(mutex_owned(&shared.lock) && curthread->t_nlocks == 1, "a held mutex is not on the list");
	thread_drop_locks();
	EXPECT(!mutex_owned(&shared.lock) && curthread->t_nlocks == 0, "thread_drop_locks drops nothing");
}

/* Everybody waits for his turn. */
static void
cv_worker(void *arg)
{
	uint_t me = (uint_t)(uintptr_t)arg;

	for (int i = 0; i < 50; i++) {
		mutex_enter(&shared.lock);
		while (shared.turn % NWORKERS != me)
			cv_wait(&shared.cv, &shared.lock);
		shared.turn++;
		cv_broadcast(&shared.cv);
		mutex_exit(&shared.lock);
	}
}

static void
test_cv(void)
{
	run_workers("cv", cv_worker, NWORKERS);
	EXPECT(shared.turn == NWORKERS * 50, "%u turns, not %u", shared.turn, NWORKERS * 50);
}

/* Never gives up its CPU by itself. */
static void
hog(void *arg)
{
	(void)arg;
	while (!shared.stop)
		shared.counter++;
}

static void
test_preempt(void)
{
	kthread_t *t[NCPU];
	uint64_t start;
	int n = ncpus;

	(void)memset((void *)&shared, 0, sizeof(shared));
	for (int i = 0; i < n; i++)
		t[i] = thread_create("hog", hog, NULL);
	start = lbolt;
	while (shared.counter == 0 && lbolt < start + 20)
		pause();
	EXPECT(shared.counter != 0, "no other thread ran in 20 ticks");
	kpreempt_disable();
	start = lbolt;
	if (n == 1) {
		uint_t before = shared.counter;

		while (lbolt < start + 3)
			pause();
		EXPECT(shared.counter == before, "another thread ran although preemption is off");
	}
	kpreempt_enable();
	shared.stop = true;
	for (int i = 0; i < n; i++)
		thread_join(t[i]);
}

static void
cpu_worker(void *arg)
{
	uint64_t start = lbolt;

	(void)arg;
	while (lbolt < start + 3) {
		kpreempt_disable();
		atomic_or_long(&shared.seen, CPUSET(CPU->cpu_id));
		kpreempt_enable();
	}
}

static void
test_all_cpus(void)
{
	run_workers("cpus", cpu_worker, ncpus * 2);
	EXPECT(shared.seen == CPUSET(ncpus) - 1, "threads ran on CPUs 0x%lx of %d", (ulong_t)shared.seen, ncpus);
}

static void
bound_worker(void *arg)
{
	for (int i = 0; i < 100; i++) {
		EXPECT(CPU->cpu_id == (int)(uintptr_t)arg, "a thread bound to CPU %d runs on another", (int)(uintptr_t)arg);
		thread_yield();
	}
}

static void
test_bound(void)
{
	kthread_t *t[NCPU];
	int n = ncpus;

	for (int i = 0; i < n; i++)
		t[i] = thread_create_on(cpu[i], "bound", bound_worker, (void *)(uintptr_t)i);
	for (int i = 0; i < n; i++)
		thread_join(t[i]);
	EXPECT(CPU->cpu_id == 0, "the boot thread has left its CPU");
}

static void
test_delay(void)
{
	uint64_t start = lbolt;

	thread_delay(3);
	EXPECT(lbolt - start >= 3 && lbolt - start <= 6, "a sleep of 3 ticks took %u", (uint_t)(lbolt - start));
}

/* ------------------------------------------------------------------ cross-calls */

static volatile uint32_t xc_count[NCPU];
static kmutex_t xc_locks[2];

static void
xc_note(uintptr_t a, uintptr_t b)
{
	EXPECT(a == 17 && b == ~(uintptr_t)0, "arguments got lost");
	EXPECT(!intr_enabled(), "interrupts are on in a cross-call");
	atomic_inc_32(&xc_count[CPU->cpu_id]);
}

/* All call all, each with one of two mutexes held that the others want: whoever waits must answer. */
static void
xc_worker(void *arg)
{
	uint_t me = (uint_t)(uintptr_t)arg;

	for (int i = 0; i < 50; i++) {
		mutex_enter(&xc_locks[(me + (uint_t)i) % 2]);
		kpreempt_disable();
		xc_call(~(cpuset_t)0, xc_note, 17, ~(uintptr_t)0);
		kpreempt_enable();
		mutex_exit(&xc_locks[(me + (uint_t)i) % 2]);
	}
}

static void
test_xcall(void)
{
	int n = ncpus;

	(void)memset((void *)xc_count, 0, sizeof(xc_count));
	run_workers("xcall", xc_worker, n);
	for (int i = 0; i < n; i++)
		EXPECT(xc_count[i] == (uint32_t)n * 50, "CPU %d answered %u of %d calls", i, xc_count[i], n * 50);
}

/* While the others are held, the counter that they all drive stands still; afterwards it moves again. */
static void
test_pause(void)
{
	kthread_t *t[NCPU];
	uint_t before;
	int n = ncpus;

	(void)memset((void *)&shared, 0, sizeof(shared));
	for (int i = 1; i < n; i++)
		t[i] = thread_create("hog", hog, NULL);
	thread_delay(2);
	kpreempt_disable();
	xc_pause_others();
	before = shared.counter;
	for (volatile int i = 0; i < 20000; i++)
		continue;
	EXPECT(shared.counter == before, "the other CPUs are not held");
	xc_resume_others();
	kpreempt_enable();
	thread_delay(2);
	EXPECT(n == 1 || shared.counter != before, "the other CPUs do not go on");
	shared.stop = true;
	for (int i = 1; i < n; i++)
		thread_join(t[i]);
}

/* ------------------------------------------------------------------ all of them */

static const struct {
	const char *name;
	void (*func)(void);
} tests[] = {
	{ "printf", test_printf },
	{ "div64", test_div64 },
	{ "string", test_string },
	{ "vmem", test_vmem },
	{ "kmem", test_kmem },
	{ "kmem-alloc", test_kmem_alloc },
	{ "kmem-large", test_kmem_large },
	{ "peek", test_peek },
	{ "setjmp", test_setjmp },
	{ "mutex", test_mutex },
	{ "cv", test_cv },
	{ "preempt", test_preempt },
	{ "all-cpus", test_all_cpus },
	{ "bound", test_bound },
	{ "delay", test_delay },
	{ "xcall", test_xcall },
	{ "pause", test_pause },
};

void
kern_selftest(void)
{
	crash_wanted();
	if (selftest == 0)
		return;
	for (uint_t i = 0; i < NELEM(tests); i++) {
		failure.line = 0;
		record("%%check-begin name=kern-%s unit=- copy=ref\n", tests[i].name);
		tests[i].func();
		if (failure.line == 0)
			record("%%check-end name=kern-%s result=ok at=-\n", tests[i].name);
		else
			record("%%check-end name=kern-%s result=wrong at=%s:%d text=%s\n", tests[i].name, __FILE__, failure.line,
			    failure.text);
	}
}

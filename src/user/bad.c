/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief One misdeed, named by the argument. Whoever comes back from it says so; "pointers" is expected to.
 */
#include <user.h>
#include <sys/syscall.h>

static volatile uint32_t word;
static const uint32_t constant = 1;
static volatile uintptr_t low = 16;
static uint8_t code[16] = { 0xc3 }; /* ret */

/* The end is too far away for any stack; nobody but the compiler believes in it. */
static uint32_t NOINLINE
overflow(uint32_t n)
{
	volatile uint32_t frame[256];

	frame[0] = n;
	return (n == 1000000 ? 0 : overflow(n + 1) + frame[0]);
}

static void
call(uintptr_t va)
{
	((void (*)(void))va)();
}

static void
unmapped(void)
{
	volatile char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE);

	p[4096] = 1;
	(void)munmap((void *)(p + 4096), 4096);
	p[0] = 1;
	p[4096] = 1;
}

static void protected(void)
{
	volatile char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE);

	p[0] = 1;
	(void)mprotect((void *)p, 4096, PROT_NONE);
	word = (uint32_t)p[0];
}

static void
spin(uintptr_t arg)
{
	for (;;)
		word += (uint32_t)arg;
}

/* The whole process ends, whichever of its threads is the bad one. */
static void
company(void)
{
	must("bad", thread(spin, 1) == 0);
	must("bad", thread(spin, 2) == 0);
	yield();
	*(volatile uint32_t *)KERNEL_ADDRESS = 1;
}

/* The kernel refuses, and nobody dies. */
static void
pointers(void)
{
	static const uintptr_t at[] = { KERNEL_ADDRESS, HOLE_ADDRESS, 0, 16, ~0ul, ~0ul - 2 };

	for (unsigned i = 0; i < NELEM(at); i++) {
		must("bad", write((void *)at[i], 100) == -1);
		must("bad", write((void *)at[i], ~0ul) == -1);
		must("bad", exec((const char *)at[i], "x") == -1);
		must("bad", exec("bad", (const char *)(at[i] == 0 ? 16 : at[i])) == -1);
		must("bad", mmap((void *)(at[i] & ~4095ul), at[i] == 0 || at[i] == 16 ? 0 : 4096, PROT_READ) == MAP_FAILED);
		must("bad", mmap((void *)0x10000000, ~0ul & ~4095ul, PROT_READ) == MAP_FAILED);
		must("bad", munmap((void *)(at[i] | 1), 4096) == -1);
		must("bad", mprotect((void *)(at[i] & ~4095ul), 4096, PROT_READ) == -1);
	}
	must("bad", mmap((void *)0x10000001, 4096, PROT_READ) == MAP_FAILED);
	must("bad", mmap((void *)(HOLE_ADDRESS - 4096), 8192, PROT_READ) == MAP_FAILED);
	must("bad", mmap((void *)NO_CODE_ADDRESS, 4096, PROT_READ | PROT_EXEC) == MAP_FAILED);
	must("bad", write((const void *)&constant, 1) == 1);
	if (fork() == 0)
		exit(3);
	must("bad", wait((int *)&constant) == -1); /* its constants are not writable for the kernel either */
	must("bad", syscall(0, 0, 0, 0) == -1 && syscall(99, 1, 2, 3) == -1 && syscall(-1, 1, 2, 3) == -1);
	done("bad", 0);
}

int
main(const char *arg)
{
	unsigned long flags;

	if (strcmp(arg, "pointers") == 0)
		pointers();
	else if (strcmp(arg, "kread") == 0)
		word = *(volatile uint32_t *)KERNEL_ADDRESS;
	else if (strcmp(arg, "kwrite") == 0)
		*(volatile uint32_t *)KERNEL_ADDRESS = 1;
	else if (strcmp(arg, "kjump") == 0)
		call(KERNEL_ADDRESS);
	else if (strcmp(arg, "hole") == 0)
		call(HOLE_ADDRESS);
	else if (strcmp(arg, "stack") == 0)
		word = overflow(1);
	else if (strcmp(arg, "nx") == 0)
		call((uintptr_t)code);
	else if (strcmp(arg, "null") == 0)
		word = *(volatile uint32_t *)low;
	else if (strcmp(arg, "text") == 0)
		*(volatile uint32_t *)(uintptr_t)main = 1;
	else if (strcmp(arg, "constant") == 0)
		*(volatile uint32_t *)(uintptr_t)&constant = 2;
	else if (strcmp(arg, "company") == 0)
		company();
	else if (strcmp(arg, "unmapped") == 0)
		unmapped();
	else if (strcmp(arg, "protected") == 0)
	protected();
	else if (strcmp(arg, "cli") == 0) __asm__ volatile("cli");
	else if (strcmp(arg, "port") == 0) __asm__ volatile("outb %%al, $0xe9" : : "a"('%'));
	else if (strcmp(arg, "undefined") == 0) __asm__ volatile("ud2");
	else if (strcmp(arg, "divide") == 0) word = 7 / word;
	else if (strcmp(arg, "breakpoint") == 0) __asm__ volatile("int3");
	else if (strcmp(arg, "gate") == 0) __asm__ volatile("int $0xe0");
	else if (strcmp(arg, "step") == 0) __asm__ volatile("pushf; pop %0; or $0x100, %0; push %0; popf; nop"
							    : "=&r"(flags)
							    :
							    : "memory", "cc");
	print("bad: %s: still here\n", arg);
	return (9);
}

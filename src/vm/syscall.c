/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief What programs may ask for: user_trap(), called for every trap from ring 3 that is not a page fault.
 *
 * Nothing that a program hands over is believed. An address is used only after as_range_ok(), and then only through peek() and
 * poke(): what lies there is found out by the same fault that the program itself would take.
 */
#include <kern/hat_hooks.h>
#include <kern/panic_impl.h>
#include <sys/md_user.h>
#include <sys/peek.h>
#include <sys/printf.h>
#include <sys/string.h>
#include <sys/syscall.h>
#include <sys/thread.h>
#include <vm/as.h>
#include <vm/process.h>
#include <x86/vectors.h>

#define WRITE_CHUNK 120u /* a longer line is broken */
#define MMAP_FROM   0x10000000ul

static bool
user_read(uintptr_t va, void *buf, size_t n)
{
	return (as_range_ok(proc_current()->p_as, va, n) && peek((const void *)va, buf, n));
}

static bool
user_write(uintptr_t va, const void *buf, size_t n)
{
	return (as_range_ok(proc_current()->p_as, va, n) && poke((void *)va, buf, n));
}

/* A string that ends within size bytes. */
static bool
user_string(uintptr_t va, char *buf, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (!user_read(va + i, &buf[i], 1))
			return (false);
		if (buf[i] == '\0')
			return (true);
	}
	return (false);
}

/* One line; whatever is not text becomes a question mark, so that no program can speak for the kernel. */
static void
write_line(char *s, size_t n)
{
	const struct process *p = proc_current();

	for (size_t i = 0; i < n; i++)
		if (s[i] < ' ' || s[i] > '~')
			s[i] = '?';
	printf("[%u %s] %.*s\n", p->p_pid, p->p_name, (int)n, s);
}

static intptr_t
sys_write(uintptr_t va, size_t len)
{
	char buf[WRITE_CHUNK];
	size_t done = 0;

	while (done < len) {
		size_t n = MIN(len - done, sizeof(buf)), line = 0;

		if (!user_read(va + done, buf, n))
			return (-1);
		while (line < n && buf[line] != '\n')
			line++;
		write_line(buf, line);
		done += line + (line < n);
	}
	return ((intptr_t)done);
}

static intptr_t
sys_wait(uintptr_t va)
{
	int status = 0, pid = proc_wait(&status);

	if (pid > 0 && va != 0 && !user_write(va, &status, sizeof(status)))
		return (-1);
	return (pid);
}

static intptr_t
sys_exec(struct trapframe *tf, uintptr_t name_va, uintptr_t arg_va)
{
	char name[EXEC_ARGMAX], arg[EXEC_ARGMAX] = "";

	if (!user_string(name_va, name, sizeof(name)) || (arg_va != 0 && !user_string(arg_va, arg, sizeof(arg))))
		return (-1);
	return (proc_exec(tf, name, arg));
}

static intptr_t
sys_mmap(uintptr_t va, size_t len, uint_t prot)
{
	struct as *as = proc_current()->p_as;

	if (va == 0)
		va = as_find_free(as, MMAP_FROM, len);
	if (va == 0 || as_map(as, va, len, prot, NULL, 0, 0) != AS_OK)
		return (-1);
	return ((intptr_t)va);
}

/* For exec the result is in the new program's frame already, unless it failed. */
static void
syscall(struct trapframe *tf)
{
	struct as *as = proc_current()->p_as;
	uintptr_t arg[3], number = md_syscall_args(tf, arg);
	intptr_t r = -1;

	switch (number) {
	case SYS_EXIT:
		proc_exit((int)(arg[0] & 0xff));
	case SYS_FORK:
		r = proc_fork(tf);
		break;
	case SYS_WRITE:
		r = sys_write(arg[0], arg[1]);
		break;
	case SYS_WAIT:
		r = sys_wait(arg[0]);
		break;
	case SYS_EXEC:
		if (sys_exec(tf, arg[0], arg[1]) == 0)
			return;
		break;
	case SYS_GETPID:
		r = (intptr_t)proc_current()->p_pid;
		break;
	case SYS_YIELD:
		thread_yield();
		r = 0;
		break;
	case SYS_MMAP:
		r = sys_mmap(arg[0], arg[1], (uint_t)arg[2]);
		break;
	case SYS_MUNMAP:
		r = as_unmap(as, arg[0], arg[1]) == AS_OK ? 0 : -1;
		break;
	case SYS_MPROTECT:
		r = as_setprot(as, arg[0], arg[1], (uint_t)arg[2]) == AS_OK ? 0 : -1;
		break;
	case SYS_THREAD:
		r = proc_new_thread(arg[0], arg[1]);
		break;
	case SYS_ENDTHREAD:
		proc_end_thread();
	}
	md_syscall_result(tf, r);
}

bool
user_trap(struct trapframe *tf)
{
	if (proc_current() == NULL)
		return (false);
	if (tf->tf_trapno == VEC_SYSCALL)
		syscall(tf);
	else
		proc_kill(tf, "%s (vector %u, error code 0x%x)", trap_name((uint_t)tf->tf_trapno), (uint_t)tf->tf_trapno,
		    (uint_t)tf->tf_error);
	return (true);
}

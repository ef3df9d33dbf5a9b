/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Processes.
 *
 * A process lives on its kernel threads' stacks: a thread goes to ring 3 and comes back by traps, which start at the top of
 * that stack again. Each thread that leaves first leaves the process's tables (hat_setup(NULL)); the last one destroys the
 * space and says so under proc_lock; the parent joins the threads and frees the rest. Children of the dead become the
 * kernel's. Threads of a dying process leave when they are about to return to ring 3 (user_return()).
 */
#include <kern/hat_hooks.h>
#include <sys/debug.h>
#include <sys/kmem.h>
#include <sys/md_user.h>
#include <sys/mutex.h>
#include <sys/printf.h>
#include <sys/string.h>
#include <sys/syscall.h>
#include <sys/thread.h>
#include <vm/as.h>
#include <vm/elf.h>
#include <vm/image.h>
#include <vm/process.h>
#include <x86/cpufunc.h>

#define STACK_SIZE (2u << 20) /* reserved; pages come when they are touched */
#define STACK_GAP  PAGESIZE   /* the program's last page stays empty: nothing of it ends where the kernel begins */

static kmutex_t proc_lock;
static kcondvar_t proc_cv; /* somebody has ended */
static struct process *procs;
static uint_t nprocs, last_pid;

struct process *
proc_current(void)
{
	return (curthread->t_proc);
}

/* ------------------------------------------------------------------ the list */

/* NULL: there are too many. */
static struct process *
proc_new(struct process *parent, const char *name)
{
	struct process *p = kmem_zalloc(sizeof(*p), KM_SLEEP);

	strlcpy(p->p_name, name, sizeof(p->p_name));
	mutex_enter(&proc_lock);
	if (nprocs >= PROC_MAX) {
		mutex_exit(&proc_lock);
		kmem_free(p, sizeof(*p));
		return (NULL);
	}
	nprocs++;
	p->p_pid = ++last_pid;
	p->p_parent = parent;
	p->p_next = procs;
	procs = p;
	mutex_exit(&proc_lock);
	return (p);
}

/* proc_lock held. */
static void
proc_unlink(struct process *p)
{
	struct process **pp = &procs;

	while (*pp != p)
		pp = &(*pp)->p_next;
	*pp = p->p_next;
	nprocs--;
}

static void
proc_discard(struct process *p)
{
	mutex_enter(&proc_lock);
	proc_unlink(p);
	mutex_exit(&proc_lock);
	kmem_free(p, sizeof(*p));
}

uint_t
proc_count(void)
{
	return (nprocs);
}

void
proc_for_each_as(void (*fn)(struct as *))
{
	mutex_enter(&proc_lock);
	for (struct process *p = procs; p != NULL; p = p->p_next)
		if (p->p_as != NULL)
			fn(p->p_as);
	mutex_exit(&proc_lock);
}

/* The new space becomes visible to others, or the old one is taken from their sight. */
static void
set_as(struct process *p, struct as *as)
{
	mutex_enter(&proc_lock);
	p->p_as = as;
	mutex_exit(&proc_lock);
}

/* ------------------------------------------------------------------ programs */

/* At the top of the stack: the argument's text, and below it a word with its address, where the stack pointer points. */
static const char *
push_argument(struct as *as, uintptr_t top, const char *arg, uintptr_t *sp)
{
	size_t word = as->a_32bit ? 4 : 8;
	uintptr_t text = (top - EXEC_ARGMAX) & ~(uintptr_t)15, at = text - 16;
	as_result_t r = as_write(as, text, arg, strlen(arg) + 1);

	if (r == AS_OK)
		r = as_write(as, at, &text, word); /* little-endian: the low part comes first */
	*sp = at;
	return (r == AS_OK ? NULL : as_result_text(r));
}

static const char *
make_stack(struct as *as, const char *arg, uintptr_t *sp)
{
	uintptr_t top = as_limit(as) - STACK_GAP;
	as_result_t r = as_map(as, top - STACK_SIZE, STACK_SIZE, PROT_READ | PROT_WRITE, NULL, 0, 0);

	return (r == AS_OK ? push_argument(as, top, arg, sp) : "a segment lies where the stack has to be");
}

/* A space with the program in it, or NULL and why not. */
static struct as *
load_program(const struct image *im, const char *arg, uintptr_t *pc, uintptr_t *sp, const char **wrong)
{
	struct elf_program *ep;
	struct as *as;
	bool is32;

	*wrong = elf_width(im, &is32);
	if (*wrong != NULL)
		return (NULL);
	ep = kmem_alloc(sizeof(*ep), KM_SLEEP);
	as = as_alloc(is32);
	*wrong = elf_read(im, as, ep);
	if (*wrong == NULL)
		*wrong = elf_map(im, as, ep);
	if (*wrong == NULL)
		*wrong = make_stack(as, arg, sp);
	*pc = ep->ep_entry;
	kmem_free(ep, sizeof(*ep));
	if (*wrong == NULL)
		return (as);
	as_free(as);
	return (NULL);
}

/** What a new thread needs to know. */
struct start {
	struct process *st_proc;
	struct trapframe st_frame;
};

/* First code of a process's thread. */
static void
proc_start(void *arg)
{
	struct start st = *(struct start *)arg;

	kmem_free(arg, sizeof(st));
	curthread->t_proc = st.st_proc;
	hat_setup(st.st_proc->p_as->a_hat);
	md_user_return(&st.st_frame);
}

/* One more thread. The lock makes the parent's view whole before the child can end. NULL space: as before. */
static bool
proc_run(struct process *p, struct as *as, const struct trapframe *tf)
{
	struct start *st = kmem_alloc(sizeof(*st), KM_SLEEP);
	bool room;

	*st = (struct start){ p, *tf };
	mutex_enter(&proc_lock);
	room = p->p_nmade < PROC_THREADS && !p->p_dying;
	if (room) {
		if (as != NULL)
			p->p_as = as;
		p->p_nthreads++;
		p->p_thread[p->p_nmade++] = thread_create(p->p_name, proc_start, st);
	}
	mutex_exit(&proc_lock);
	if (!room)
		kmem_free(st, sizeof(*st));
	return (room);
}

struct process *
proc_create(const struct image *im, const char *arg)
{
	struct process *p = proc_new(NULL, im->im_name);
	struct trapframe tf;
	uintptr_t pc, sp;
	const char *wrong;
	struct as *as;

	if (p == NULL) {
		printf("%s: too many processes\n", im->im_name);
		return (NULL);
	}
	as = load_program(im, arg, &pc, &sp, &wrong);
	if (as == NULL) {
		printf("%s: cannot be run: %s\n", im->im_name, wrong);
		proc_discard(p);
		return (NULL);
	}
	md_user_frame_for(&tf, pc, sp, as->a_32bit);
	(void)proc_run(p, as, &tf);
	return (p);
}

int
proc_exec(struct trapframe *tf, const char *name, const char *arg)
{
	struct process *p = proc_current();
	const struct image *im = image_find(name);
	const char *wrong;
	struct as *as, *old = p->p_as;
	uintptr_t pc, sp;

	if (im == NULL || p->p_nthreads > 1)
		return (-1);
	as = load_program(im, arg, &pc, &sp, &wrong);
	if (as == NULL) {
		printf("process %u (%s): %s: cannot be run: %s\n", p->p_pid, p->p_name, name, wrong);
		return (-1);
	}
	strlcpy(p->p_name, im->im_name, sizeof(p->p_name));
	md_user_frame_for(tf, pc, sp, as->a_32bit);
	set_as(p, as);
	hat_setup(as->a_hat);
	as_free(old);
	return (0);
}

int
proc_fork(const struct trapframe *tf)
{
	struct process *me = proc_current(), *p = proc_new(me, me->p_name);
	struct trapframe child = *tf;
	int pid;

	if (p == NULL)
		return (-1);
	pid = (int)p->p_pid;
	md_syscall_result(&child, 0);
	(void)proc_run(p, as_dup(me->p_as), &child);
	return (pid);
}

int
proc_new_thread(uintptr_t pc, uintptr_t sp)
{
	struct process *p = proc_current();
	struct trapframe tf;

	md_user_frame_for(&tf, pc, sp, p->p_as->a_32bit);
	return (as_range_ok(p->p_as, pc, 1) && proc_run(p, NULL, &tf) ? 0 : -1);
}

/* ------------------------------------------------------------------ the end */

/* Nobody is left who could use the space. */
static void
proc_finish(struct process *p, struct as *as)
{
	as_free(as);
	mutex_enter(&proc_lock);
	for (struct process *c = procs; c != NULL; c = c->p_next)
		if (c->p_parent == p)
			c->p_parent = NULL;
	p->p_ended = true;
	cv_broadcast(&proc_cv);
	mutex_exit(&proc_lock);
}

void
proc_end_thread(void)
{
	struct process *p = proc_current();
	struct as *as = NULL;

	hat_setup(NULL);
	mutex_enter(&proc_lock);
	if (--p->p_nthreads == 0) {
		as = p->p_as;
		p->p_as = NULL;
	}
	mutex_exit(&proc_lock);
	curthread->t_proc = NULL;
	if (as != NULL)
		proc_finish(p, as);
	thread_exit();
}

/* The first to say why decides. */
static bool
begin_dying(struct process *p, int status, const char *why)
{
	bool first;

	mutex_enter(&proc_lock);
	first = !p->p_dying;
	if (first) {
		p->p_status = status;
		strlcpy(p->p_why, why, sizeof(p->p_why));
		p->p_dying = true;
		cv_broadcast(&proc_cv); /* threads that wait for children leave too */
	}
	mutex_exit(&proc_lock);
	return (first);
}

void
proc_exit(int status)
{
	(void)begin_dying(proc_current(), status, "");
	proc_end_thread();
}

void
proc_kill(const struct trapframe *tf, const char *fmt, ...)
{
	struct process *p = proc_current();
	char why[sizeof(p->p_why)];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	if (begin_dying(p, EXIT_KILLED + (int)tf->tf_trapno, why))
		printf("process %u (%s) killed at 0x%lx: %s\n", p->p_pid, p->p_name, (ulong_t)tf_pc(tf), why);
	proc_end_thread();
}

void
user_return(struct trapframe *tf)
{
	struct process *p = proc_current();

	(void)tf;
	if (p == NULL || !p->p_dying)
		return;
	sti();
	proc_end_thread();
}

/* An ended child of this parent, off the list; NULL: none has ended (*any: is there one at all?). proc_lock held. */
static struct process *
take_ended(const struct process *parent, bool *any)
{
	*any = false;
	for (struct process *p = procs; p != NULL; p = p->p_next) {
		if (p->p_parent != parent)
			continue;
		*any = true;
		if (p->p_ended) {
			proc_unlink(p);
			return (p);
		}
	}
	return (NULL);
}

static struct process *
wait_for_child(const struct process *parent)
{
	struct process *p;
	bool any;

	mutex_enter(&proc_lock);
	while ((p = take_ended(parent, &any)) == NULL && any && (parent == NULL || !parent->p_dying))
		cv_wait(&proc_cv, &proc_lock);
	mutex_exit(&proc_lock);
	for (uint_t i = 0; p != NULL && i < p->p_nmade; i++)
		thread_join(p->p_thread[i]);
	return (p);
}

int
proc_wait(int *status)
{
	struct process *p = wait_for_child(proc_current());
	int pid;

	if (p == NULL)
		return (-1);
	pid = (int)p->p_pid;
	*status = p->p_status;
	kmem_free(p, sizeof(*p));
	return (pid);
}

uint_t
proc_wait_kernel(struct process *out)
{
	struct process *p = wait_for_child(NULL);

	if (p == NULL)
		return (0);
	*out = *p;
	kmem_free(p, sizeof(*p));
	return (out->p_pid);
}

/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Function names and backtraces.
 *
 * The table is made by tools/symtab.awk from a first link and is empty in that one. It lies in .rodata behind the text, so it
 * moves no function.
 */
#include <sys/cpu.h>
#include <sys/peek.h>
#include <sys/printf.h>
#include <sys/string.h>
#include <sys/symbols.h>

#define MAX_FRAMES 32

/* Sorted by address: offsets from symtab_base, and where in symtab_names the name starts. One extra entry ends the text. */
extern const uint64_t symtab_base;
extern const uint32_t symtab_count;
extern const uint32_t symtab_offsets[];
extern const uint32_t symtab_places[];
extern const char symtab_names[];

extern const char trap_return[], trap_return_ask[]; /* trap.S: where trap() returns to */

const char *
symbol_find(uintptr_t pc, uintptr_t *offset)
{
	uint32_t low = 0, high = symtab_count;
	uintptr_t off = pc - (uintptr_t)symtab_base;

	if (symtab_count == 0 || pc < (uintptr_t)symtab_base || off >= symtab_offsets[symtab_count])
		return (NULL);
	while (high - low > 1) {
		uint32_t mid = (low + high) / 2;

		if (symtab_offsets[mid] <= off)
			low = mid;
		else
			high = mid;
	}
	if (offset != NULL)
		*offset = off - symtab_offsets[low];
	return (symtab_names + symtab_places[low]);
}

const char *
symbol_name(uint32_t n)
{
	return (n < symtab_count ? symtab_names + symtab_places[n] : NULL);
}

bool
symbol_value(const char *name, uintptr_t *va)
{
	for (uint32_t n = 0; n < symtab_count; n++) {
		if (strcmp(symbol_name(n), name) == 0) {
			*va = (uintptr_t)symtab_base + symtab_offsets[n];
			return (true);
		}
	}
	return (false);
}

void
symbol_format(char *buf, size_t size, uintptr_t pc)
{
	uintptr_t off;
	const char *name = symbol_find(pc, &off);

	if (name != NULL)
		(void)snprintf(buf, size, "%s+0x%lx", name, (ulong_t)off);
	else
		(void)snprintf(buf, size, "0x%lx", (ulong_t)pc);
}

/* `back` is 1 for a return address: it points behind the call, perhaps into the next function, and the call is what we name. */
static void
print_frame(int n, uintptr_t pc, int back)
{
	uintptr_t off;
	const char *name = symbol_find(pc - back, &off);

	printf("  #%d 0x%0*lx ", n, (int)sizeof(pc) * 2, (ulong_t)pc);
	if (name != NULL)
		printf("%s+0x%lx\n", name, (ulong_t)off + back);
	else
		printf("?\n");
}

static bool
is_trap_return(uintptr_t pc)
{
	return (pc == (uintptr_t)trap_return || pc == (uintptr_t)trap_return_ask);
}

/*
 * A frame is two words: the caller's frame pointer and the return address. The frame of trap() returns into trap_return; the
 * interrupted function has no frame of its own in the chain, its place is told by the trapframe.
 */
void
backtrace(uintptr_t pc, uintptr_t fp)
{
	uintptr_t frame[2];
	struct trapframe tf;
	int n = 0;

	if (pc != 0)
		print_frame(n++, pc, 0);
	while (n < MAX_FRAMES && fp != 0 && fp % sizeof(fp) == 0 && peek((void *)fp, frame, sizeof(frame))) {
		if (frame[1] == 0)
			break;
		if (is_trap_return(frame[1])) {
			if (!peek(md_frame_trap(fp), &tf, sizeof(tf)))
				break;
			print_frame(n++, tf_pc(&tf), 0);
			if (tf_user(&tf))
				break;
			frame[0] = tf_fp(&tf); /* perhaps on another stack */
		} else {
			print_frame(n++, frame[1], 1);
			if (frame[0] <= fp)
				break;
		}
		fp = frame[0];
	}
}

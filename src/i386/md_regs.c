/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief A trapframe in print (32-bit).
 */
#include <sys/md.h>
#include <sys/printf.h>

void
md_dump_regs(const struct trapframe *tf)
{
	printf("  eax %08x ebx %08x ecx %08x edx %08x\n", tf->tf_eax, tf->tf_ebx, tf->tf_ecx, tf->tf_edx);
	printf("  esi %08x edi %08x ebp %08x esp %08lx\n", tf->tf_esi, tf->tf_edi, tf->tf_ebp, (ulong_t)tf_sp(tf));
	printf("  eip %08x cs %04x eflags %08x\n", tf->tf_eip, tf->tf_cs, tf->tf_eflags);
	printf("  ds %04x es %04x fs %04x gs %04x\n", tf->tf_ds & 0xffff, tf->tf_es & 0xffff, tf->tf_fs & 0xffff,
	    tf->tf_gs & 0xffff); /* pushing a selector leaves the upper half as it was */
}

/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief What differs between the host's two widths, for files of either side.
 */
#ifndef HOST_WIDTH_H
#define HOST_WIDTH_H

#define CONTEXT_PC  REG_EIP /**< index of the instruction pointer in a signal's ucontext_t */
#define STACK_SAVED 4       /**< registers that stack_switch() pops before it returns */

/** Jump to the chosen one of a function's copies (mutants.h). */
#define MUTANT_JUMP(name) "movl mutant_chosen, %eax; jmp *" #name "__all(, %eax, 4)"

#endif

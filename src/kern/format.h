/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The formatter behind printf() and its kin.
 */
#ifndef KERN_FORMAT_H
#define KERN_FORMAT_H

#include <sys/printf.h>

/**
 * Format, handing the text to a sink piece by piece.
 *
 * @param put  called as put(arg, text, bytes)
 * @param arg  handed to it
 * @param fmt  as printf()'s
 * @param ap   its arguments; left as they were
 * @return     bytes in all
 * @locks      None.
 */
int format(void (*put)(void *, const char *, size_t), void *arg, const char *fmt, va_list ap);

#endif

/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Printing, last words, numbers, memory.
 */
#include <user.h>

#define LINE 120

struct line {
	char text[LINE];
	size_t n;
};

static void
put(struct line *l, char c)
{
	if (l->n < LINE)
		l->text[l->n++] = c;
}

static void
put_string(struct line *l, const char *s)
{
	while (*s != '\0')
		put(l, *s++);
}

static void
put_number(struct line *l, unsigned long v, unsigned base)
{
	char digits[24];
	int n = 0;

	do {
		digits[n++] = "0123456789abcdef"[v % base];
		v /= base;
	} while (v != 0);
	while (n > 0)
		put(l, digits[--n]);
}

static void
put_signed(struct line *l, long v)
{
	if (v < 0)
		put(l, '-');
	put_number(l, v < 0 ? -(unsigned long)v : (unsigned long)v, 10);
}

void
print(const char *fmt, ...)
{
	struct line l = { .n = 0 };
	__builtin_va_list ap;

	__builtin_va_start(ap, fmt);
	for (; *fmt != '\0'; fmt++) {
		bool wide = fmt[0] == '%' && fmt[1] == 'l';

		if (*fmt != '%') {
			put(&l, *fmt);
			continue;
		}
		fmt += wide ? 2 : 1;
		if (*fmt == 's')
			put_string(&l, __builtin_va_arg(ap, const char *));
		else if (*fmt == 'c')
			put(&l, (char)__builtin_va_arg(ap, int));
		else if (*fmt == 'd')
			put_signed(&l, wide ? __builtin_va_arg(ap, long) : __builtin_va_arg(ap, int));
		else
			put_number(
			    &l, wide ? __builtin_va_arg(ap, unsigned long) : __builtin_va_arg(ap, unsigned), *fmt == 'x' ? 16 : 10);
	}
	__builtin_va_end(ap);
	(void)write(l.text, l.n);
}

void
done(const char *name, uint32_t value)
{
	print("%s: ok %u\n", name, value);
	exit(0);
}

void
wrong(const char *name, const char *what, int line)
{
	print("%s: wrong: line %d: not %s\n", name, line, what);
	exit(1);
}

uint32_t
next(uint32_t *state)
{
	return (*state = *state * 1664525u + 1013904223u);
}

void *
memset(void *p, int c, size_t n)
{
	volatile char *to = p;

	while (n-- > 0)
		*to++ = (char)c;
	return (p);
}

void *
memcpy(void *to, const void *from, size_t n)
{
	volatile char *t = to;
	const char *f = from;

	while (n-- > 0)
		*t++ = *f++;
	return (to);
}

size_t
strlen(const char *s)
{
	size_t n = 0;

	while (s[n] != '\0')
		n++;
	return (n);
}

int
strcmp(const char *a, const char *b)
{
	while (*a != '\0' && *a == *b)
		a++, b++;
	return ((uint8_t)*a - (uint8_t)*b);
}

/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Memory and string functions; the compiler may call the first four on its own.
 *
 * Copies are `rep` instructions: a loop in C would be recognised by the compiler and replaced by a call to itself.
 */
#include <sys/md.h>
#include <sys/string.h>

void *
memset(void *dst, int c, size_t n)
{
	ulong_t word = (ulong_t)(uint8_t)c * (~0ul / 255); /* the byte in every place */
	size_t words = n / sizeof(word), rest = n % sizeof(word);
	void *p = dst;

	__asm__ volatile("cld; rep " MD_STOS : "+D"(p), "+c"(words) : "a"(word) : "memory");
	__asm__ volatile("rep stosb" : "+D"(p), "+c"(rest) : "a"(word) : "memory");
	return (dst);
}

void *
memcpy(void *dst, const void *src, size_t n)
{
	size_t words = n / sizeof(ulong_t), rest = n % sizeof(ulong_t);
	void *p = dst;

	__asm__ volatile("cld; rep " MD_MOVS : "+D"(p), "+S"(src), "+c"(words) : : "memory");
	__asm__ volatile("rep movsb" : "+D"(p), "+S"(src), "+c"(rest) : : "memory");
	return (dst);
}

/* Forward is right unless dst lies inside src: then backwards, from the last byte. */
void *
memmove(void *dst, const void *src, size_t n)
{
	char *p = (char *)dst + n - 1;
	const char *q = (const char *)src + n - 1;

	if ((uintptr_t)dst - (uintptr_t)src >= n)
		return (memcpy(dst, src, n));
	__asm__ volatile("std; rep movsb; cld" : "+D"(p), "+S"(q), "+c"(n) : : "memory");
	return (dst);
}

int
memcmp(const void *a, const void *b, size_t n)
{
	const uint8_t *p = a, *q = b;

	for (; n > 0; n--, p++, q++) {
		if (*p != *q)
			return (*p - *q);
	}
	return (0);
}

size_t
strlen(const char *s)
{
	const char *p = s;

	while (*p != '\0') {
		p++;
		__asm__ volatile("" : "+r"(p)); /* not to be recognised as strlen() */
	}
	return ((size_t)(p - s));
}

int
strcmp(const char *a, const char *b)
{
	while (*a != '\0' && *a == *b)
		a++, b++;
	return ((uint8_t)*a - (uint8_t)*b);
}

int
strncmp(const char *a, const char *b, size_t n)
{
	for (; n > 0; n--, a++, b++) {
		if (*a != *b || *a == '\0')
			return ((uint8_t)*a - (uint8_t)*b);
	}
	return (0);
}

char *
strchr(const char *s, int c)
{
	for (; *s != (char)c; s++) {
		if (*s == '\0')
			return (NULL);
	}
	return ((char *)(uintptr_t)s);
}

void
strlcpy(char *dst, const char *src, size_t size)
{
	if (size == 0)
		return;
	while (--size > 0 && *src != '\0')
		*dst++ = *src++;
	*dst = '\0';
}

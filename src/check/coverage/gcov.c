/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The counters that gcc has put into the counted files, told as text; src/tools/coverage.py makes files of them that
 * gcov reads.
 *
 * libgcov cannot be linked: it wants a C library, a red zone and SSE. What is needed of it is one structure that a
 * compiler of version 12 or later fills in (its gcov-io.h calls it gcov_info), and an unused function.
 *
 *     gcov file VERSION STAMP CHECKSUM NAME.gcda      then for each of its functions:
 *     gcov func IDENT LINENO_CHECKSUM CFG_CHECKSUM N  then its N counters, in lines of at most eight:
 *     gcov arcs HEX ...
 */
#include <check/coverage.h>
#include <sys/printf.h>
#include <sys/types.h>

#if !defined(__GNUC__) || defined(__clang__) || __GNUC__ < 12
#	error "COVERAGE=1 needs gcc 12 or later"
#endif

/* Kinds of counters that the compiler knows; only the first, arcs, is in use here. */
#define NKINDS (__GNUC__ < 14 ? 8 : __GNUC__ < 15 ? 9 : 10)

struct gcov_counters {
	uint32_t num;
	const volatile int64_t *values;
};

struct gcov_function {
	const struct gcov_file *key; /* other than the file: another copy of an inline function counts */
	uint32_t ident, lineno_checksum, cfg_checksum;
	struct gcov_counters arcs;
};

struct gcov_file {
	uint32_t version;
	struct gcov_file *next;
	uint32_t stamp, checksum;
	const char *name;
	void (*merge[NKINDS])(int64_t *, uint32_t);
	uint32_t nfuncs;
	const struct gcov_function *const *funcs;
};

extern const struct gcov_file *const __start_gcov_info[], *const __stop_gcov_info[];

void __gcov_merge_add(int64_t *counters, uint32_t n);

/** Its address is in every gcov_info. */
void
__gcov_merge_add(int64_t *counters, uint32_t n)
{
	(void)counters;
	(void)n;
}

static void
tell_arcs(const struct gcov_counters *c)
{
	char line[160];

	for (uint32_t i = 0; i < c->num; i += 8) {
		int len = 0;

		for (uint32_t k = i; k < c->num && k < i + 8; k++)
			len += snprintf(line + len, sizeof(line) - (size_t)len, " %llx", (unsigned long long)c->values[k]);
		record("gcov arcs%s\n", line);
	}
}

static void
tell_function(const struct gcov_function *f)
{
	record("gcov func %x %x %x %u\n", f->ident, f->lineno_checksum, f->cfg_checksum, f->arcs.num);
	tell_arcs(&f->arcs);
}

void
coverage_tell(void)
{
	for (const struct gcov_file *const *p = __start_gcov_info; p < __stop_gcov_info; p++) {
		record("gcov file %x %x %x %s\n", (*p)->version, (*p)->stamp, (*p)->checksum, (*p)->name);
		for (uint32_t i = 0; i < (*p)->nfuncs; i++)
			if ((*p)->funcs[i] != NULL && (*p)->funcs[i]->key == *p)
				tell_function((*p)->funcs[i]);
	}
}

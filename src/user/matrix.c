/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief A matrix product whose three matrices are as far from each other as addresses can be.
 */
#include <user.h>

#define N 48

typedef uint32_t matrix[N][N];

static matrix *
region(uintptr_t va)
{
	void *p = mmap((void *)va, ROUNDUP(sizeof(matrix), 4096ul), PROT_READ | PROT_WRITE);

	must("matrix", p == (void *)va);
	return (p);
}

static void
fill(matrix *m, uint32_t seed)
{
	for (int i = 0; i < N; i++)
		for (int j = 0; j < N; j++)
			(*m)[i][j] = next(&seed);
}

int
main(const char *arg)
{
	matrix *a = region(FAR_1), *b = region(FAR_2), *c = region(FAR_3);
	uint32_t sum = 0;

	(void)arg;
	fill(a, 1);
	fill(b, 2);
	for (int i = 0; i < N; i++)
		for (int j = 0; j < N; j++)
			for (int k = 0; k < N; k++)
				(*c)[i][j] += (*a)[i][k] * (*b)[k][j];
	for (int i = 0; i < N; i++)
		for (int j = 0; j < N; j++)
			sum = sum * 31 + (*c)[i][j];
	done("matrix", sum);
}

/* SPDX-License-Identifier: ISC */
#include <host/host.h>
void test_pure(void) { }

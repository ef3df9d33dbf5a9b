/* SPDX-License-Identifier: ISC */
#include <host/host.h>
void test_history(void) { }

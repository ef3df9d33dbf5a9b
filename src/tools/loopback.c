/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Keep Bochs' screen server at home.
 *
 * The rfb display of Bochs listens on all interfaces, without a password.  Where a private network namespace is not to
 * be had, the tools preload this: an IPv4 bind() to "any address" becomes one to 127.0.0.1.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

typedef int (*bind_fn)(int, const struct sockaddr *, socklen_t);

int
bind(int fd, const struct sockaddr *addr, socklen_t len)
{
	bind_fn real = (bind_fn)dlsym(RTLD_NEXT, "bind");
	struct sockaddr_in in;

	if (addr == NULL || len < sizeof(in) || addr->sa_family != AF_INET)
		return (real(fd, addr, len));
	memcpy(&in, addr, sizeof(in));
	if (in.sin_addr.s_addr == htonl(INADDR_ANY))
		in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return (real(fd, (const struct sockaddr *)&in, sizeof(in)));
}

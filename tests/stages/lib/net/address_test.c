/* Hosts as users write them, and the addresses of a bound socket. */
#include "stages/lib/net/address.h"
#include "stages/lib/net/resolver.h"
#include "tests/support/support.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static void test_literals(void **unused)
{
    static const struct {
        const char *host;
        bool is_literal;
    } cases[] = {{NULL, true},         {"127.0.0.1", true},     {"::1", true},        {"[::1]", true},
                 {"::", true},         {"0.0.0.0", true},       {"localhost", false}, {"[", false},
                 {"]", false},         {"[]", false},           {"", false},          {"[::1", false},
                 {"::1]", false},      {"[[::1]]", false},      {"1.2.3.4.5", false}, {"256.0.0.1", false},
                 {"a.example", false}, {"::ffff:1.2.3.4", true}};
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++)
        if (ps_address_is_literal(cases[i].host) != cases[i].is_literal)
            fail_msg("%s", cases[i].host);
}

/* A name of the greatest length is looked up; a longer one is refused. */
static void test_the_longest_name(void **unused)
{
    for (size_t length = PS_HOST_NAME_BYTES - 3; length <= PS_HOST_NAME_BYTES + 3; length++) {
        for (unsigned brackets = 0; brackets < 2; brackets++) {
            char host[PS_HOST_NAME_BYTES + 8];
            struct ps_err err = {.length = 0};
            struct ps_address bound;
            const struct ps_bind_options options = {.host = host, .only_try = true};
            memset(host, 'x', sizeof host);
            if (brackets) {
                host[0] = '[';
                host[length + 1] = ']';
            }
            host[length + 2 * brackets] = '\0';
            assert_int_equal(ps_address_bind(&options, &bound, &err), -1);
            const char *wanted =
                length < PS_HOST_NAME_BYTES ? "cannot resolve host xxx" : "is not a host name";
            if (strstr(err.text, wanted) == NULL)
                fail_msg("a name of %zu characters: %s", length, err.text);
            assert_false(ps_address_is_literal(host));
        }
    }
}

static int bind_to(const char *host, unsigned port, bool datagrams, bool share, int receive_buffer_bytes,
                   struct ps_address *bound)
{
    struct ps_err err = {.length = 0};
    const struct ps_bind_options options = {.host = host,
                                            .port = port,
                                            .datagrams = datagrams,
                                            .share = share,
                                            .receive_buffer_bytes = receive_buffer_bytes};
    return ps_address_bind(&options, bound, &err);
}

static unsigned port_of(const struct ps_address *address)
{
    return ntohs(address->storage.ss_family == AF_INET
                     ? ((const struct sockaddr_in *)(const void *)&address->storage)->sin_port
                     : ((const struct sockaddr_in6 *)(const void *)&address->storage)->sin6_port);
}

static int receive_buffer(int fd)
{
    int bytes = 0;
    socklen_t length = sizeof bytes;
    assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, &length), 0);
    return bytes;
}

/* The receive buffer is as large as the system gives: beyond the usual limit if this process may. Linux doubles the
 * requested size. */
static void test_receive_buffer(void **unused)
{
    struct ps_address bound;
    int most = 0, plain = bind_to("127.0.0.1", 0, true, false, 0, &bound);
    FILE *file = fopen("/proc/sys/net/core/rmem_max", "r");
    if (file == NULL || fscanf(file, "%d", &most) != 1)
        most = 65536;
    if (file != NULL)
        fclose(file);
    const int wanted[] = {4096, most / 2, most, 2 * most};
    for (size_t i = 0; i < PS_COUNT_OF(wanted); i++) {
        int force = wanted[i], fd = bind_to("127.0.0.1", 0, true, false, wanted[i], &bound);
        bool may = setsockopt(plain, SOL_SOCKET, SO_RCVBUFFORCE, &force, sizeof force) == 0;
        assert_int_equal(receive_buffer(fd), 2 * (may || wanted[i] < most ? wanted[i] : most));
        close(fd);
    }
    close(plain);
}

/* Several sockets share a port only if each of them allows it. */
static void test_shared_ports(void **unused)
{
    for (unsigned datagrams = 0; datagrams < 2; datagrams++) {
        for (unsigned shares = 0; shares < 4; shares++) {
            struct ps_address bound, again;
            int first = bind_to("127.0.0.1", 0, datagrams, shares & 1, 0, &bound);
            assert_true(first >= 0);
            int second = bind_to("127.0.0.1", port_of(&bound), datagrams, shares & 2, 0, &again);
            assert_int_equal(second >= 0, shares == 3);
            close(first);
            if (second >= 0)
                close(second);
        }
    }
}

/* Every address of both families, however the user writes it. */
static void test_every_address(void **unused)
{
    static const char *const hosts[] = {NULL, "0.0.0.0", "::", "[::]"};
    for (size_t i = 0; i < PS_COUNT_OF(hosts); i++) {
        struct ps_address bound;
        int fd = bind_to(hosts[i], 0, false, false, 0, &bound), client = socket(AF_INET, SOCK_STREAM, 0);
        assert_true(fd >= 0);
        const struct sockaddr_in to = {.sin_family = AF_INET,
                                       .sin_port = htons((uint16_t)port_of(&bound)),
                                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        if (connect(client, (const struct sockaddr *)&to, sizeof to) != 0)
            fail_msg("%s does not listen on 127.0.0.1", hosts[i] != NULL ? hosts[i] : "no host");
        close(client);
        close(fd);
    }
}

static int bind_error; /* of the next bind; 0: the system's answer */

/* Replaces libc's function. */
int bind(int fd, const struct sockaddr *address, socklen_t length)
{
    if (bind_error == 0)
        return (int)syscall(SYS_bind, fd, address, length);
    errno = bind_error;
    return -1;
}

/* Each reason for which a port cannot be had is said with its cure, and the caller gets the error too. */
static void test_reasons(void **unused)
{
    static const struct {
        int error;
        const char *text;
    } rows[] = {
        {EADDRINUSE, "the port is in use: stop the other process (ss -lnp shows it) or choose another port"},
        {EADDRNOTAVAIL, "this machine does not have that address: use one of its addresses (ip addr shows "
                        "them) or 0.0.0.0"},
        {EACCES, "port 514 needs a privilege: use a port above 1023, or give the process "
                 "CAP_NET_BIND_SERVICE (systemd: AmbientCapabilities= and PrivateUsers=no, as in "
                 "low-ports.conf)"},
        {EMFILE, "out of file descriptors: raise the limit (ulimit -n, systemd: LimitNOFILE=)"},
        {ENFILE, "out of file descriptors: raise the limit (ulimit -n, systemd: LimitNOFILE=)"},
        {EPERM, "Operation not permitted"},
    };
    static const char *const hosts[] = {"127.0.0.1", NULL};
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        for (unsigned kind = 0; kind < 4; kind++) {
            char text[512];
            struct ps_err err = {.length = 0};
            struct ps_address bound;
            const struct ps_bind_options options = {
                .host = hosts[kind / 2], .port = 514, .datagrams = kind % 2 != 0};
            bind_error = rows[i].error;
            assert_int_equal(ps_address_bind(&options, &bound, &err), -1);
            assert_int_equal(errno, rows[i].error);
            bind_error = 0;
            snprintf(text, sizeof text, "cannot listen on %s:514 (%s): %s",
                     hosts[kind / 2] != NULL ? hosts[kind / 2] : "*", kind % 2 != 0 ? "UDP" : "TCP",
                     rows[i].text);
            assert_string_equal(err.text, text);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_literals),       cmocka_unit_test(test_the_longest_name),
        cmocka_unit_test(test_receive_buffer), cmocka_unit_test(test_shared_ports),
        cmocka_unit_test(test_every_address),  cmocka_unit_test(test_reasons),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

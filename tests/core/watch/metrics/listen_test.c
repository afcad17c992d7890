/* The socket of the metrics server: one for each configured address, none when that fails. */
#include "core/watch/metrics/listen.h"

#include <dirent.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/name_server.h"
#include "tests/support/port.h"

static unsigned count_descriptors(void)
{
    unsigned count = 0;
    DIR *folder = opendir("/proc/self/fd");
    assert_non_null(folder);
    while (readdir(folder) != NULL)
        count++;
    closedir(folder);
    return count;
}

static void test_one_socket(void **state)
{
    static const char *const hosts[] = {NULL, "127.0.0.1", "localhost"};
    for (size_t i = 0; i < PS_COUNT_OF(hosts); i++) {
        struct ps_err err = {0};
        char text[128];
        unsigned before = count_descriptors();
        int listening = 0;
        socklen_t length = sizeof listening;
        int fd = ps_metrics_listen(hosts[i], 0, &err);
        if (fd < 0)
            fail_msg("%s", err.text);
        assert_int_equal(count_descriptors(), before + 1);
        assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length), 0);
        assert_true(listening);
        uint16_t port = ps_metrics_listen_address(fd, text, sizeof text);
        assert_true(port > 0);
        if (i == 1)
            assert_int_equal(strncmp(text, "127.0.0.1:", 10), 0);
        assert_int_equal(ps_metrics_listen(hosts[i], port, &err), -1); /* it is taken */
        assert_non_null(strstr(err.text, "flume.monitoring.port"));
        assert_int_equal(count_descriptors(), before + 1);
        close(fd);
    }
}

#define FOREIGN "192.0.2.1" /* RFC 5737: no address of this machine */

/* Listens at names.test with these addresses, which are separated by a blank. Returns what it listens at, "" if nothing. */
static const char *listening_at(const char *addresses, unsigned port)
{
    static char list[128], text[128];
    struct ps_err err = {0};
    char *rest = NULL;
    unsigned before = count_descriptors();
    snprintf(list, sizeof list, "%s", addresses);
    name_server.count = name_server.answers = 0;
    for (char *one = strtok_r(list, " ", &rest); one != NULL; one = strtok_r(NULL, " ", &rest))
        name_server.addresses[name_server.count++] = one;
    int fd = ps_metrics_listen("names.test", (uint16_t)port, &err);
    assert_int_equal(count_descriptors(), before + (fd >= 0));
    if (fd < 0) {
        assert_non_null(strstr(err.text, "cannot listen on names.test"));
        return "";
    }
    (void)ps_metrics_listen_address(fd, text, sizeof text);
    close(fd);
    return text;
}

/* A name with several addresses: there is one socket, at the first address that this machine has. A port that another process has
 * is not taken at the next address: clients of the first one would reach the other process. */
static void test_several_addresses(void **state)
{
    static const struct {
        const char *addresses, *taken; /* NULL: nobody has the port */
        const char *wanted;
    } cases[] = {
        {"127.0.0.2 127.0.0.3", NULL, "127.0.0.2"},
        {"127.0.0.2 " FOREIGN, NULL, "127.0.0.2"},
        {FOREIGN " 127.0.0.2", NULL, "127.0.0.2"},
        {FOREIGN " 127.0.0.2 127.0.0.3", NULL, "127.0.0.2"},
        {FOREIGN, NULL, ""},
        {FOREIGN " 192.0.2.2", NULL, ""},
        {"127.0.0.2 127.0.0.3", "127.0.0.3", "127.0.0.2"},
        {"127.0.0.2 127.0.0.3", "127.0.0.2", ""},
        {FOREIGN " 127.0.0.2 127.0.0.3", "127.0.0.2", ""},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_err err = {0};
        char wanted[64] = "";
        unsigned port = ps_test_port(SOCK_STREAM);
        int taken = cases[i].taken != NULL ? ps_metrics_listen(cases[i].taken, (uint16_t)port, &err) : -1;
        assert_int_equal(taken >= 0, cases[i].taken != NULL);
        if (cases[i].wanted[0] != '\0')
            snprintf(wanted, sizeof wanted, "%s:%u", cases[i].wanted, port);
        const char *found = listening_at(cases[i].addresses, port);
        if (strcmp(found, wanted) != 0)
            fail_msg("%s, %s taken: at %s", cases[i].addresses,
                     cases[i].taken != NULL ? cases[i].taken : "none", found);
        if (taken >= 0)
            close(taken);
    }
}

/* Without a host: a port that another process has on one family is not taken on the other one. */
static void test_a_family_is_taken(void **state)
{
    static const sa_family_t families[] = {AF_INET, AF_INET6};
    for (size_t i = 0; i < PS_COUNT_OF(families); i++) {
        struct sockaddr_storage any = {.ss_family = families[i]};
        struct ps_err err = {0};
        int yes = 1, taken = socket(any.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (any.ss_family == AF_INET6 &&
            (taken < 0 || setsockopt(taken, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof yes) != 0))
            ps_test_skip("no IPv6");
        socklen_t length =
            any.ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
        assert_int_equal(bind(taken, (const struct sockaddr *)&any, length), 0);
        assert_int_equal(listen(taken, 1), 0);
        char text[128];
        uint16_t port = ps_metrics_listen_address(taken, text, sizeof text);
        assert_int_equal(ps_metrics_listen(NULL, port, &err), -1);
        assert_non_null(strstr(err.text, "cannot listen on any address, port"));
        close(taken);
    }
}

static void test_no_such_host(void **state)
{
    struct ps_err err = {0};
    unsigned before = count_descriptors();
    assert_int_equal(ps_metrics_listen("1.2.3.4.5.invalid", 0, &err), -1);
    assert_non_null(strstr(err.text, "cannot resolve the address 1.2.3.4.5.invalid"));
    assert_int_equal(count_descriptors(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_socket),
        cmocka_unit_test(test_several_addresses),
        cmocka_unit_test(test_a_family_is_taken),
        cmocka_unit_test(test_no_such_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

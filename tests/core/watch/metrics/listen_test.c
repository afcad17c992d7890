/* The socket of the metrics server: one for each configured address, none when that fails. */
#include "core/watch/metrics/listen.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/support.h"

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

/* A name with several addresses. */
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
        cmocka_unit_test(test_no_such_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

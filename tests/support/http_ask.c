#include "tests/support/http_ask.h"

#include "tests/support/net.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>

static bool is_complete(const char *answer)
{
    const char *end = strstr(answer, "\r\n\r\n"), *field = strstr(answer, "Content-Length: ");
    return end != NULL && (field == NULL || strlen(end + 4) >= strtoul(field + 16, NULL, 10));
}

unsigned ps_test_http_ask(struct ps_test_stage *stage, int fd, const char *request, size_t length)
{
    char answer[2048] = "";
    size_t used = 0;
    ps_test_send(fd, request, length);
    while (!is_complete(answer)) {
        ps_test_source_read(stage);
        if (stage->batch->flush || stage->batch->full)
            ps_test_source_close_batch(stage);
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        (void)poll(&ready, 1, 1);
        ssize_t n = recv(fd, answer + used, sizeof answer - 1 - used, MSG_DONTWAIT);
        assert_true(n > 0 || (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)));
        if (n > 0)
            used += (size_t)n;
        answer[used] = '\0';
    }
    assert_memory_equal(answer, "HTTP/1.1 ", 9);
    return (unsigned)strtoul(answer + 9, NULL, 10);
}

#include "tests/support/webhdfs_client.h"

#include <poll.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "tests/support/support.h"

#define LOOK_MS 20

void ps_test_webhdfs_client_init(struct ps_test_webhdfs_client *client,
                                 const struct ps_test_webhdfs *const *servers, size_t count)
{
    *client = (struct ps_test_webhdfs_client){
        .settings = {.server_count = count,
                     .user = "joe",
                     .wake_fd = -1,
                     .call_timeout_ns = PS_TEST_WEBHDFS_TIMEOUT_MS * PS_NS_PER_MS},
        .epoll_fd = epoll_create1(EPOLL_CLOEXEC),
    };
    client->settings.epoll_fd = client->epoll_fd;
    for (size_t i = 0; i < count; i++) {
        snprintf(client->urls[i], sizeof client->urls[i], "%s://127.0.0.1:%u",
                 servers[i]->peer.tls_on ? "https" : "http", servers[i]->peer.port);
        client->settings.servers[i] = client->urls[i];
    }
}

void ps_test_webhdfs_client_close(struct ps_test_webhdfs_client *client)
{
    assert_int_equal(client->filesystem->held_bytes, 0);
    assert_int_equal(client->filesystem->under_way, 0);
    ps_filesystem_close(client->filesystem);
    close(client->epoll_fd);
}

void ps_test_webhdfs_turn(struct ps_test_webhdfs_client *client)
{
    struct ps_now now = ps_clock_now();
    uint64_t due = ps_filesystem_turn(client->filesystem, &now);
    int wait_ms = due <= now.mono_ns ? 0 : LOOK_MS;
    struct pollfd ready = {.fd = client->epoll_fd, .events = POLLIN};
    (void)poll(&ready, 1, wait_ms);
}

void ps_test_file_done(void *result_, const struct ps_file_answer *answer)
{
    struct ps_test_file_result *result = result_;
    result->calls++;
    result->error = answer->error;
    result->count = answer->entry_count;
    snprintf(result->reason, sizeof result->reason, "%s", answer->reason);
    snprintf(result->content, sizeof result->content, "%.*s", (int)answer->content_length,
             answer->content != NULL ? answer->content : "");
    if (answer->entry_count == 0)
        return;
    result->first = answer->entries[0];
    snprintf(result->name, sizeof result->name, "%s", answer->entries[0].name);
    result->first.name = result->name;
}

void ps_test_file_expect(struct ps_test_webhdfs_client *client, struct ps_test_file_result *result,
                         enum ps_file_error error)
{
    uint64_t until_ns = ps_test_patience_end_ns();
    while (result->calls == 0 && ps_test_patient_ns() < until_ns)
        ps_test_webhdfs_turn(client);
    if (result->calls != 1 || result->error != error)
        fail_msg("%u calls, error %d in place of %d: %s", result->calls, (int)result->error, (int)error,
                 result->reason);
    assert_true(error == PS_FILE_OK ? result->reason[0] == '\0' : result->reason[0] != '\0');
}

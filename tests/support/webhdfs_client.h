/* A file system of WebHDFS under test: settings for the servers of webhdfs_peer.h, and its turns until something has happened. */
#pragma once

#include "stages/lib/hadoop/webhdfs/webhdfs.h"
#include "tests/support/webhdfs_peer.h"

#define PS_TEST_WEBHDFS_TIMEOUT_MS 100000U /* the call time-out */

struct ps_test_webhdfs_client {
    struct ps_webhdfs_settings settings;
    struct ps_filesystem *filesystem;
    char urls[PS_WEBHDFS_SERVERS_MAX][64];
    int epoll_fd;
};

/* The arguments of a callback. */
struct ps_test_file_result {
    unsigned calls;
    enum ps_file_error error;
    char reason[PS_FILE_REASON_BYTES];
    size_t count;
    struct ps_file_status first; /* name: in `name` */
    char name[64], content[256];
};

/* Settings: user joe, no proxy user. */
void ps_test_webhdfs_client_init(struct ps_test_webhdfs_client *client,
                                 const struct ps_test_webhdfs *const *servers, size_t count);
/* Asserts that nothing is left. */
void ps_test_webhdfs_client_close(struct ps_test_webhdfs_client *client);
/* Runs one turn, then waits a moment for its epoll unless the next turn is due. */
void ps_test_webhdfs_turn(struct ps_test_webhdfs_client *client);

/* A ps_file_done for a struct ps_test_file_result. */
void ps_test_file_done(void *result, const struct ps_file_answer *answer);
/* Turns until the result is there; asserts that its error is this one. */
void ps_test_file_expect(struct ps_test_webhdfs_client *client, struct ps_test_file_result *result,
                         enum ps_file_error error);

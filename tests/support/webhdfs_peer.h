/* A WebHDFS server of a test, in a thread of its own: it answers requests in the order of a script, and writes them down.
 *
 * Thread: the test's; the script is not changed while requests are under way. */
#pragma once

#include "tests/support/peer.h"

#define PS_TEST_WEBHDFS_LOG_BYTES 65536U

struct ps_test_webhdfs {
    struct ps_test_peer peer; /* must be first */
    /* Its answers, NULL-terminated: "200 BODY", "403 BODY", ..; "307": a redirect to `datanode`; "cut": closes the
     * connection without an answer; "cut 200": in the middle of its body; "hold": never answers. NULL: it is a
     * server without a fault, see ps_test_webhdfs_start. */
    const char *const *script;
    size_t at; /* the next one */
    const struct ps_test_webhdfs *datanode;
    char log[PS_TEST_WEBHDFS_LOG_BYTES]; /* "METHOD TARGET BODY\n" of each request */
};

/* Starts it with peer.tls_on as the caller set it. Without a script it redirects CREATE, APPEND and OPEN if it has a datanode, and
 * answers everything else with success. */
void ps_test_webhdfs_start(struct ps_test_webhdfs *server);
void ps_test_webhdfs_stop(struct ps_test_webhdfs *server);
/* Sets a new script; forgets the log. */
void ps_test_webhdfs_play(struct ps_test_webhdfs *server, const char *const *script);
/* Asserts that these were the requests since the script began, in order, and the whole script was played. */
void ps_test_webhdfs_expect(struct ps_test_webhdfs *server, const char *log);

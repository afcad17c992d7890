/* The keys of each target: the first and last value that a key takes, and the values just outside; words that look
 * alike; keys of another target. */
#include "bench/load/targets.h"
#include "tests/support/support.h"

#include <string.h>

/* 249 bytes, as long as the name of a topic may be */
#define TEN "nnnnnnnnnn"
#define EIGHTY TEN TEN TEN TEN TEN TEN TEN TEN
#define LONG_NAME EIGHTY EIGHTY EIGHTY "nnnnnnnnn"

static const struct ps_target_ops *ops_of(const char *scheme)
{
    for (size_t i = 0; ps_targets[i] != NULL; i++)
        if (strcmp(ps_targets[i]->scheme, scheme) == 0)
            return ps_targets[i];
    fail_msg("no target %s", scheme);
    return NULL;
}

/* Returns the framing of a plan of this URL; -1 if it is refused, with the reason in `err`. */
static int planned(const char *text, enum ps_completion *completion, struct ps_err *err)
{
    struct ps_url url;
    void *plan = NULL;
    err->length = 0;
    assert_int_equal(ps_url_parse(&url, text, err), PS_OK);
    const struct ps_target_ops *ops = ops_of(url.scheme);
    enum ps_framing framing = ops->framing;
    enum ps_status status = ps_target_plan(ops, &url, &framing, &plan, err);
    bool good = status == PS_OK && ps_url_check(&url, err) == PS_OK;
    if (good)
        *completion = ops->completes != NULL ? ops->completes(plan) : ops->completion;
    ps_target_unplan(ops, plan);
    ps_url_fini(&url);
    return good ? (int)framing : -1;
}

static void test_limits(void **state)
{
    static const struct {
        const char *url, *part; /* part of the error; NULL: the URL is accepted */
    } rows[] = {
        {"tcp://127.0.0.1:9", NULL},
        {"tcp://127.0.0.1", "a port is missing: tcp://HOST:PORT"},
        {"udp://127.0.0.1", "a port is missing"},
        {"tls://127.0.0.1", "a port is missing"},
        {"tcp://127.0.0.1:9?send_buffer=1KiB&nagle=true", NULL},
        {"tcp://127.0.0.1:9?send_buffer=x", "send_buffer"},
        {"tcp://127.0.0.1:9?nagle=maybe", "nagle=maybe: use one of false, true, no, yes, 0, 1"},
        {"tcp://127.0.0.1:9?framing=line", "framing=line: use one of newline, octet-counted"},
        {"tcp://127.0.0.1:9?rotate=rename", "rotate"},
        {"udp://127.0.0.1:9?segment=0", NULL},
        {"udp://127.0.0.1:9?segment=2", "segment=2"},
        {"udp://127.0.0.1:9?nagle=true", "nagle"},
        {"netcat://127.0.0.1:9?ack=no", NULL},
        {"netcat://127.0.0.1:9?ack=none", "ack=none"},
        {"netcat://127.0.0.1", "port"},
        {"avro://127.0.0.1:9?batch=1&window=1", NULL},
        {"avro://127.0.0.1:9?batch=0", "batch"},
        {"avro://127.0.0.1:9?batch=100000&window=32", NULL},
        {"avro://127.0.0.1:9?batch=100001", "batch"},
        {"avro://127.0.0.1:9?window=0", "window"},
        {"avro://127.0.0.1:9?window=33", "window"},
        {"avro://127.0.0.1:9?compression=deflate&level=1", NULL},
        {"avro://127.0.0.1:9?compression=deflate&level=9", NULL},
        {"avro://127.0.0.1:9?compression=deflate&level=0", "level"},
        {"avro://127.0.0.1:9?compression=deflate&level=10", "level"},
        {"avro://127.0.0.1:9?compression=none&level=5", "level"}, /* nothing is compressed */
        {"avro://127.0.0.1:9?compression=gzip", "compression=gzip"},
        {"avro://127.0.0.1:9?verify=false", "verify"}, /* of TLS alone */
        {"avro://127.0.0.1:9?tls=true&verify=false", NULL},
        {"avro://127.0.0.1:9?tls=true&verify=false&ca=/nowhere", "/nowhere"},
        {"tls://127.0.0.1:9?verify=false", NULL},
        {"tls://127.0.0.1:9?verify=sure", "verify=sure"},
        {"http://127.0.0.1:9?requests=1&batch=1", NULL},
        {"http://127.0.0.1:9?requests=64&batch=100000", NULL},
        {"http://127.0.0.1:9?requests=0", "requests"},
        {"http://127.0.0.1:9?requests=65", "requests"},
        {"http://127.0.0.1:9?batch=0", "batch"},
        {"http://127.0.0.1:9?batch=100001", "batch"},
        {"http://127.0.0.1:9?body=plain&batch=5", "batch"}, /* one event a request */
        {"http://127.0.0.1:9?body=plain", NULL},
        {"http://127.0.0.1:9?body=flat", "body=flat"},
        {"http://127.0.0.1:9?verify=false", "verify"},
        {"https://127.0.0.1:9?verify=false", NULL},
        {"kafka://127.0.0.1:9/topic?waves=0", NULL},
        {"kafka://127.0.0.1:9/topic?waves=1000", NULL},
        {"kafka://127.0.0.1:9/topic?waves=1001", "waves"},
        {"kafka://127.0.0.1:9", "/TOPIC"},
        {"kafka://127.0.0.1:9/topic?key=source", NULL},
        {"kafka://127.0.0.1:9/topic?key=any", "key=any"},
        {"kafka://127.0.0.1:9/.", "not a valid topic name"},
        {"kafka://127.0.0.1:9/..", "not a valid topic name"},
        {"kafka://127.0.0.1:9/...", NULL},
        {"kafka://127.0.0.1:9/a.b_c-D9", NULL},
        {"kafka://127.0.0.1:9/a$b", "not a valid topic name"},
        {"kafka://127.0.0.1:9/a/b", "/TOPIC"},
        {"kafka://127.0.0.1:9/" LONG_NAME, NULL},
        {"kafka://127.0.0.1:9/" LONG_NAME "n", "not a valid topic name"},
        {"kafka://127.0.0.1:9/topic?partition=0", NULL},
        {"kafka://127.0.0.1:9/topic?partition=any", NULL},
        {"kafka://127.0.0.1:9/topic?partition=2147483647", NULL},
        {"kafka://127.0.0.1:9/topic?partition=2147483648", "partition=2147483648"},
        {"kafka://127.0.0.1:9/topic?partition=-1", "partition=-1"},
        {"kafka://127.0.0.1:9/topic?partition=", "partition="},
        {"kafka://127.0.0.1:9/topic?partition=1x", "partition=1x"},
        {"kafka://127.0.0.1:9/topic?kafka.acks=1", NULL},
        {"kafka://127.0.0.1:9/topic?kafka.acks=all", NULL},
        {"kafka://127.0.0.1:9/topic?kafka.transactional.id=t", "load does not use transactions"},
        {"kafka://127.0.0.1:9/topic?kafka.no.such=t", "no.such"},
        {"file:///tmp/there?rotate=none&size=1&keep=1&fsync=yes", NULL},
        {"file:///tmp/there?rotate=rename&keep=1000", NULL},
        {"file:///tmp/there?rotate=copytruncate&fsync=0", NULL},
        {"file:///tmp/there?rotate=copy", "rotate=copy: use one of none, rename, copytruncate"},
        {"file:///tmp/there?keep=0", "keep"},
        {"file:///tmp/there?keep=1001", "keep"},
        {"file:///tmp/there?size=0", "size=0 is too small: a file must hold at least one event"},
        {"file:///tmp/there?size=x", "size"},
        {"file:///tmp/there?fsync=often", "fsync=often"},
        {"file://host/tmp/there", "with three slashes"},
        {"file://", "write file:///PATH"},
        {"file:///dev/null?rotate=rename", "not a regular file"},
        {"file:///dev/null?rotate=copytruncate", "not a regular file"},
        {"file:///dev/null?rotate=none", NULL},
        {"file:///dev/null", NULL},
        {"file:///tmp/there?kep=5", "did you mean `keep`"},
    };
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        struct ps_err err;
        enum ps_completion completion;
        bool taken = planned(rows[i].url, &completion, &err) >= 0;
        if (taken != (rows[i].part == NULL) || (!taken && strstr(err.text, rows[i].part) == NULL))
            fail_msg("%s: %s", rows[i].url, taken ? "taken" : err.text);
    }
}

static void test_meanings(void **state)
{
    static const struct {
        const char *url;
        enum ps_framing framing;
        enum ps_completion completion;
    } rows[] = {
        {"tcp://127.0.0.1:9", PS_FRAMING_NEWLINE, PS_COMPLETION_WRITTEN},
        {"tcp://127.0.0.1:9?framing=newline", PS_FRAMING_NEWLINE, PS_COMPLETION_WRITTEN},
        {"tcp://127.0.0.1:9?framing=octet-counted", PS_FRAMING_OCTET_COUNTED, PS_COMPLETION_WRITTEN},
        {"tls://127.0.0.1:9?framing=octet-counted&verify=false", PS_FRAMING_OCTET_COUNTED,
         PS_COMPLETION_WRITTEN},
        {"udp://127.0.0.1:9", PS_FRAMING_NONE, PS_COMPLETION_WRITTEN},
        {"netcat://127.0.0.1:9", PS_FRAMING_NEWLINE, PS_COMPLETION_ACKNOWLEDGED},
        {"netcat://127.0.0.1:9?ack=true", PS_FRAMING_NEWLINE, PS_COMPLETION_ACKNOWLEDGED},
        {"netcat://127.0.0.1:9?ack=false", PS_FRAMING_NEWLINE, PS_COMPLETION_WRITTEN},
        {"file:///tmp/there", PS_FRAMING_NEWLINE, PS_COMPLETION_WRITTEN},
        {"avro://127.0.0.1:9", PS_FRAMING_NONE, PS_COMPLETION_ACKNOWLEDGED},
        {"http://127.0.0.1:9", PS_FRAMING_NONE, PS_COMPLETION_ACKNOWLEDGED},
        {"kafka://127.0.0.1:9/topic", PS_FRAMING_NONE, PS_COMPLETION_ACKNOWLEDGED},
    };
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        struct ps_err err;
        enum ps_completion completion = PS_COMPLETION_WRITTEN;
        int framing = planned(rows[i].url, &completion, &err);
        if (framing != (int)rows[i].framing || completion != rows[i].completion)
            fail_msg("%s: framing %d, completion %u: %s", rows[i].url, framing, completion,
                     framing < 0 ? err.text : "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_meanings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

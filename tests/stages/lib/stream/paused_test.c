/* A source that waits for its channel while it has received more than it has split: no timer wakes it, and later it
 * continues where it was. */
#include "tests/support/net.h"

#include <stdio.h>
#include <unistd.h>

#define LINES 3000U

static uint64_t tick_after_ns(struct ps_test_stage *stage)
{
    uint64_t due_ns = stage->ops->source->tick(stage->plan, stage->state, &stage->now);
    return due_ns == PS_NEVER ? PS_NEVER : due_ns - stage->now.mono_ns;
}

static void pause_for(struct ps_test_stage *stage, bool paused)
{
    stage->ops->source->paused(stage->plan, stage->state, paused, &stage->now);
}

static void waits_and_goes_on(const struct ps_stage_ops *ops, const char *const *keys)
{
    struct ps_test_stage stage;
    static char text[LINES * 16];
    size_t length = 0;
    ps_test_stage_start(&stage, ops, keys);
    int fd = ps_test_connect("127.0.0.1", ps_test_tcp_port(&stage, 0));
    for (unsigned i = 0; i < LINES; i++)
        length += (size_t)sprintf(text + length, "<13>x %u\n", i);
    ps_test_send(fd, text, length);
    while (stage.event_count == 0 && (stage.batch == NULL || !stage.batch->full)) {
        (void)ps_test_source_work(&stage);
        usleep(1000);
    }
    if (stage.batch != NULL)
        ps_test_source_close_batch(&stage);
    assert_true(stage.event_count > 0 && stage.event_count < LINES);
    assert_true(tick_after_ns(&stage) <= PS_NS_PER_MS); /* the rest comes without an epoll event */
    pause_for(&stage, true);
    assert_true(tick_after_ns(&stage) >= 100 * PS_NS_PER_MS);
    pause_for(&stage, false);
    assert_true(tick_after_ns(&stage) <= PS_NS_PER_MS);
    ps_test_source_wait(&stage, LINES, PS_TEST_PATIENCE_MS);
    close(fd);
    ps_test_stage_fini(&stage);
}

static void test_sources(void **unused)
{
    waits_and_goes_on(&ps_source_syslogtcp, PS_KEYS("host", "127.0.0.1", "port", "0"));
    waits_and_goes_on(&ps_source_multiport_syslogtcp, PS_KEYS("host", "127.0.0.1", "ports", "0"));
    waits_and_goes_on(&ps_source_netcat,
                      PS_KEYS("bind", "127.0.0.1", "port", "0", "ack-every-event", "false"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sources)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

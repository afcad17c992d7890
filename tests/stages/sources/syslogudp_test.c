#include "tests/support/net.h"

#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

extern const struct ps_stage_ops ps_source_syslogudp;

#define LOCAL "host", "127.0.0.1", "port", "0"

/* Runs of datagrams that the kernel keeps in one piece (made with UDP_SEGMENT here, by GRO in practice) are
 * split again. */
static void test_runs(void **unused)
{
    struct ps_test_stage stage;
    ps_test_stage_start(&stage, &ps_source_syslogudp, PS_KEYS(LOCAL));
    int fd = ps_test_connect_udp("127.0.0.1", ps_test_udp_port(&stage));
    int size = 100;
    if (setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof size) != 0) {
        close(fd);
        ps_test_stage_fini(&stage);
        ps_test_skip("the kernel has no UDP_SEGMENT");
    }
    enum { RUN = 50, RUNS = 60 };
    static char text[RUN * 100];
    for (int run = 0; run < RUNS; run++) {
        for (int i = 0; i < RUN; i++) {
            memset(text + i * 100, '.', 100);
            char head[32];
            int length = snprintf(head, sizeof head, "<13>%d:", run * RUN + i);
            memcpy(text + i * 100, head, (size_t)length);
        }
        ps_test_send(fd, text, sizeof text - (size_t)(run % 7)); /* the last one may be shorter */
        if (run % 10 == 9)
            ps_test_source_wait(&stage, (size_t)(run + 1) * RUN, PS_TEST_PATIENCE_MS);
    }
    for (int i = 0; i < RUNS * RUN; i++) {
        char head[32];
        int length = snprintf(head, sizeof head, "<13>%d:", i);
        assert_memory_equal(stage.events[i].body, head, (size_t)length);
        assert_int_equal(stage.events[i].length, i % RUN == RUN - 1 ? 100 - i / RUN % 7 : 100);
    }
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_EventReadFail),
                     0); /* no empty datagram after a run */
    close(fd);
    ps_test_stage_fini(&stage);
}

/* Datagrams that overrun the kernel's buffer while nothing is read are counted. */
static void test_kernel_drops(void **unused)
{
    struct ps_test_stage stage;
    ps_test_stage_start(&stage, &ps_source_syslogudp, PS_KEYS(LOCAL, "penstock.receive.buffer", "4096"));
    int fd = ps_test_connect_udp("127.0.0.1", ps_test_udp_port(&stage));
    for (int i = 0; i < 1000; i++)
        ps_test_send_text(fd, "<13>x");
    for (int i = 0; i < 20; i++)
        ps_test_source_work(&stage);
    ps_test_send_text(fd, "<13>last"); /* the kernel's count comes with this datagram */
    for (int i = 0; i < 20; i++)
        ps_test_source_work(&stage);
    ps_test_source_close_batch(&stage);
    assert_true(stage.event_count > 1 && stage.event_count < 1001);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_kernel_dropped) + stage.event_count, 1001);
    close(fd);
    ps_test_stage_fini(&stage);
}

/* Nothing is read, and no datagram follows: drops are counted once a second, and when the source closes. */
static void test_kernel_drops_unread(void **unused)
{
    struct ps_test_stage stage;
    ps_test_stage_start(&stage, &ps_source_syslogudp, PS_KEYS(LOCAL, "penstock.receive.buffer", "4096"));
    int fd = ps_test_connect_udp("127.0.0.1", ps_test_udp_port(&stage));
    ps_source_syslogudp.source->tick(stage.plan, stage.state, &stage.now);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_kernel_dropped), 0);
    for (int i = 0; i < 500; i++)
        ps_test_send_text(fd, "<13>x");
    ps_test_stage_pass_ms(&stage, 1000);
    ps_source_syslogudp.source->tick(stage.plan, stage.state, &stage.now);
    uint64_t first = ps_test_stage_counter(&stage, PS_COUNTER_kernel_dropped);
    assert_in_range(first, 1, 499);
    for (int i = 0; i < 20; i++) /* the older counts that come with these datagrams are not counted again */
        ps_test_source_work(&stage);
    ps_test_source_close_batch(&stage);
    assert_int_equal(first + stage.event_count, 500);
    size_t received = stage.event_count;
    for (int i = 0; i < 500; i++) /* the remaining drops come with the count of the first half */
        ps_test_send_text(fd, "<13>x");
    ps_test_stage_pass_ms(&stage, 1000);
    ps_source_syslogudp.source->tick(stage.plan, stage.state, &stage.now);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_kernel_dropped), 2 * first);
    for (int i = 0; i < 20; i++)
        ps_test_source_work(&stage);
    ps_test_source_close_batch(&stage);
    assert_int_equal(stage.event_count, 2 * received);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_kernel_dropped), 2 * first);
    for (int i = 0; i < 500; i++)
        ps_test_send_text(fd, "<13>x");
    ps_test_stage_close(&stage);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_kernel_dropped), 3 * first);
    close(fd);
    ps_test_stage_fini(&stage);
}

/* Memory is used up within a batch: the rows so far are delivered, because that frees memory; the rest waits. */
static void test_no_memory(void **unused)
{
    enum { COUNT = 12, BYTES = 60000 };
    static char text[BYTES];
    struct ps_test_stage stage;
    ps_test_stage_init_sized(&stage, &ps_source_syslogudp, 4U << 20);
    assert_int_equal(ps_test_stage_bind(&stage, PS_KEYS(LOCAL)), PS_OK);
    assert_int_equal(ps_test_stage_build(&stage), PS_OK);
    assert_int_equal(ps_test_stage_open(&stage), PS_OK);
    int fd = ps_test_connect_udp("127.0.0.1", ps_test_udp_port(&stage));
    memset(text, 'a', sizeof text);
    memcpy(text, "<13>", 4);
    stage.batch = ps_test_stage_take_batch(&stage);
    struct ps_block *all = NULL, *one;
    while ((one = ps_block_take(stage.port.blocks)) != NULL) {
        one->next = all;
        all = one;
    }
    if (all != NULL) { /* one block for the bodies */
        one = all;
        all = all->next;
        ps_block_drop(stage.port.blocks, one);
    }
    for (int i = 0; i < COUNT; i++)
        ps_test_send(fd, text, sizeof text);
    for (int i = 0; i < 10 && !stage.batch->flush; i++)
        (void)ps_source_syslogudp.source->work(stage.plan, stage.state, stage.batch, &stage.now);
    assert_in_range(stage.batch->count, 1, COUNT - 1);
    assert_false(stage.batch->full);
    assert_true(stage.batch->flush);
    while (all != NULL) {
        one = all;
        all = all->next;
        ps_block_drop(stage.port.blocks, one);
    }
    ps_test_source_close_batch(&stage);
    ps_test_source_wait(&stage, COUNT, PS_TEST_PATIENCE_MS);
    for (size_t i = 0; i < COUNT; i++)
        assert_int_equal(stage.events[i].length, BYTES);
    close(fd);
    ps_test_stage_fini(&stage);
}

static void test_drain(void **unused)
{
    struct ps_test_stage stage;
    ps_test_stage_start(&stage, &ps_source_syslogudp, PS_KEYS("port", "0"));
    int fd = ps_test_connect_udp("127.0.0.1", ps_test_udp_port(&stage));
    for (int i = 0; i < 200; i++)
        ps_test_send_text(fd, "<13>x");
    for (int i = 0; i < 10 && !ps_source_syslogudp.source->drain(stage.plan, stage.state, &stage.now); i++)
        ps_test_source_work(&stage);
    assert_true(ps_source_syslogudp.source->drain(stage.plan, stage.state, &stage.now));
    ps_test_source_close_batch(&stage);
    assert_int_equal(stage.event_count, 200);
    close(fd);
    ps_test_stage_fini(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_runs),
        cmocka_unit_test(test_kernel_drops),
        cmocka_unit_test(test_kernel_drops_unread),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_drain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* A durable queue with a log on a disk of which one call fails, and another one after a success: each call that changes the disk, each read (of
 * the log, by the durable queue's thread, and of payloads, by the consumer); or there is no memory for the consumer's next batch. The source sends again what
 * was refused. Every event is delivered once while the durable queue lives, in order; after a stop only what could not be recorded comes again;
 * and the accounts are zero at the end. */
#include "stages/lib/queue/queue_internal.h"

#include "tests/stages/lib/queue/lossy_queue.h"

#define EVENTS 14U
#define FIRST_LIFE 10U
#define REFUSALS_MAX 4U
#define STARVED_TRIES 3U
#define BLOCKS_MAX 2048U

enum what { CHANGE, READ, MEMORY };

static struct lossy_queue fixture; /* static: a queue whose test failed still runs */
static enum what what;
static uint64_t nth, again; /* the nth call fails, and `again` calls later another one; 0: none */
static uint64_t deliveries;
static unsigned starved;      /* takes of the consumer without memory */
static unsigned came[EVENTS]; /* how often each event came in this run */
static bool recorded[EVENTS];

#define FAIL(...)                                                                                            \
    do {                                                                                                     \
        static const char *const names[] = {"change", "read", "memory of delivery"};                         \
        print_message("%s %llu fails, and %llu later another one\n", names[what], (unsigned long long)nth,   \
                      (unsigned long long)again);                                                            \
        fail_msg(__VA_ARGS__);                                                                               \
    } while (0)

/* ---- one run ---- */

static void start(void)
{
    memset(came, 0, sizeof came);
    lossy_queue_start(&fixture);
}

/* Puts the event until it is accepted. */
static void put(unsigned number)
{
    for (unsigned tries = 0; !lossy_queue_put(&fixture, number); tries++)
        if (tries == REFUSALS_MAX)
            FAIL("event %u is refused again and again", number);
}

/* The first takes after `nth` deliveries find no memory, and so do those after `again` more deliveries. */
static bool is_starved(void)
{
    return what == MEMORY && ((deliveries >= nth && starved < STARVED_TRIES) ||
                              (again > 0 && deliveries >= nth + again && starved < 2 * STARVED_TRIES));
}

/* Takes all memory of the depot except `but` blocks. Returns how many blocks it took. */
static size_t take_memory(struct ps_block **taken, unsigned but)
{
    struct ps_block_cache *blocks = fixture.stage.port.blocks;
    size_t count = 0;
    while ((taken[count] = ps_block_take(blocks)) != NULL)
        assert_true(++count < BLOCKS_MAX);
    for (; but > 0 && count > 0; but--)
        ps_block_drop(blocks, taken[--count]);
    return count;
}

/* Takes and delivers what there is. Returns whether there was anything. */
static bool deliver(void)
{
    struct ps_block *taken[BLOCKS_MAX];
    size_t count = is_starved() ? take_memory(taken, starved++ % STARVED_TRIES) : 0;
    unsigned number = lossy_queue_deliver(&fixture);
    while (count > 0)
        ps_block_drop(fixture.stage.port.blocks, taken[--count]);
    if (number == LOSSY_QUEUE_NONE)
        return false;
    assert_true(number < EVENTS);
    deliveries++;
    for (unsigned older = 0; older < EVENTS; older++)
        if (older > number && came[older] > 0)
            FAIL("event %u comes behind %u", number, older);
    if (came[number]++ > 0)
        FAIL("event %u comes twice", number);
    if (recorded[number])
        FAIL("event %u comes again after its delivery was recorded", number);
    return true;
}

static uint64_t fill(void)
{
    struct ps_fill fill;
    ps_queue_fill(fixture.queue, &fill);
    return fill.size;
}

static void deliver_all(void)
{
    for (unsigned idle = 0; !ps_queue_is_open(fixture.queue) || fill() > 0; idle++) {
        if (idle == PS_TEST_PATIENCE_MS)
            FAIL("%llu events do not come", (unsigned long long)fill());
        if (deliver())
            idle = 0;
        else
            lossy_queue_rest();
    }
}

static void stop(void)
{
    bool broken = lossy_queue_stop(&fixture);
    for (unsigned number = 0; number < EVENTS; number++)
        recorded[number] |= came[number] > 0 && !broken;
}

/* Two runs with puts, and a third one. */
static void live(void)
{
    unsigned total[EVENTS] = {0};
    start();
    for (unsigned number = 0; number < FIRST_LIFE; number++) {
        put(number);
        if (number % 3 != 0)
            (void)deliver();
    }
    stop();
    for (unsigned life = 2; life <= 3; life++) {
        for (unsigned number = 0; number < EVENTS; number++)
            total[number] += came[number];
        start();
        deliver_all();
        for (unsigned number = FIRST_LIFE; life == 2 && number < EVENTS; number++) {
            put(number);
            deliver_all();
        }
        stop();
    }
    for (unsigned number = 0; number < EVENTS; number++)
        if (total[number] + came[number] == 0)
            FAIL("event %u is lost", number);
}

/* ---- each call ---- */

/* Plans the second failure after the first one. Called under the lock of the disk. */
static void arm_again(void)
{
    uint64_t *at = what == CHANGE ? &disk.fail_at : &disk.read_fail_at;
    uint64_t calls = what == CHANGE ? disk.changes : disk.reads;
    if (what == MEMORY || again == 0 || *at == 0 || calls < *at)
        return;
    *at = calls + again;
    again = 0;
}

/* Returns whether the call was reached. */
static bool run(void)
{
    static const int errors[] = {EIO, ENOSPC, EIO, EDQUOT};
    lossy_queue_init(&fixture);
    fixture.long_number = 4;
    memset(recorded, 0, sizeof recorded);
    disk.fail_errno = errors[nth % PS_COUNT_OF(errors)];
    disk.fail_at = what == CHANGE ? nth : 0;
    disk.read_fail_at = what == READ ? nth : 0;
    deliveries = starved = 0;
    lossy_queue_after_call = arm_again;
    live();
    bool reached = what == CHANGE ? disk.changes >= nth : what == READ ? disk.reads >= nth : starved > 0;
    lossy_queue_after_call = NULL;
    lossy_queue_fini(&fixture);
    return reached;
}

static void each_call(enum what of)
{
    uint64_t random = ps_test_seed();
    what = of;
    bool reached = true;
    for (nth = 1; reached; nth++) {
        again = nth % 2 * (1 + ps_test_random(&random) % 20);
        reached = run();
        assert_true(nth < 1000);
    }
    print_message("%llu calls\n", (unsigned long long)nth - 2);
}

static void test_changes(void **state)
{
    each_call(CHANGE);
}

static void test_reads(void **state)
{
    each_call(READ);
}

static void test_memory(void **state)
{
    each_call(MEMORY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_changes, lossy_queue_setup, lossy_queue_teardown),
        cmocka_unit_test_setup_teardown(test_reads, lossy_queue_setup, lossy_queue_teardown),
        cmocka_unit_test_setup_teardown(test_memory, lossy_queue_setup, lossy_queue_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

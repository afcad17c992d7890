/* The latest bytes of a log: recent bytes are copied, also across chunks, and while others begin; bytes that are gone
 * are refused. */
#include "stages/lib/queue/segment/chunks.h"

#include <pthread.h>

#include "stages/lib/queue/segment/files.h"
#include "tests/support/support.h"

static void fill(char *bytes, uint64_t number)
{
    memset(bytes, (int)number, PS_CHUNK_BYTES);
}

static void test_latest_stay(void **state)
{
    struct ps_chunks *chunks = ps_chunks_create();
    char got[64];
    uint64_t number;
    assert_false(ps_chunks_copy(chunks, 1, 0, 1, got));
    for (unsigned i = 0; i < 2 * PS_CHUNKS; i++) {
        char *bytes = ps_chunks_next(chunks, true, &number);
        assert_int_equal(number, i + 1);
        assert_int_equal((uintptr_t)bytes % PS_SEGMENT_DIRECT_BYTES, 0);
        fill(bytes, number);
    }
    assert_false(ps_chunks_copy(chunks, PS_CHUNKS, 0, sizeof got, got));
    assert_true(ps_chunks_copy(chunks, PS_CHUNKS + 1, 7, sizeof got, got));
    assert_int_equal(got[63], PS_CHUNKS + 1);
    assert_true(ps_chunks_copy(chunks, PS_CHUNKS + 1, PS_CHUNK_BYTES - 10, sizeof got, got));
    assert_int_equal(got[9], PS_CHUNKS + 1);
    assert_int_equal(got[10], PS_CHUNKS + 2);
    assert_false(ps_chunks_copy(chunks, PS_CHUNKS, PS_CHUNK_BYTES - 10, sizeof got,
                                got)); /* begins in a chunk that is gone */
    ps_chunks_destroy(chunks);
}

struct shared {
    struct ps_chunks *chunks;
    pthread_mutex_t lock; /* guards the next two */
    uint64_t ready;       /* the chunks up to this one are complete */
    bool stop;
};

static uint64_t look(struct shared *shared, bool *stop)
{
    pthread_mutex_lock(&shared->lock);
    uint64_t ready = shared->ready;
    *stop = shared->stop;
    pthread_mutex_unlock(&shared->lock);
    return ready;
}

static void say(struct shared *shared, uint64_t ready, bool stop)
{
    pthread_mutex_lock(&shared->lock);
    shared->ready = ready;
    shared->stop = stop;
    pthread_mutex_unlock(&shared->lock);
}

static void *copy_latest(void *argument)
{
    struct shared *shared = argument;
    char *got = malloc(PS_CHUNK_BYTES);
    for (bool stop = false; !stop;) {
        uint64_t number = look(shared, &stop);
        if (number == 0 || !ps_chunks_copy(shared->chunks, number, 0, PS_CHUNK_BYTES, got))
            continue;
        for (size_t i = 0; i < PS_CHUNK_BYTES; i += 4095)
            assert_int_equal(got[i], (char)number);
    }
    free(got);
    return NULL;
}

static void test_copied_while_others_begin(void **state)
{
    struct shared shared = {.lock = PTHREAD_MUTEX_INITIALIZER, .chunks = ps_chunks_create()};
    uint64_t number = 0;
    pthread_t reader;
    assert_int_equal(pthread_create(&reader, NULL, copy_latest, &shared), 0);
    for (unsigned i = 0; i < 2000; i++) {
        char *bytes = ps_chunks_next(shared.chunks, true, &number);
        fill(bytes, number);
        say(&shared, number, false);
    }
    say(&shared, number, true);
    pthread_join(reader, NULL);
    ps_chunks_destroy(shared.chunks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_latest_stay),
        cmocka_unit_test(test_copied_while_others_begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

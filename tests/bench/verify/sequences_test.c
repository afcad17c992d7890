/* The set of numbers seen, compared with one byte per number; and its cost. */
#include "bench/verify/sequences.h"
#include "tests/support/support.h"

#define NUMBERS (6U * 65536U + 1000U)

static uint8_t *seen; /* NUMBERS bytes */

static int setup(void **state)
{
    seen = calloc(NUMBERS, 1);
    return seen == NULL;
}

static int teardown(void **state)
{
    free(seen);
    return 0;
}

struct range_check {
    uint64_t next, total;
};

/* Ranges ascend, do not touch, and everything between them was seen. */
static bool range_check(void *argument, uint64_t first, uint64_t last)
{
    struct range_check *check = argument;
    assert_true(first <= last);
    assert_true(check->total == 0 || first > check->next);
    for (uint64_t i = check->next; i < first && i < NUMBERS; i++)
        assert_true(seen[i]);
    for (uint64_t i = first; i <= last && i < NUMBERS; i++)
        assert_false(seen[i]);
    check->total += last - first + 1;
    check->next = last + 1;
    return true;
}

static void compare(const struct ps_sequences *set, uint64_t end)
{
    struct range_check check = {0};
    uint64_t missing = 0;
    for (uint64_t i = 0; i < end; i++)
        missing += i >= NUMBERS || !seen[i];
    assert_int_equal(ps_sequences_missing(set, end), missing);
    ps_sequences_ranges(set, end, range_check, &check);
    assert_int_equal(check.total, missing);
    for (uint64_t i = check.next; i < end; i++)
        assert_true(seen[i]);
}

static void add(struct ps_sequences *set, uint64_t number)
{
    assert_int_equal(ps_sequences_add(set, number), seen[number] ? PS_SEQUENCE_AGAIN : PS_SEQUENCE_NEW);
    seen[number] = 1;
}

/* Numbers come ascending with holes and repeats, shuffled within a window, or anywhere; with compaction at any time. */
static void test_against_bytes(void **state)
{
    uint64_t random = ps_test_seed();
    for (unsigned round = 0; round < 12; round++) {
        struct ps_memory memory = {.limit_bytes = UINT64_C(1) << 30};
        struct ps_sequences set;
        uint64_t skip = UINT64_C(1) << (1 + ps_test_random(&random) % 14);
        ps_sequences_init(&set, &memory);
        memset(seen, 0, NUMBERS);
        for (uint64_t i = 0; i < NUMBERS; i++) {
            uint64_t number = i;
            if (round % 3 == 1)
                number = i ^ (ps_test_random(&random) % 256);
            if (round % 3 == 2)
                number = ps_test_random(&random) % NUMBERS;
            if (number < NUMBERS && ps_test_random(&random) % skip != 0)
                add(&set, number);
            if (ps_test_random(&random) % 5000 == 0) /* late numbers, into any kind of chunk */
                for (unsigned k = 0; k < 50; k++)
                    add(&set, ps_test_random(&random) % (number + 1 < NUMBERS ? number + 1 : NUMBERS));
            if (ps_test_random(&random) % 50000 == 0)
                ps_sequences_compact(&set);
        }
        compare(&set, set.end);
        compare(&set, set.end + ps_test_random(&random) % 200000);
        ps_sequences_compact(&set);
        compare(&set, set.end);
        for (uint64_t i = 0; i < NUMBERS; i++) /* the rest; it becomes one full span */
            add(&set, i);
        compare(&set, NUMBERS);
        assert_int_equal(set.count, NUMBERS);
        ps_sequences_fini(&set);
        assert_int_equal(memory.used_bytes, 0);
    }
}

/* A hole of a whole chunk, filled from its middle in steps: more and more holes, then fewer. */
static void test_holes_split(void **state)
{
    struct ps_memory memory = {.limit_bytes = UINT64_C(1) << 30};
    struct ps_sequences set;
    ps_sequences_init(&set, &memory);
    memset(seen, 0, NUMBERS);
    for (uint64_t i = 0; i < NUMBERS; i += i == 100 ? 65536 : 1)
        add(&set, i);
    ps_sequences_compact(&set);
    for (uint64_t step = 32768; step > 1; step /= 2) {
        for (uint64_t i = 101 + step; i < 65636; i += step)
            add(&set, i);
        compare(&set, NUMBERS);
    }
    for (uint64_t i = 101; i < 65636; i++)
        add(&set, i);
    compare(&set, NUMBERS);
    ps_sequences_fini(&set);
}

/* Whole chunks lost: at the start, in the middle, next to holes, several together, at the end. */
static void test_lost_chunks(void **state)
{
    uint64_t random = ps_test_seed();
    for (unsigned lost = 0; lost < 64; lost++) { /* a bit for each chunk */
        struct ps_memory memory = {.limit_bytes = UINT64_C(1) << 30};
        struct ps_sequences set;
        ps_sequences_init(&set, &memory);
        memset(seen, 0, NUMBERS);
        bool holes = ps_test_random(&random) % 2;
        for (uint64_t i = 0; i < NUMBERS; i++) {
            uint64_t in_chunk = i % 65536;
            bool at_edge = in_chunk < 3 || in_chunk > 65533;
            if ((lost >> i / 65536 & 1) == 0 && !(holes && at_edge && ps_test_random(&random) % 3 == 0))
                add(&set, i);
            if (ps_test_random(&random) % 100000 == 0)
                ps_sequences_compact(&set);
        }
        compare(&set, set.end);
        compare(&set, NUMBERS);
        compare(&set, NUMBERS + 3 * 65536);
        compare(&set, set.end + 1);
        ps_sequences_compact(&set);
        compare(&set, NUMBERS);
        ps_sequences_fini(&set);
    }
}

static const uint64_t far = (UINT64_C(1) << 42) - 1;

/* One range: everything between the first number and the last. */
static bool far_check(void *argument, uint64_t first, uint64_t last)
{
    struct range_check *check = argument;
    assert_int_equal(first, 1);
    assert_int_equal(last, far - 1);
    check->total++;
    return true;
}

static void test_far_numbers(void **state)
{
    struct ps_memory memory = {.limit_bytes = 1 << 20};
    struct ps_sequences set;
    ps_sequences_init(&set, &memory);
    assert_int_equal(ps_sequences_add(&set, far), PS_SEQUENCE_NEW);
    assert_int_equal(ps_sequences_add(&set, far), PS_SEQUENCE_AGAIN);
    assert_int_equal(ps_sequences_add(&set, 0), PS_SEQUENCE_NEW);
    assert_int_equal(ps_sequences_missing(&set, far + 1), far - 1);
    assert_true(memory.used_bytes_max < 20000);
    struct range_check check = {.next = 0};
    ps_sequences_ranges(&set, far + 1, far_check, &check);
    assert_int_equal(check.total, 1);
    ps_sequences_fini(&set);
}

/* Out of memory: never a wrong answer, only UNKNOWN. */
static void test_forgets(void **state)
{
    uint64_t random = ps_test_seed(), unknown = 0, counted = 0, forgotten = 0;
    struct ps_memory memory = {.limit_bytes = 40000};
    struct ps_sequences set;
    ps_sequences_init(&set, &memory);
    memset(seen, 0, NUMBERS);
    for (uint64_t i = 0; i < NUMBERS; i++) {
        uint64_t number = ps_test_random(&random) % 8 == 0 ? ps_test_random(&random) % (i + 1) : i;
        if (ps_test_random(&random) % 3 == 0)
            continue;
        enum ps_sequence result = ps_sequences_add(&set, number);
        for (uint64_t freed = 1; result == PS_SEQUENCE_NO_MEMORY && freed > 0;) {
            freed = ps_sequences_forget(&set);
            result = ps_sequences_add(&set, number);
        }
        assert_int_not_equal(result, PS_SEQUENCE_NO_MEMORY);
        if (result == PS_SEQUENCE_UNKNOWN)
            unknown++;
        else
            assert_int_equal(result, seen[number] ? PS_SEQUENCE_AGAIN : PS_SEQUENCE_NEW);
        counted += result == PS_SEQUENCE_NEW;
        if (result != PS_SEQUENCE_UNKNOWN)
            seen[number] = 1;
        assert_true(memory.used_bytes <= memory.limit_bytes);
    }
    forgotten = set.forgotten;
    assert_true(unknown > 0 && forgotten > 0);
    assert_int_equal(set.count, counted);
    assert_int_equal(ps_sequences_missing(&set, set.end), set.end - counted);
    ps_sequences_fini(&set);
    assert_int_equal(memory.used_bytes, 0);
}

static void test_range_in_forgotten_is_not_told(void **state)
{
    struct ps_memory memory = {.limit_bytes = 1 << 20};
    struct ps_sequences set;
    struct range_check check = {0};
    ps_sequences_init(&set, &memory);
    memset(seen, 0, NUMBERS);
    for (uint64_t i = 0; i < 3 * 65536; i++)
        if (i != 5 && i != 65536 + 5 && i != 2 * 65536 + 5)
            add(&set, i);
    assert_true(ps_sequences_forget(&set) > 0);
    assert_int_equal(ps_sequences_add(&set, 5), PS_SEQUENCE_UNKNOWN);
    assert_int_equal(ps_sequences_add(&set, 6), PS_SEQUENCE_UNKNOWN);
    assert_int_equal(ps_sequences_add(&set, 65536 + 6), PS_SEQUENCE_AGAIN);
    assert_int_equal(ps_sequences_missing(&set, 3 * 65536), 3);
    seen[5] = 1; /* so that the check passes over it */
    ps_sequences_ranges(&set, 3 * 65536, range_check, &check);
    assert_int_equal(check.total, 2);
    ps_sequences_fini(&set);
}

/* The memory for 10^9 events: a hundred million in order, one in ten thousand missing, and every second
 * one. */
static void test_memory_of_many(void **state)
{
    const uint64_t many = 100000000, some = 20000000;
    uint64_t random = ps_test_seed(), dropped = 0, next = ps_test_random(&random) % 20000;
    struct ps_memory memory = {.limit_bytes = UINT64_C(64) << 20};
    struct ps_sequences set;
    ps_sequences_init(&set, &memory);
    for (uint64_t i = 0; i < many; i++) {
        if (i == next) {
            dropped++;
            next += 1 + ps_test_random(&random) % 20000;
        } else if (ps_sequences_add(&set, i) != PS_SEQUENCE_NEW)
            fail();
    }
    assert_in_range(ps_sequences_missing(&set, many), dropped, dropped);
    print_message("one in 10,000 missing: %llu bytes for %llu numbers\n",
                  (unsigned long long)memory.used_bytes_max, (unsigned long long)many);
    assert_true(memory.used_bytes_max < 1000000);
    ps_sequences_fini(&set);
    memory.used_bytes_max = 0;
    ps_sequences_init(&set, &memory);
    for (uint64_t i = 0; i < some; i += 2)
        if (ps_sequences_add(&set, i) != PS_SEQUENCE_NEW)
            fail();
    print_message("every second one missing: %llu bytes for %llu numbers\n",
                  (unsigned long long)memory.used_bytes_max, (unsigned long long)some);
    assert_true(memory.used_bytes_max < some / 8 + some / 8 / 20 + 100000); /* 10^9: 125 MiB */
    assert_int_equal(ps_sequences_missing(&set, some), some / 2);
    ps_sequences_fini(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_bytes),  cmocka_unit_test(test_holes_split),
        cmocka_unit_test(test_lost_chunks),    cmocka_unit_test(test_far_numbers),
        cmocka_unit_test(test_forgets),        cmocka_unit_test(test_range_in_forgotten_is_not_told),
        cmocka_unit_test(test_memory_of_many),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

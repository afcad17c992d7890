/* Sets of numbers that are taken in the order in which they were put, compared with a list, while their room grows. */
#include "stages/lib/tail/slots.h"
#include "tests/support/support.h"

#include <string.h>

#define ROOM_MAX 512U

static uint32_t list[ROOM_MAX];
static uint32_t count;

static bool is_listed(uint32_t number)
{
    for (uint32_t i = 0; i < count; i++) {
        if (list[i] == number)
            return true;
    }
    return false;
}

static void test_drawn(void **unused)
{
    uint64_t random = ps_test_seed();
    for (unsigned round = 0; round < 20; round++) {
        struct ps_tail_slots slots = {.count = 0};
        uint32_t room = 4;
        count = 0;
        ps_tail_slots_grow(&slots, room);
        for (unsigned step = 0; step < 3000; step++) {
            uint32_t number = (uint32_t)(ps_test_random(&random) % room);
            /* In some phases more numbers are put than taken, so that the room fills; in others more are taken. */
            if (ps_test_random(&random) % 8 < (step / 500 % 2 == 0 ? 7 : 2)) {
                ps_tail_slots_put(&slots, number);
                if (!is_listed(number))
                    list[count++] = number;
            } else if (count > 0) {
                assert_int_equal(ps_tail_slots_take(&slots), list[0]);
                memmove(list, list + 1, --count * sizeof *list);
            }
            assert_int_equal(slots.count, count);
            if (ps_test_random(&random) % 400 == 0 && room < ROOM_MAX)
                ps_tail_slots_grow(&slots, room *= 2);
        }
        while (count > 0) {
            assert_int_equal(ps_tail_slots_take(&slots), list[0]);
            memmove(list, list + 1, --count * sizeof *list);
        }
        assert_int_equal(slots.count, 0);
        ps_tail_slots_free(&slots);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_drawn)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

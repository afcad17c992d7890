/* Positions that a closed source leaves to the one that follows it. */
#include "core/flow/sink_positions.h"
#include "tests/support/support.h"

#include <stdio.h>
#include <stdlib.h>

static void expect_taken(const char *owner, const char *text)
{
    char *taken = ps_sink_positions_take(owner);
    if (text == NULL)
        assert_null(taken);
    else
        assert_string_equal(taken, text);
    free(taken);
}

/* A take gets the newest positions of its owner. A second take finds nothing, not even older positions. */
static void test_newest_once(void **unused)
{
    expect_taken("a1.r1", NULL);
    ps_sink_positions_leave("a1.r1", "first");
    ps_sink_positions_leave("a1.r1", "second");
    expect_taken("a1.r1", "second");
    expect_taken("a1.r1", NULL);
}

/* Several owners, one of whose names begins with another's, in any order; the rest is taken at the end. */
static void test_several_owners(void **unused)
{
    enum { OWNERS = 5 };
    char texts[OWNERS][16] = {""};
    uint64_t random = ps_test_seed();
    for (unsigned step = 0; step < 500; step++) {
        char owner[8] = "r", text[16];
        unsigned number = (unsigned)(ps_test_random(&random) % OWNERS);
        memset(owner + 1, '1', number);
        if (ps_test_random(&random) % 3 > 0) {
            snprintf(text, sizeof text, "text %u", step);
            ps_sink_positions_leave(owner, text);
            memcpy(texts[number], text, sizeof text);
        } else {
            expect_taken(owner, texts[number][0] != '\0' ? texts[number] : NULL);
            texts[number][0] = '\0';
        }
    }
    for (unsigned number = 0; number < OWNERS; number++) {
        char owner[8] = "r";
        memset(owner + 1, '1', number);
        expect_taken(owner, texts[number][0] != '\0' ? texts[number] : NULL);
        expect_taken(owner, NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_newest_once),
        cmocka_unit_test(test_several_owners),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

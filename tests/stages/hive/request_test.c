/* Calls of the metastore, as bytes: they fit into the room that they ask for, whatever they take. */
#include "stages/hive/message.h"
#include "tests/support/support.h"

#include <stdlib.h>

static void calls_fit_into_their_room(void **state)
{
    static char text[5000];
    static const char *const values[] = {text, text, "", text};
    static int64_t txns[1000];
    (void)state;
    memset(text, 'x', sizeof text - 1);
    for (size_t i = 0; i < PS_COUNT_OF(txns); i++)
        txns[i] = INT64_MAX - (int64_t)i;
    for (unsigned which = 0; which < 32; which++) { /* some of the texts are long */
        const struct ps_hive_request request = {
            .database = which & 1 ? text : "d",
            .table = which & 2 ? text : "t",
            .user = which & 4 ? text : "u",
            .host = which & 4 ? text : "h",
            .agent = which & 8 ? text : "a",
            .partition = which & 16 ? text : "day=1",
            .values = values,
            .value_count = which % (PS_COUNT_OF(values) + 1),
            .txn_count = INT32_MAX,
            .txn = INT64_MAX,
            .lock = INT64_MAX,
            .write_id = INT64_MAX,
            .elapsed_ms = INT64_MAX,
            .txn_max = INT64_MAX,
            .txns = txns,
            .txns_count = which % 3 * 500,
            .has_write_ids = true,
        };
        size_t room = ps_hive_request_room(&request);
        uint8_t *bytes = malloc(room + 100000);
        assert_non_null(bytes);
        for (int call = 0; call < PS_HIVE_CALLS; call++) {
            size_t length = ps_hive_request_write((enum ps_hive_call)call, &request, UINT32_MAX, bytes);
            if (length > room)
                fail_msg("%s takes %zu bytes, and asked for %zu", ps_hive_call_names[call], length, room);
        }
        free(bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_fit_into_their_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

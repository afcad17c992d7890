/* The sink hive against the metastore of tests/support/metastore_peer.h, on the local disk: parts that its tests share.
 * Thread: the test's. */
#pragma once

#include "tests/support/folder.h"
#include "tests/support/metastore_peer.h"

#include <unistd.h>

/* Keys of a sink that writes default.t of that metastore. */
#define PS_HIVE_KEYS(...)                                                                                    \
    PS_KEYS("hive.metastore", ps_test_metastore_url(), "hive.database", "default", "hive.table", "t",        \
            __VA_ARGS__)

/* cmocka setup and teardown functions of the group: the metastore. */
int ps_test_hive_group_setup(void **state);
int ps_test_hive_group_teardown(void **state);

/* Returns where the table is, in the folder of the test. */
const char *ps_test_hive_folder(void);

/* Makes a transactional table of lines, one string column and one bucket; `keys` as in ps_test_metastore_table. */
struct ps_test_metastore_table ps_test_hive_lines(const char *keys);
/* cmocka setup function: a folder, and that table in it, without partitions. */
int ps_test_hive_setup(void **state);
/* Keys of a sink that writes that table, and commits without a delay. */
#define PS_HIVE_LINES(...)                                                                                   \
    PS_HIVE_KEYS("serializer", "DELIMITED", "serializer.fieldnames", "line", "penstock.commit.interval",     \
                 "0", __VA_ARGS__)
#define PS_HIVE_BY_DAY "hive.partition", "%{day}"
#define PS_HIVE_DAY(text, day) PS_EVENT(text, "day", day)
/* Expects these committed rows in the table's folder (day "") or in that of a partition. */
void ps_test_hive_expect_rows(const char *day, const char *expected);

/* Opens the sink; it backs off for 10 ms after a failure. */
void ps_test_hive_start(struct ps_test_stage *stage, const char *const *keys);
/* Offers the lease until the sink has taken it. */
void ps_test_hive_offer(struct ps_test_stage *stage, struct ps_lease *lease);
/* Offers the lease until the sink has taken it, and waits until it is delivered. */
void ps_test_hive_deliver(struct ps_test_stage *stage, struct ps_lease *lease);
/* Runs a turn of the worker; the clock follows the real one. */
void ps_test_hive_turn(struct ps_test_stage *stage);

/* Runs turns of the worker until `condition` is true. */
#define PS_HIVE_AWAIT(stage, condition)                                                                      \
    for (unsigned waited_ = 0; !(condition); waited_++) {                                                    \
        assert_in_range(waited_, 0, PS_TEST_PATIENCE_MS);                                                    \
        ps_test_hive_turn(stage);                                                                            \
    }

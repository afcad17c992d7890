/* The delivery of the sink hdfs over the file system of tests/support/fake_filesystem.h, under the fake clock of a test stage. One
 * at a time. Thread: the test's. */
#pragma once

#include "stages/lib/hadoop/bucket_writer/internal.h"
#include "stages/lib/hadoop/bucket_writer/sink.h"
#include "tests/support/fake_filesystem.h"
#include "tests/support/stage.h"

/* The names of the first files in the bucket of ps_test_bucket_path and ps_test_bucket_prefix, "/d" and "f". */
#define FIRST "/d/f.1700000000001"
#define SECOND "/d/f.1700000000002"
#define THIRD "/d/f.1700000000003"

/* The settings of the next sink: change them between setup and ps_test_bucket_start. Nothing is rolled. */
extern struct ps_bucket_writer_settings ps_test_bucket_settings;
extern const char *ps_test_bucket_path, *ps_test_bucket_prefix, *ps_test_bucket_serializer;
extern struct ps_test_stage ps_test_bucket_stage;

/* cmocka setup function, before each test. */
int ps_test_bucket_setup(void **state);
void ps_test_bucket_start(void);
void ps_test_bucket_finish(void);

/* Moves the clock by `ms`, then runs turns of the worker. Returns the result of the last tick. */
uint64_t ps_test_bucket_pass(uint64_t ms);
/* Makes the sink take the lease. */
void ps_test_bucket_take(struct ps_lease *lease);
#define TAKE(...) ps_test_bucket_take(PS_LEASE(&ps_test_bucket_stage, __VA_ARGS__))
/* An event of a bucket, if its path is "/d/%{k}". */
#define TO(kind, body) PS_EVENT(body, "k", kind)

/* Recalls the sink, 100 ms of the fake clock a turn; returns the leases that come back, oldest first. */
struct ps_lease *ps_test_bucket_recall(unsigned *turns);
/* Returns a counter, Flume's or the sink's own. */
uint64_t ps_test_bucket_counter(int number);

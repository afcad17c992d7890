#include "tests/support/small_channel.h"

#include "stages/lib/queue/segment/events.h"
#include "stages/lib/queue/segment/log.h"
#include "tests/support/folder.h"
#include "tests/support/support.h"

#include <sys/stat.h>

void ps_test_small_channel_append(const char *body, uint32_t length)
{
    const char *data = ps_test_folder_path("data"), *checkpoint = ps_test_folder_path("checkpoint");
    struct ps_err err = {.length = 0};
    const struct ps_segment_options options = {.directories = {1, &data},
                                               .state_directory = checkpoint,
                                               .segment_bytes = 4096,
                                               .files = &ps_segment_disk};
    struct ps_segment_log *log = ps_segment_log_open(&options, &err);
    if (log == NULL)
        fail_msg("%s", err.text);
    struct ps_events_encoder encoder = {0};
    struct ps_segment_place place;
    ps_events_begin(&encoder);
    ps_events_add(&encoder, body, length, 0);
    const char *payload = ps_events_end(&encoder);
    assert_int_equal(ps_segment_log_append(log, payload, (uint32_t)encoder.length, encoder.count,
                                           encoder.body_bytes, &place, &err),
                     PS_OK);
    assert_int_equal(ps_segment_log_sync(log, &err), PS_OK);
    ps_events_encoder_fini(&encoder);
    ps_segment_log_close(log);
}

void ps_test_small_channel_make(void)
{
    assert_int_equal(ps_test_folder_setup(NULL), 0);
    assert_int_equal(mkdir(ps_test_folder_path("data"), 0750), 0);
    assert_int_equal(mkdir(ps_test_folder_path("checkpoint"), 0750), 0);
    ps_test_small_channel_append("one", 3);
}

/* A log on a disk in memory (tests/support/lossy_files.h), of which calls fail or the power goes. */
#pragma once

#include "stages/lib/queue/segment/log_internal.h"

#include "tests/support/lossy_files.h"
#include "tests/support/support.h"

#include <stdio.h>

static struct lossy_disk disk;
static struct ps_segment_files files; /* of the disk */
static struct ps_sealer sealer;
static char reports[16][512];
static unsigned report_count; /* since the log was opened */

static inline void lossy_log_note(void *argument, const char *text)
{
    if (report_count < PS_COUNT_OF(reports))
        snprintf(reports[report_count], sizeof reports[0], "%s", text);
    report_count++;
}

/* Returns whether a report has the text. */
static inline bool lossy_log_reported(const char *text)
{
    for (unsigned i = 0; i < report_count && i < PS_COUNT_OF(reports); i++)
        if (strstr(reports[i], text) != NULL)
            return true;
    return false;
}

/* Opens a log on the disk; `options` have what is the test's own. Its directories are /a and /b, or the first
 * `options.directories.count` of them. Returns NULL with *err. */
static inline struct ps_segment_log *lossy_log_try(struct ps_segment_options options, struct ps_err *err)
{
    static const char *const directories[] = {"/a", "/b"};
    files = lossy_files(&disk);
    if (options.directories.count == 0)
        options.directories.count = PS_COUNT_OF(directories);
    options.directories.items = directories;
    options.state_directory = "/state";
    options.files = &files;
    options.report = lossy_log_note;
    report_count = 0;
    return ps_segment_log_open(&options, err);
}

static inline struct ps_segment_log *lossy_log_open(struct ps_segment_options options)
{
    struct ps_err err = {0};
    struct ps_segment_log *log = lossy_log_try(options, &err);
    if (log == NULL)
        fail_msg("%s", err.text);
    return log;
}

/* The process dies: the close changes nothing on the disk. */
static inline void lossy_log_kill(struct ps_segment_log *log)
{
    disk.power_until = 1;
    ps_segment_log_close(log);
}

/* Reads the payload of a frame that was fed. */
static inline enum ps_segment_read lossy_log_load(const struct ps_segment_place *place, char *payload,
                                                  struct ps_err *err)
{
    return ps_segment_load(&files, place, &sealer, payload, err);
}

/* Appends a frame of one event. */
static inline void lossy_log_append(struct ps_segment_log *log, const char *payload, uint32_t length,
                                    struct ps_segment_place *place)
{
    struct ps_err err = {0};
    if (ps_segment_log_append(log, payload, length, 1, length, place, &err) != PS_OK)
        fail_msg("%s", err.text);
}

static inline void lossy_log_sync(struct ps_segment_log *log)
{
    struct ps_err err = {0};
    if (ps_segment_log_sync(log, &err) != PS_OK)
        fail_msg("%s", err.text);
}

#include "stages/lib/queue/segment/writer.h"

#include <stdlib.h>
#include <string.h>

#include "core/base.h"
#include "core/durable.h"

/* Notes which data directories do not exist although another one exists. Returns the number of the others. */
static size_t find_absent(const struct ps_texts *directories, bool *absent)
{
    size_t existing = 0;
    for (size_t i = 0; i < directories->count; i++) {
        absent[i] = !ps_directory_exists(directories->items[i]);
        existing += !absent[i];
    }
    if (existing > 0)
        return existing;
    memset(absent, 0, directories->count * sizeof *absent); /* those of a new log */
    return directories->count;
}

/* Makes the data directories of a new log. */
static enum ps_status make_directories(const struct ps_texts *directories, const bool *absent,
                                       struct ps_err *err)
{
    for (size_t i = 0; i < directories->count; i++) {
        if (!absent[i] && ps_directories_need(directories->items[i], err) != PS_OK)
            return PS_FAIL;
    }
    return PS_OK;
}

/* Makes the data directories that did not exist. Called when the log was opened without them, so nothing promised is in
 * them. If they were made before, a kill before they are removed again would leave an empty directory where a file
 * system is not mounted, and the next start would give up what is on it. */
static enum ps_status make_absent(const struct ps_texts *directories, const bool *absent, struct ps_err *err)
{
    for (size_t i = 0; i < directories->count; i++) {
        if (absent[i] && ps_directory_exists(directories->items[i]))
            return ps_err_set(err, "%s appeared while the channel was opened without it",
                              directories->items[i]);
        if (absent[i] && ps_directories_need(directories->items[i], err) != PS_OK)
            return PS_FAIL;
    }
    return PS_OK;
}

/* Writes all data directories to `sorted`, those that exist first. */
static void sort_directories(const struct ps_texts *directories, const bool *absent, const char **sorted)
{
    size_t count = 0;
    for (unsigned turn = 0; turn < 2; turn++) {
        for (size_t i = 0; i < directories->count; i++) {
            if (absent[i] == (turn > 0))
                sorted[count++] = directories->items[i];
        }
    }
}

/* Makes and locks the directories, and opens the log. `existing` is the number of data directories that are not absent. */
static enum ps_status lock_and_open(struct ps_segment_writer *writer,
                                    const struct ps_segment_options *options, size_t existing,
                                    struct ps_err *err)
{
    const struct ps_texts *directories = &options->directories;
    const char **sorted = ps_must_alloc(directories->count + 1, sizeof *sorted, "directories of a log");
    sort_directories(directories, writer->absent, sorted);
    bool opened = make_directories(directories, writer->absent, err) == PS_OK &&
                  ps_segment_lock_log(&writer->locks, options->state_directory,
                                      &(struct ps_texts){existing, sorted}, err) &&
                  (writer->log = ps_segment_log_open(options, err)) != NULL &&
                  make_absent(directories, writer->absent, err) == PS_OK &&
                  ps_segment_lock_more(&writer->locks, &(struct ps_texts){directories->count, sorted}, err);
    free(sorted);
    return opened ? PS_OK : PS_FAIL;
}

enum ps_status ps_segment_writer_open(struct ps_segment_writer *writer,
                                      const struct ps_segment_options *options, struct ps_err *err)
{
    const struct ps_texts *directories = &options->directories;
    struct ps_segment_options own = *options;
    *writer = (struct ps_segment_writer){.locks.state = -1};
    writer->absent = ps_must_alloc(directories->count + 1, sizeof *writer->absent, "directories of a log");
    /* The directory of the state may be in a data directory, which then exists. */
    enum ps_status status = ps_directories_need(options->state_directory, err);
    if (status == PS_OK) {
        size_t existing = find_absent(directories, writer->absent);
        own.absent = existing < directories->count ? writer->absent : NULL;
        status = lock_and_open(writer, &own, existing, err);
    }
    if (status != PS_OK)
        ps_segment_writer_close(writer);
    return status;
}

void ps_segment_writer_close(struct ps_segment_writer *writer)
{
    if (writer->log != NULL)
        ps_segment_log_close(writer->log);
    if (writer->absent != NULL)
        ps_segment_unlock_log(&writer->locks);
    free(writer->absent);
    *writer = (struct ps_segment_writer){.locks.state = -1};
}

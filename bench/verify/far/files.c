/* Far end file: a file, all files of a directory and its subdirectories, or the files that match a pattern;
 * plain lines, Avro containers, both also in gzip or zstd. Reads the files once to their ends, or follows them.
 *
 * Files are read one after the other, by default in the order of their last change: a sink that rolls its
 * files writes them in that order, so order is expected across all files (one stream). With stream=file, order is
 * expected only within each file.
 *
 * Thread: the reader's. */
#include "bench/verify/far/ends.h"
#include "bench/verify/far/series.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct far_files {
    char *path;
    struct ps_far_place place;
    bool follow, by_file, by_name;
    bool following; /* `series` is initialised */
    struct ps_far_notes notes;
    struct ps_far_series series;   /* with follow */
    struct ps_far_listing listing; /* without follow */
    size_t next;                   /* index of the next file in the listing */
    struct ps_far_file *file;      /* being read */
};

static void far_files_close(void *state)
{
    struct far_files *far = state;
    if (far->following)
        ps_far_series_fini(&far->series);
    if (far->file != NULL)
        ps_far_file_destroy(far->file);
    ps_far_listing_fini(&far->listing);
    free(far->path);
    free(far);
}

/* Finds the files immediately, so that a wrong path is reported before the load begins. */
static enum ps_status place_find(struct far_files *far, const struct ps_url *url, struct ps_err *err)
{
    if (ps_far_place_init(&far->place, far->path, err) != PS_OK)
        return PS_FAIL;
    far->place.by_name = far->by_name;
    if (far->follow) {
        ps_far_series_init(&far->series, &far->place, far->by_file, &far->notes);
        far->following = true;
        return PS_OK;
    }
    ps_far_listing_take(&far->listing, &far->place);
    if (far->listing.count > 0)
        return PS_OK;
    if (far->place.kind == PS_FAR_DIRECTORY)
        return ps_err_set(err, "%s: the directory holds no files (?follow=true waits for some)", url->text);
    if (far->place.kind == PS_FAR_PATTERN)
        return ps_err_set(err, "%s: nothing matches (?follow=true waits for files)", url->text);
    return ps_err_set(err, "%s: there is no such file (?follow=true waits for it)", url->text);
}

static enum ps_status far_files_open(void **state, struct ps_url *url, uint64_t, struct ps_err *err)
{
    struct far_files *far = ps_must_alloc(1, sizeof *far, "the files to verify");
    *state = NULL;
    if (*url->path == '\0' || *url->hosts != '\0') {
        ps_err_set(err, "%s: a path is missing: file:///var/log/app.log", url->text);
    } else if (ps_far_choice(url, "follow", "false", "true", &far->follow, err) == PS_OK &&
               ps_far_choice(url, "stream", "all", "file", &far->by_file, err) == PS_OK &&
               ps_far_choice(url, "order", "time", "name", &far->by_name, err) == PS_OK &&
               ps_url_check(url, err) == PS_OK) {
        far->path = ps_must_copy_text(url->path, "the files to verify");
        if (place_find(far, url, err) == PS_OK) {
            *state = far;
            return PS_OK;
        }
    }
    far_files_close(far);
    return PS_FAIL;
}

/* Opens the next file of the listing; returns false when there is none. */
static bool next_file(struct far_files *far)
{
    while (far->file == NULL && far->next < far->listing.count) {
        struct ps_far_listed *listed = &far->listing.files[far->next];
        far->file = ps_far_file_create(listed, far->by_file ? far->next % PS_FAR_STREAMS_MAX : 0);
        far->file->limit = UINT64_MAX;
        far->next++;
        if (!ps_far_file_open(far->file, &far->notes)) {
            ps_far_note(&far->notes, true, "%s was removed before it was read", listed->path);
            ps_far_file_destroy(far->file);
            far->file = NULL;
        }
    }
    return far->file != NULL;
}

static enum ps_far_read read_once(struct far_files *far, struct ps_far_hand *hand)
{
    while (next_file(far)) {
        size_t length = ps_far_file_fetch(far->file, &far->notes);
        if (length > 0) {
            ps_far_file_take(far->file, length, hand, &far->notes);
        } else {
            ps_far_file_restart(far->file, hand, &far->notes); /* the file was read to its end */
            ps_far_file_destroy(far->file);
            far->file = NULL;
        }
        if (hand->count > 0)
            return PS_FAR_SOME;
    }
    return PS_FAR_END;
}

static enum ps_far_read far_files_read(void *state, int timeout_ms, ps_far_record_taker *taker,
                                       void *argument, struct ps_err *)
{
    struct far_files *far = state;
    struct ps_far_hand hand = {.taker = taker, .argument = argument};
    if (!far->follow)
        return read_once(far, &hand);
    return ps_far_series_read(&far->series, timeout_ms, &hand) ? PS_FAR_SOME : PS_FAR_IDLE;
}

static const char *far_files_remark(void *state, bool *lossy)
{
    struct far_files *far = state;
    char first[256] = "";
    *lossy = far->notes.lossy;
    if (far->follow && far->series.count == 0)
        snprintf(first, sizeof first, "%.200s: nothing is there yet", far->path);
    return ps_far_notes_text(&far->notes, first);
}

const struct ps_far_end_ops ps_far_files = {
    .scheme = "file",
    .summary =
        "file:///PATH?follow=true&stream=all|file&order=time|name (a file, a directory or a pattern; lines, "
        "Avro containers; gzip, zstd)",
    .open = far_files_open,
    .read = far_files_read,
    .remark = far_files_remark,
    .close = far_files_close,
};

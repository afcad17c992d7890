/* The random numbers of spooled files (stages/lib/spool/numbers.h) as a list: an unchanged file has the one that it had, a number that was
 * given once is not given again. */
#pragma once

#include "stages/lib/spool/spool.h"
#include "tests/support/support.h"

#define NUMBERS_MAX 256U

struct number_list {
    struct number_of {
        uint64_t device, inode, settings, number;
        struct ps_spool_state state;
        enum ps_compression compression;
    } items[NUMBERS_MAX];
    size_t count;
};

static struct {
    struct number_list known, saved; /* in this run; in the file */
    uint64_t seen[1024];             /* all that were given */
    size_t seen_count;
    uint64_t meta_events; /* in the meta file */
} number_model;

static struct number_of *number_model_find(const struct ps_spool_file *file)
{
    struct number_list *known = &number_model.known;
    size_t at = 0;
    while (at < known->count &&
           (known->items[at].inode != file->inode || known->items[at].device != file->device))
        at++;
    return &known->items[at];
}

/* Asserts that the file, which was opened just now, has its number. Returns whether that is a new one. */
static bool number_model_expect(const struct ps_spool_file *file, const struct ps_spool_settings *settings)
{
    struct number_list *known = &number_model.known;
    struct number_of *found = number_model_find(file);
    if (!settings->identities) {
        assert_int_equal(file->number, 0);
        return false;
    }
    if (file->counted)
        assert_int_equal(file->events, number_model.meta_events);
    bool has = found < &known->items[known->count];
    if (has && ps_spool_is_same_state(found->state, file->state) && found->compression == file->compression &&
        found->settings == settings->events_settings && (file->start == 0 || file->counted)) {
        assert_true(file->number == found->number);
        return false;
    }
    assert_int_not_equal(file->number, 0);
    for (size_t i = 0; i < number_model.seen_count; i++)
        assert_true(file->number != number_model.seen[i]);
    assert_true(number_model.seen_count < PS_COUNT_OF(number_model.seen) && known->count + 1 < NUMBERS_MAX);
    number_model.seen[number_model.seen_count++] = file->number;
    known->count += !has;
    *found = (struct number_of){.device = file->device,
                                .inode = file->inode,
                                .settings = settings->events_settings,
                                .number = file->number,
                                .state = file->state,
                                .compression = file->compression};
    return true;
}

/* The file is retired. */
static void number_model_retired(const struct ps_spool_file *file)
{
    struct number_list *known = &number_model.known;
    struct number_of *found = number_model_find(file);
    if (found < &known->items[known->count])
        *found = known->items[--known->count];
}

/* `drawn`: a file got a new number, so the numbers are written. */
static void number_model_fetched(bool drawn)
{
    if (drawn)
        number_model.saved = number_model.known;
}

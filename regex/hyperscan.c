/* See hyperscan.h. Workers call ps_hyperscan_scan; the thread that creates matchers calls the rest. */
#include "regex/hyperscan.h"

#include <hs.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Maximum number of times that a set is compiled again after an expression was too large. */
#define TRIES_MAX 64U
#define PAGE_BYTES 4096

struct ps_hyperscan {
    hs_database_t *database;
    hs_scratch_t *scratch; /* workers' scratches are cloned from it */
};

static unsigned flags_of(uint32_t flags)
{
    return HS_FLAG_MULTILINE | (flags & PS_HYPERSCAN_PREFILTER ? HS_FLAG_PREFILTER : 0U) |
           (flags & PS_HYPERSCAN_ALLOW_EMPTY ? HS_FLAG_ALLOWEMPTY : 0U);
}

/* The remaining expressions, as hs_compile_multi takes them. The id of each is its index in the full list. */
struct rest {
    const char **texts;
    unsigned *flags, *ids;
    uint32_t count;
};

static void rest_init(struct rest *rest, uint32_t count)
{
    rest->texts = ps_must_alloc(count, sizeof *rest->texts, "expressions for Hyperscan");
    rest->flags = ps_must_alloc(count, sizeof *rest->flags, "expressions for Hyperscan");
    rest->ids = ps_must_alloc(count, sizeof *rest->ids, "expressions for Hyperscan");
}

static void rest_fini(struct rest *rest)
{
    free(rest->texts);
    free(rest->flags);
    free(rest->ids);
}

static void rest_take(struct rest *rest, const struct ps_hyperscan_expression *expressions, uint32_t count,
                      const uint8_t *outcomes)
{
    rest->count = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (outcomes[i] == PS_HYPERSCAN_LEFT_OUT)
            continue;
        uint32_t flags = expressions[i].flags;
        if (outcomes[i] == PS_HYPERSCAN_PREFILTERED)
            flags |= PS_HYPERSCAN_PREFILTER;
        rest->texts[rest->count] = expressions[i].text;
        rest->flags[rest->count] = flags_of(flags);
        rest->ids[rest->count++] = i;
    }
}

/* Hyperscan reports that the set is too large, but not which expression: returns the expression with the most
 * states. */
static uint32_t costliest(const struct rest *rest, const struct ps_hyperscan_expression *expressions)
{
    uint32_t place = UINT32_MAX, most = 1000; /* expressions with fewer states cannot be the cause */
    for (uint32_t i = 0; i < rest->count; i++) {
        if (expressions[rest->ids[i]].states > most) {
            place = rest->ids[i];
            most = expressions[place].states;
        }
    }
    return place;
}

static enum ps_status serialize(hs_database_t *database, struct ps_hyperscan_built *built, struct ps_err *err)
{
    char *bytes = NULL;
    size_t length = 0;
    hs_error_t failed = hs_serialize_database(database, &bytes, &length);
    hs_free_database(database);
    if (failed != HS_SUCCESS)
        return ps_err_set(err, "Hyperscan cannot serialize its database (error %d)", failed);
    built->bytes = (unsigned char *)bytes; /* from malloc: Hyperscan's allocators are never replaced */
    built->length = length;
    return PS_OK;
}

/* First demotes an expression to a prefilter, then leaves it out. */
static void demote(const struct ps_hyperscan_expression *expression, uint8_t *outcome)
{
    bool filtered = *outcome == PS_HYPERSCAN_PREFILTERED || (expression->flags & PS_HYPERSCAN_PREFILTER) != 0;
    *outcome = filtered ? PS_HYPERSCAN_LEFT_OUT : PS_HYPERSCAN_PREFILTERED;
}

enum ps_status ps_hyperscan_build(const struct ps_hyperscan_expression *expressions, uint32_t count,
                                  struct ps_hyperscan_built *built, uint32_t *failed, struct ps_err *err)
{
    struct rest rest;
    enum ps_status status = PS_FAIL;
    *built =
        (struct ps_hyperscan_built){.outcomes = ps_must_alloc(count + 1, 1, "expressions for Hyperscan")};
    *failed = UINT32_MAX;
    rest_init(&rest, count + 1);
    for (unsigned tries = 0;; tries++) {
        hs_database_t *database = NULL;
        hs_compile_error_t *error = NULL;
        rest_take(&rest, expressions, count, built->outcomes);
        if (rest.count == 0) {
            status = PS_OK;
            break;
        }
        if (hs_compile_multi(rest.texts, rest.flags, rest.ids, rest.count, HS_MODE_BLOCK, NULL, &database,
                             &error) == HS_SUCCESS) {
            status = serialize(database, built, err);
            break;
        }
        bool named = error->expression >= 0 && (uint32_t)error->expression < rest.count;
        bool memory = strstr(error->message, "memory") != NULL; /* a retry would have no more memory */
        uint32_t place = memory  ? UINT32_MAX
                         : named ? rest.ids[error->expression]
                                 : costliest(&rest, expressions);
        if (place == UINT32_MAX || tries == TRIES_MAX) {
            *failed = place;
            ps_err_set(err, "Hyperscan: %s", error->message);
            hs_free_compile_error(error);
            break;
        }
        hs_free_compile_error(error);
        demote(&expressions[place], &built->outcomes[place]);
    }
    rest_fini(&rest);
    if (status != PS_OK)
        ps_hyperscan_built_fini(built);
    return status;
}

void ps_hyperscan_built_fini(struct ps_hyperscan_built *built)
{
    free(built->bytes);
    free(built->outcomes);
    *built = (struct ps_hyperscan_built){0};
}

void ps_hyperscan_platform(char *text, size_t room)
{
    hs_platform_info_t platform = {0};
    hs_error_t failed = hs_populate_platform(&platform);
    snprintf(text, room, "Hyperscan %s, CPU tune %u features %#llx%s", hs_version(), platform.tune,
             platform.cpu_features, failed != HS_SUCCESS ? " (unknown)" : "");
}

struct ps_hyperscan *ps_hyperscan_open(const unsigned char *bytes, size_t length, bool *passing,
                                       struct ps_err *err)
{
    *passing = false;
    if (hs_valid_platform() != HS_SUCCESS) {
        ps_err_set(err, "this CPU lacks SSSE3, which Hyperscan needs");
        return NULL;
    }
    struct ps_hyperscan *hyperscan = ps_must_alloc(1, sizeof *hyperscan, "expressions for Hyperscan");
    hs_error_t failed = hs_deserialize_database((const char *)bytes, length, &hyperscan->database);
    if (failed == HS_SUCCESS)
        failed = hs_alloc_scratch(hyperscan->database, &hyperscan->scratch);
    if (failed == HS_SUCCESS)
        return hyperscan;
    ps_hyperscan_close(hyperscan);
    *passing = failed == HS_NOMEM;
    if (failed == HS_DB_VERSION_ERROR)
        ps_err_set(err, "the database was made by another version of Hyperscan");
    else if (failed == HS_DB_PLATFORM_ERROR)
        ps_err_set(err, "the database was made for another CPU");
    else if (failed == HS_NOMEM)
        ps_err_set(err, "not enough memory for the database");
    else
        ps_err_set(err, "the database is damaged (error %d)", failed);
    return NULL;
}

void ps_hyperscan_close(struct ps_hyperscan *hyperscan)
{
    if (hyperscan == NULL)
        return;
    hs_free_scratch(hyperscan->scratch);
    hs_free_database(hyperscan->database);
    free(hyperscan);
}

size_t ps_hyperscan_database_bytes(const struct ps_hyperscan *hyperscan)
{
    size_t bytes = 0;
    (void)hs_database_size(hyperscan->database, &bytes);
    return bytes;
}

size_t ps_hyperscan_scratch_bytes(const struct ps_hyperscan *hyperscan)
{
    size_t bytes = 0;
    (void)hs_scratch_size(hyperscan->scratch, &bytes);
    return bytes;
}

void ps_hyperscan_touch(void *memory, size_t bytes)
{
    for (volatile char *at = memory, *end = at + bytes; at < end; at += PAGE_BYTES)
        *at = *at;
}

struct ps_hyperscan_scratch *ps_hyperscan_scratch_create(const struct ps_hyperscan *hyperscan,
                                                         struct ps_err *err)
{
    hs_scratch_t *scratch = NULL;
    if (hs_clone_scratch(hyperscan->scratch, &scratch) != HS_SUCCESS) {
        ps_err_set(err, "not enough memory for Hyperscan's scratch");
        return NULL;
    }
    ps_hyperscan_touch(scratch, ps_hyperscan_scratch_bytes(hyperscan));
    return (struct ps_hyperscan_scratch *)scratch;
}

void ps_hyperscan_scratch_destroy(struct ps_hyperscan_scratch *scratch)
{
    hs_free_scratch((hs_scratch_t *)scratch);
}

enum ps_hyperscan_scan ps_hyperscan_scan(const struct ps_hyperscan *hyperscan,
                                         struct ps_hyperscan_scratch *scratch, const char *data,
                                         uint32_t length, ps_hyperscan_hit *hit, void *argument)
{
    hs_error_t failed = hs_scan(hyperscan->database, data, length, 0, (hs_scratch_t *)scratch, hit, argument);
    if (PS_LIKELY(failed == HS_SUCCESS))
        return PS_SCAN_DONE;
    return failed == HS_SCAN_TERMINATED ? PS_SCAN_STOPPED : PS_SCAN_ERROR;
}

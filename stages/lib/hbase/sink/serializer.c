/* What Flume's serializers make of an event. Source: SimpleHbaseEventSerializer, SimpleAsyncHbaseEventSerializer, SimpleRowKeyGenerator and
 * RegexHbaseEventSerializer of Flume 1.9, and their twins of the sink hbase2 of Flume 1.11. */
#include "stages/lib/hbase/sink/serializer.h"

#include "core/flow/identity.h"
#include "core/text/list.h"
#include "stages/lib/text/charset.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PACKAGE "org.apache.flume.sink.hbase"
#define KEY_ROOM 128U /* bytes of a drawn key after its prefix */
#define DIGEST_BYTES 32U

static const struct {
    const char *class; /* without the package */
    bool is_regex;
} classes[] = {
    {"SimpleHbaseEventSerializer", false},      {"SimpleHBase2EventSerializer", false},
    {"SimpleAsyncHbaseEventSerializer", false}, {"RegexHbaseEventSerializer", true},
    {"RegexHBase2EventSerializer", true},
};

bool ps_hbase_serializer_is_known(const char *class, bool *is_regex)
{
    const char *dot = strrchr(class, '.'), *name = dot != NULL ? dot + 1 : class;
    if (dot != NULL && strncmp(class, PACKAGE, strlen(PACKAGE)) != 0)
        return false;
    for (size_t i = 0; i < PS_COUNT_OF(classes); i++) {
        if (strcmp(classes[i].class, name) != 0)
            continue;
        *is_regex = classes[i].is_regex;
        return true;
    }
    return false;
}

/* ---- keys ---- */

static const char *or_none(const char *column)
{
    return column[0] != '\0' ? column : NULL;
}

static void build_simple(struct ps_hbase_serializer *serializer, const struct ps_pairs *keys)
{
    static const char *const suffixes[] = {"uuid", "random", "timestamp", "nano"};
    const char *suffix = ps_pairs_value(keys, "suffix", "uuid");
    serializer->row_prefix = ps_pairs_value(keys, "rowPrefix", "default");
    serializer->increment_row = ps_pairs_value(keys, "incrementRow", "incRow");
    serializer->payload_column = or_none(ps_pairs_value(keys, "payloadColumn", "pCol"));
    serializer->increment_column = or_none(ps_pairs_value(keys, "incrementColumn", "iCol"));
    serializer->suffix = PS_HBASE_UUID; /* of every other word, as in Flume */
    for (unsigned i = 0; i < PS_COUNT_OF(suffixes); i++)
        if (strcmp(suffix, suffixes[i]) == 0)
            serializer->suffix = (enum ps_hbase_suffix)i;
}

static enum ps_status build_columns(struct ps_hbase_serializer *serializer, const struct ps_pairs *keys,
                                    struct ps_arena *arena, const char **key, struct ps_err *err)
{
    const char *names = ps_pairs_value(keys, "colNames", "payload"),
               *index = ps_pairs_get(keys, "rowKeyIndex");
    struct ps_slice item;
    size_t length = strlen(names);
    while (length > 0 && names[length - 1] == ',') /* Java's split drops empty names at the end */
        length--;
    names = ps_arena_copy(arena, names, length);
    const char **items = NULL;
    while (ps_list_next_at_comma(&names, &item)) {
        items = ps_arena_grow(arena, items, serializer->columns.count, sizeof *items);
        items[serializer->columns.count++] = ps_arena_copy(arena, item.data, item.length);
    }
    serializer->columns.items = items;
    *key = "serializer.rowKeyIndex";
    char *end = NULL;
    serializer->row_key = index != NULL ? strtoll(index, &end, 10) : -1;
    if (end != NULL && (*index == '\0' || *end != '\0'))
        return ps_err_set(err, "\"%s\" is not a number", index);
    if (serializer->row_key < 0)
        return PS_OK;
    if (serializer->row_key >= (int64_t)serializer->columns.count)
        return ps_err_set(err, "rowKeyIndex must be less than the number of columns, %zu",
                          serializer->columns.count);
    if (strcasecmp(serializer->columns.items[serializer->row_key], "ROW_KEY") != 0)
        return ps_err_set(err, "the column at rowKeyIndex %lld must be ROW_KEY, and is %s",
                          (long long)serializer->row_key, serializer->columns.items[serializer->row_key]);
    return PS_OK;
}

static enum ps_status build_regex(struct ps_hbase_serializer *serializer, const struct ps_pairs *keys,
                                  struct ps_arena *arena, const char **key, struct ps_err *err)
{
    struct ps_charset charset;
    unsigned flags = PS_REGEX_DOTALL;
    *key = "serializer.charset";
    if (ps_charset_find(ps_pairs_value(keys, "charset", "UTF-8"), &charset, err) != PS_OK)
        return PS_FAIL;
    if (charset.kind != PS_CHARSET_UTF8)
        return ps_err_set(err, "only UTF-8 is native; penstock.engine = java runs Flume's own sink");
    if (strcasecmp(ps_pairs_value(keys, "regexIgnoreCase", "false"), "true") == 0)
        flags |= PS_REGEX_CASE_INSENSITIVE;
    serializer->deposits_headers = strcasecmp(ps_pairs_value(keys, "depositHeaders", "false"), "true") == 0;
    if (build_columns(serializer, keys, arena, key, err) != PS_OK)
        return PS_FAIL;
    *key = "serializer.regex";
    serializer->regex = ps_regex_create(ps_pairs_value(keys, "regex", "(.*)"), flags, PS_REGEX_WHOLE, err);
    if (serializer->regex == NULL)
        return PS_FAIL;
    if (ps_regex_group_count(serializer->regex) < PS_REGEX_GROUPS_MAX)
        return PS_OK;
    ps_hbase_serializer_teardown(serializer);
    return ps_err_set(err, "it has more than %u groups", PS_REGEX_GROUPS_MAX - 1);
}

enum ps_status ps_hbase_serializer_build(struct ps_hbase_serializer *serializer, const char *class,
                                         const struct ps_pairs *keys, const char *ids, struct ps_arena *arena,
                                         const char **key, struct ps_err *err)
{
    *serializer = (struct ps_hbase_serializer){.timestamp = ps_name_intern("timestamp")};
    *key = "penstock.ids";
    if (ps_remote_id_read(&serializer->ids, ids) != PS_OK)
        return ps_err_set(err, "write identity, none, or header:NAME");
    *key = "serializer";
    if (!ps_hbase_serializer_is_known(class, &serializer->is_regex))
        return ps_err_set(err, "%s is not a serializer of this sink", class);
    if (serializer->is_regex)
        return build_regex(serializer, keys, arena, key, err);
    build_simple(serializer, keys);
    return PS_OK;
}

void ps_hbase_serializer_teardown(struct ps_hbase_serializer *serializer)
{
    if (serializer->regex != NULL)
        ps_regex_destroy(serializer->regex);
    serializer->regex = NULL;
}

/* ---- the writer ---- */

static bool grow_cells(struct ps_hbase_writer *writer, unsigned count)
{
    if (count < writer->cell_room)
        return true;
    unsigned room = writer->cell_room > 0 ? 2 * writer->cell_room : 2 * PS_REGEX_GROUPS_MAX;
    struct ps_hbase_cell *cells = realloc(writer->cells, room * sizeof *cells);
    if (cells == NULL)
        return false;
    writer->cells = cells;
    writer->cell_room = room;
    return true;
}

static void print_random_key(char *to, const uint64_t numbers[2])
{
    static const char letters[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    for (unsigned i = 0; i < 10; i++)
        to[i] = letters[(numbers[i / 5] >> 12 * (i % 5)) % 62];
    to[10] = '\0';
}

bool ps_hbase_writer_open(struct ps_hbase_writer *writer)
{
    ps_random_init(&writer->random);
    const uint64_t numbers[2] = {ps_random_next(&writer->random), ps_random_next(&writer->random)};
    print_random_key(writer->random_key, numbers);
    writer->scratch = writer->serializer->regex != NULL ? ps_regex_scratch_create() : NULL;
    writer->digest = EVP_MD_CTX_new();
    writer->sha = EVP_MD_fetch(NULL, "SHA256", NULL);
    return writer->digest != NULL && writer->sha != NULL && grow_cells(writer, 0);
}

void ps_hbase_writer_close(struct ps_hbase_writer *writer)
{
    if (writer->scratch != NULL)
        ps_regex_scratch_destroy(writer->scratch);
    EVP_MD_CTX_free(writer->digest);
    EVP_MD_free(writer->sha);
    free(writer->cells);
    writer->scratch = NULL;
    writer->digest = NULL;
    writer->sha = NULL;
    writer->cells = NULL;
    writer->cell_room = 0;
}

/* ---- what Flume draws ---- */

/* Numbers of one event: of its identity, so that they are the same when it comes again; else random. */
struct drawn {
    uint64_t numbers[3]; /* two for the key, one for the nonce */
    bool is_stable;
    int64_t timestamp; /* of the event's header, in ms; -1: none */
};

static int64_t timestamp_of(const struct ps_hbase_writer *writer, const struct ps_batch *batch,
                            const struct ps_event *event)
{
    struct ps_slice value;
    int64_t number = 0;
    if (!ps_event_header(batch, event, writer->serializer->timestamp, &value) || value.length == 0 ||
        value.length > 18)
        return -1;
    for (uint32_t i = 0; i < value.length; i++) {
        if (value.data[i] < '0' || value.data[i] > '9')
            return -1;
        number = number * 10 + (value.data[i] - '0');
    }
    return number;
}

static struct drawn draw(struct ps_hbase_writer *writer, const struct ps_lease *lease, uint32_t position,
                         const struct ps_event *event)
{
    struct drawn drawn = {.timestamp = -1};
    char text[PS_IDENTITY_TEXT_BYTES];
    unsigned char digest[DIGEST_BYTES];
    struct ps_slice id;
    drawn.is_stable = ps_remote_id_find(&writer->serializer->ids, lease, position, text, &id) &&
                      EVP_DigestInit_ex2(writer->digest, writer->sha, NULL) == 1 &&
                      EVP_DigestUpdate(writer->digest, id.data, id.length) == 1 &&
                      EVP_DigestFinal_ex(writer->digest, digest, NULL) == 1;
    if (drawn.is_stable) {
        memcpy(drawn.numbers, digest, sizeof drawn.numbers);
        drawn.timestamp = timestamp_of(writer, lease->batch, event);
    } else {
        for (unsigned i = 0; i < PS_COUNT_OF(drawn.numbers); i++)
            drawn.numbers[i] = ps_random_next(&writer->random);
    }
    drawn.numbers[2] |= drawn.numbers[2] == 0; /* a nonce of 0 is none */
    return drawn;
}

static int print_uuid(char *to, size_t room, const uint64_t numbers[2])
{
    uint64_t high = (numbers[0] & ~UINT64_C(0xf000)) | 0x4000;              /* version 4 */
    uint64_t low = (numbers[1] & ~(UINT64_C(3) << 62)) | UINT64_C(2) << 62; /* variant of RFC 4122 */
    return snprintf(to, room, "%08x-%04x-%04x-%04x-%012llx", (unsigned)(high >> 32),
                    (unsigned)(high >> 16 & 0xffff), (unsigned)(high & 0xffff), (unsigned)(low >> 48),
                    (unsigned long long)(low & 0xffffffffffff));
}

/* Prints what comes after the prefix. A time alone is no identity: two events may have the same one. */
static size_t print_suffix(const struct ps_hbase_writer *writer, const struct drawn *drawn, char to[KEY_ROOM])
{
    const uint64_t *numbers = drawn->numbers;
    int length = 0;
    switch (writer->serializer->suffix) {
    case PS_HBASE_UUID:
        length = print_uuid(to, KEY_ROOM, numbers);
        break;
    case PS_HBASE_RANDOM:
        length = snprintf(to, KEY_ROOM, "%lld", (long long)numbers[0]);
        break;
    case PS_HBASE_TIMESTAMP:
        if (drawn->is_stable && drawn->timestamp >= 0)
            length = snprintf(to, KEY_ROOM, "%lld-%016llx", (long long)drawn->timestamp,
                              (unsigned long long)numbers[0]);
        else
            length = snprintf(to, KEY_ROOM, "%llu", (unsigned long long)writer->now_ms);
        break;
    case PS_HBASE_NANO:
        length = snprintf(to, KEY_ROOM, "%llu",
                          (unsigned long long)(drawn->is_stable ? numbers[0] >> 1 : ps_clock_now().mono_ns));
        break;
    }
    return (size_t)length;
}

/* ---- events ---- */

static enum ps_hbase_written done(bool good)
{
    return good ? PS_HBASE_WRITTEN : PS_HBASE_NO_MEMORY;
}

static enum ps_hbase_written unwritable(const char **reason, const char *why)
{
    *reason = why;
    return PS_HBASE_UNWRITABLE;
}

static const char too_long_key[] = "the row key is longer than 32767 bytes";
static const char empty_key[] = "the row key is empty";
static const char too_long_value[] = "the value is longer than hbase.client.keyvalue.maxsize";

static enum ps_hbase_written write_simple(struct ps_hbase_writer *writer, struct ps_hbase_batch *batch,
                                          uint32_t number, const struct ps_event *event,
                                          const struct drawn *drawn, uint64_t *increments,
                                          const char **reason)
{
    const struct ps_hbase_serializer *serializer = writer->serializer;
    const char *column = serializer->payload_column, *counter = serializer->increment_column;
    char key[1024 + KEY_ROOM];
    bool good = true;
    if (column != NULL) {
        size_t prefix = strlen(serializer->row_prefix);
        const struct ps_hbase_cell cell = {column, event->body, strlen(column), event->body_length};
        if (event->body_length > writer->value_max)
            return unwritable(reason, too_long_value);
        memcpy(key, serializer->row_prefix, prefix);
        prefix += print_suffix(writer, drawn, key + prefix);
        good = ps_hbase_batch_put(batch, number, key, prefix, &cell, 1, drawn->timestamp);
    }
    if (counter == NULL)
        return done(good);
    ++*increments;
    if (writer->coalesces)
        return done(good);
    return done(good && ps_hbase_batch_increment(batch, number, serializer->increment_row,
                                                 strlen(serializer->increment_row), counter, strlen(counter),
                                                 1, drawn->numbers[2]));
}

bool ps_hbase_write_increments(struct ps_hbase_writer *writer, struct ps_hbase_batch *batch,
                               uint64_t increments)
{
    const struct ps_hbase_serializer *serializer = writer->serializer;
    return !writer->coalesces || increments == 0 ||
           ps_hbase_batch_increment(batch, PS_HBASE_EVERY_EVENT, serializer->increment_row,
                                    strlen(serializer->increment_row), serializer->increment_column,
                                    strlen(serializer->increment_column), (int64_t)increments,
                                    ps_random_next(&writer->random) | 1);
}

/* Returns the length of the key that Flume draws: milliseconds, ten letters, a counter. */
static size_t print_regex_key(struct ps_hbase_writer *writer, const struct drawn *drawn, char to[KEY_ROOM])
{
    char letters[11];
    if (!drawn->is_stable)
        return (size_t)snprintf(to, KEY_ROOM, "%llu-%s-%u", (unsigned long long)writer->now_ms,
                                writer->random_key, writer->counter++);
    print_random_key(letters, drawn->numbers);
    return (size_t)snprintf(to, KEY_ROOM, "%lld-%s-%u",
                            (long long)(drawn->timestamp > 0 ? drawn->timestamp : 0), letters,
                            (unsigned)(drawn->numbers[1] >> 33));
}

static bool add_headers(struct ps_hbase_writer *writer, const struct ps_batch *batch,
                        const struct ps_event *event, unsigned *count)
{
    struct ps_header_cursor cursor = ps_headers_begin(batch, event);
    const struct ps_header *header;
    while ((header = ps_headers_next(&cursor)) != NULL) {
        if (!grow_cells(writer, *count))
            return false;
        writer->cells[(*count)++] = (struct ps_hbase_cell){header->name->text, header->value,
                                                           header->name->length, header->value_length};
    }
    return true;
}

static enum ps_hbase_written write_regex(struct ps_hbase_writer *writer, struct ps_hbase_batch *batch,
                                         uint32_t number, const struct ps_lease *lease,
                                         const struct ps_event *event, const struct drawn *drawn,
                                         const char **reason)
{
    const struct ps_hbase_serializer *serializer = writer->serializer;
    struct ps_slice groups[PS_REGEX_GROUPS_MAX], key;
    unsigned columns = (unsigned)serializer->columns.count, count = 0;
    char made[KEY_ROOM];
    if (ps_regex_group_count(serializer->regex) != columns ||
        !ps_regex_find(serializer->regex, writer->scratch, event->body, event->body_length, 0, groups,
                       columns + 1)) {
        writer->unmatched++;
        return PS_HBASE_WRITTEN;
    }
    if (serializer->row_key >= 0)
        key = groups[serializer->row_key + 1];
    else
        key = (struct ps_slice){made, (uint32_t)print_regex_key(writer, drawn, made)};
    for (unsigned i = 0; i < columns; i++) {
        if (groups[i + 1].data == NULL)
            return unwritable(reason, "a group of the regex has no part in the match");
        if (groups[i + 1].length > writer->value_max)
            return unwritable(reason, too_long_value);
        const char *name = serializer->columns.items[i];
        if ((int64_t)i != serializer->row_key)
            writer->cells[count++] =
                (struct ps_hbase_cell){name, groups[i + 1].data, strlen(name), groups[i + 1].length};
    }
    if (key.length == 0)
        return unwritable(reason, empty_key);
    if (key.length > PS_HBASE_ROW_BYTES_MAX)
        return unwritable(reason, too_long_key);
    if (serializer->deposits_headers && !add_headers(writer, lease->batch, event, &count))
        return PS_HBASE_NO_MEMORY;
    if (count == 0)
        return unwritable(reason, "the event has no column beside its row key");
    return done(
        ps_hbase_batch_put(batch, number, key.data, key.length, writer->cells, count, drawn->timestamp));
}

enum ps_hbase_written ps_hbase_write(struct ps_hbase_writer *writer, struct ps_hbase_batch *batch,
                                     uint32_t event, const struct ps_lease *lease, uint32_t position,
                                     uint64_t *increments, const char **reason)
{
    const struct ps_event *row = ps_lease_event(lease, position);
    const struct drawn drawn = draw(writer, lease, position, row);
    if (writer->serializer->is_regex)
        return write_regex(writer, batch, event, lease, row, &drawn, reason);
    return write_simple(writer, batch, event, row, &drawn, increments, reason);
}

/* RegexpKuduOperationsProducer: a row for each match, a column for each group of its name. */
#include "core/log/backoff.h"
#include "core/text/utf8.h"
#include "stages/lib/date/calendar.h"
#include "stages/lib/kudu/sink/internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define NUMBER_BYTES 400U /* of the text of a number */

/* ---- keys ---- */

/* Reads a policy, or its older key, which is a truth value. */
static enum ps_status build_policy(enum ps_kudu_policy *policy, const struct ps_pairs *keys, const char *name,
                                   const char *old, enum ps_kudu_policy if_not, const char **key,
                                   struct ps_err *err)
{
    static const char *const words[] = {"REJECT", "WARN", "IGNORE"};
    const char *older = ps_pairs_get(keys, old), *word = ps_pairs_get(keys, name);
    *key = "producer.";
    if (older != NULL && word != NULL)
        return ps_err_set(err, "producer.%s and the older producer.%s are both set: set only the first", name,
                          old);
    if (older != NULL) {
        *policy = strcasecmp(older, "true") == 0 ? PS_KUDU_WARN : if_not;
        return PS_OK;
    }
    for (unsigned i = 0; word != NULL && i < PS_COUNT_OF(words); i++)
        if (strcasecmp(word, words[i]) == 0) {
            *policy = (enum ps_kudu_policy)i;
            return PS_OK;
        }
    return word == NULL ? PS_OK
                        : ps_err_set(err, "producer.%s: \"%s\" is not REJECT, WARN or IGNORE", name, word);
}

enum ps_status ps_kudu_regexp_build(struct ps_kudu_producer *producer, const struct ps_pairs *keys,
                                    const char **key, struct ps_err *err)
{
    const char *pattern = ps_pairs_get(keys, "pattern");
    producer->unmatched = PS_KUDU_WARN;
    if (build_policy(&producer->missing_column, keys, "missingColumnPolicy", "skipMissingColumn",
                     PS_KUDU_REJECT, key, err) != PS_OK ||
        build_policy(&producer->bad_value, keys, "badColumnValuePolicy", "skipBadColumnValue", PS_KUDU_REJECT,
                     key, err) != PS_OK ||
        build_policy(&producer->unmatched, keys, "unmatchedRowPolicy", "skipUnmatchedRows", PS_KUDU_IGNORE,
                     key, err) != PS_OK)
        return PS_FAIL;
    *key = "producer.encoding";
    if (ps_charset_find(ps_pairs_value(keys, "encoding", "utf-8"), &producer->charset, err) != PS_OK)
        return PS_FAIL;
    *key = "producer.pattern";
    if (pattern == NULL)
        return ps_err_set(err, "it is required: an expression whose named groups are columns");
    producer->regex = ps_regex_create(pattern, 0, PS_REGEX_FIND, err);
    if (producer->regex == NULL)
        return PS_FAIL;
    if (ps_regex_group_count(producer->regex) < PS_REGEX_GROUPS_MAX)
        return PS_OK;
    ps_kudu_producer_teardown(producer);
    return ps_err_set(err, "it has more than %u groups", PS_REGEX_GROUPS_MAX - 1);
}

bool ps_kudu_regexp_open(struct ps_kudu_writer *writer)
{
    writer->scratch = ps_regex_scratch_create();
    writer->has_transcoder =
        ps_transcoder_open(&writer->transcoder, &writer->producer->charset, NULL) == PS_OK;
    return writer->has_transcoder;
}

void ps_kudu_regexp_close(struct ps_kudu_writer *writer)
{
    if (writer->scratch != NULL)
        ps_regex_scratch_destroy(writer->scratch);
    if (writer->has_transcoder)
        ps_transcoder_close(&writer->transcoder);
    ps_kudu_table_release(writer->mapped);
    free(writer->groups);
    writer->scratch = NULL;
    writer->has_transcoder = false;
    writer->mapped = NULL;
    writer->groups = NULL;
}

/* ---- values ---- */

/* Reads Java's parseByte, parseShort, parseInt, parseLong. */
static bool parse_integer(struct ps_slice text, unsigned size, __int128 *number)
{
    uint32_t at = text.length > 0 && (text.data[0] == '-' || text.data[0] == '+');
    __int128 limit = (__int128)1 << (8 * size - 1), made = 0;
    if (at == text.length)
        return false;
    for (; at < text.length; at++) {
        if (text.data[at] < '0' || text.data[at] > '9' || made > limit)
            return false;
        made = made * 10 + (text.data[at] - '0');
    }
    *number = text.data[0] == '-' ? -made : made;
    return *number < limit && *number >= -limit;
}

/* Reads Java's parseFloat and parseDouble, into the bits of the number. */
static bool parse_real(struct ps_slice text, bool is_double, __int128 *number)
{
    static const char allowed[] = "0123456789.eE+-";
    char copy[NUMBER_BYTES], *end;
    while (text.length > 0 && (unsigned char)text.data[0] <= ' ')
        text = (struct ps_slice){text.data + 1, text.length - 1};
    while (text.length > 0 && (unsigned char)text.data[text.length - 1] <= ' ')
        text.length--;
    if (text.length == 0 || text.length >= sizeof copy)
        return false;
    memcpy(copy, text.data, text.length);
    copy[text.length] = '\0';
    const char *name = copy + (copy[0] == '-' || copy[0] == '+');
    bool is_word = strcmp(name, "NaN") == 0 || strcmp(name, "Infinity") == 0;
    bool is_hex = name[0] == '0' && (name[1] == 'x' || name[1] == 'X') && strpbrk(name, "pP") != NULL;
    char *last = copy + text.length - 1;
    if (!is_word && last > copy && strchr("fFdD", *last) != NULL)
        *last = '\0';
    if (!is_word && !is_hex && strspn(copy, allowed) != strlen(copy))
        return false;
    double wide = is_double ? strtod(copy, &end) : (double)strtof(copy, &end);
    if (isnan(wide)) /* Java has one */
        wide = (double)NAN;
    float narrow = (float)wide;
    uint64_t bits = 0;
    uint32_t narrow_bits;
    if (end == copy || *end != '\0')
        return false;
    if (is_double) {
        memcpy(&bits, &wide, sizeof bits);
    } else {
        memcpy(&narrow_bits, &narrow, sizeof narrow_bits);
        bits = narrow_bits;
    }
    *number = (__int128)bits;
    return true;
}

/* Reads "2024-02-29", as days from 1970-01-01. */
static bool parse_date(struct ps_slice text, __int128 *number)
{
    int64_t parts[3] = {0, 0, 0};
    if (text.length != 10 || text.data[4] != '-' || text.data[7] != '-')
        return false;
    for (unsigned i = 0, part = 0; i < 10; i++) {
        if (i == 4 || i == 7) {
            part++;
            continue;
        }
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        parts[part] = parts[part] * 10 + (text.data[i] - '0');
    }
    if (parts[0] == 0 || parts[1] < 1 || parts[1] > 12 || parts[2] < 1 ||
        parts[2] > ps_month_days(parts[0], (int)parts[1] - 1))
        return false;
    *number = ps_gregorian_days(parts[0], parts[1] - 1, parts[2]);
    return true;
}

enum value { VALUE_GOOD, VALUE_BAD, VALUE_UNFIT, VALUE_NONE, VALUE_LATER };

/* BINARY has the text in the charset of the body. */
static enum value encode(struct ps_kudu_writer *writer, struct ps_slice text, struct ps_kudu_cell *cell)
{
    size_t used;
    if (writer->producer->charset.kind == PS_CHARSET_UTF8) {
        *cell = (struct ps_kudu_cell){.is_set = true, .bytes = text.data, .length = text.length};
        return VALUE_GOOD;
    }
    if (writer->text.room - writer->text.length < PS_CHARSET_ENCODED_MAX(text.length))
        return VALUE_LATER; /* `decode` has made room for the body */
    char *to = writer->text.data + writer->text.length;
    ps_transcoder_encode(&writer->transcoder, text.data, text.length, to, &used);
    writer->text.length += used;
    *cell = (struct ps_kudu_cell){.is_set = true, .bytes = to, .length = (uint32_t)used};
    return VALUE_GOOD;
}

static enum value set_text(struct ps_slice text, const struct ps_kudu_column *column,
                           struct ps_kudu_cell *cell)
{
    uint32_t length = text.length;
    if (column->type == PS_KUDU_VARCHAR)
        length = ps_kudu_cut(text.data, length, column->length);
    *cell = (struct ps_kudu_cell){.is_set = true, .bytes = text.data, .length = length};
    return VALUE_GOOD;
}

static enum value set_decimal(struct ps_slice text, const struct ps_kudu_column *column,
                              struct ps_kudu_cell *cell)
{
    __int128 digits;
    int64_t scale;
    if (!ps_kudu_parse_decimal(text.data, text.length, &digits, &scale))
        return VALUE_BAD;
    cell->is_set = ps_kudu_fit_decimal(column, digits, scale, &cell->number);
    return cell->is_set ? VALUE_GOOD : VALUE_UNFIT;
}

/* Sets a cell from the text of a group; `text.data` NULL: the group had no part in the match. */
static enum value set_value(struct ps_kudu_writer *writer, const struct ps_kudu_column *column,
                            struct ps_slice text, struct ps_kudu_cell *cell)
{
    bool is_whole = false;
    switch (column->type) {
    case PS_KUDU_BOOL: /* what is not "true" is false */
        *cell = (struct ps_kudu_cell){.is_set = true,
                                      .number = text.length == 4 && strncasecmp(text.data, "true", 4) == 0};
        return VALUE_GOOD;
    case PS_KUDU_INT8:
    case PS_KUDU_INT16:
    case PS_KUDU_INT32:
    case PS_KUDU_INT64:
    case PS_KUDU_UNIXTIME_MICROS:
        is_whole = true;
        break;
    default:
        break;
    }
    if (text.data == NULL)
        return is_whole ? VALUE_BAD : VALUE_NONE;
    switch (column->type) {
    case PS_KUDU_FLOAT:
    case PS_KUDU_DOUBLE:
        cell->is_set = parse_real(text, column->type == PS_KUDU_DOUBLE, &cell->number);
        break;
    case PS_KUDU_DATE:
        cell->is_set = parse_date(text, &cell->number);
        break;
    case PS_KUDU_DECIMAL32:
    case PS_KUDU_DECIMAL64:
    case PS_KUDU_DECIMAL128:
        return set_decimal(text, column, cell);
    case PS_KUDU_STRING:
    case PS_KUDU_VARCHAR:
        return set_text(text, column, cell);
    case PS_KUDU_BINARY:
        return encode(writer, text, cell);
    default:
        cell->is_set = is_whole && parse_integer(text, column->size, &cell->number);
        break;
    }
    return cell->is_set ? VALUE_GOOD : VALUE_BAD;
}

/* ---- rows ---- */

/* Notes a mistake that is let pass, in the log now and then. */
static void warn(struct ps_kudu_writer *writer, enum ps_kudu_policy policy, const char *what)
{
    char tries[PS_LOG_BACKOFF_BYTES];
    if (policy == PS_KUDU_WARN && ps_log_backoff_says(&writer->warned, what, writer->now_ns))
        ps_log(PS_LOG_WARN, writer->port->component, "%s%s", what,
               ps_log_backoff_text(&writer->warned, writer->now_ns, tries));
}

/* Returns whether the row goes on without the column; else the event is unwritable. */
static bool passes(struct ps_kudu_writer *writer, enum ps_kudu_policy policy, const char *what,
                   const struct ps_kudu_column *column)
{
    (void)ps_kudu_unwritable(writer, "column %.120s (%s) %s", column->name, ps_kudu_type_name(column->type),
                             what);
    if (policy == PS_KUDU_REJECT)
        return false;
    writer->skipped++;
    warn(writer, policy, writer->reason);
    return true;
}

static bool map_groups(struct ps_kudu_writer *writer, struct ps_kudu_table *table)
{
    if (writer->mapped == table)
        return true;
    int *groups = realloc(writer->groups, table->count * sizeof *groups);
    if (groups == NULL)
        return false;
    writer->groups = groups;
    for (uint32_t i = 0; i < table->count; i++)
        groups[i] = ps_regex_group_number(writer->producer->regex, table->columns[i].name);
    ps_kudu_table_release(writer->mapped);
    writer->mapped = table;
    table->users++;
    return true;
}

static enum ps_kudu_added write_match(struct ps_kudu_writer *writer, const struct ps_kudu_source *from,
                                      const struct ps_slice *groups, unsigned row)
{
    const struct ps_kudu_producer *producer = writer->producer;
    const struct ps_kudu_table *table = from->batch->table;
    enum ps_kudu_added added;
    if (!ps_kudu_begin_row(writer, from, row, &added))
        return added;
    for (uint32_t i = 0; i < table->count; i++) {
        const struct ps_kudu_column *column = &table->columns[i];
        bool goes_on = true;
        if (writer->cells[i].is_set) /* the id */
            continue;
        if (writer->groups[i] < 0) {
            if (!passes(writer, producer->missing_column, "has no group in the pattern", column))
                return PS_KUDU_LATER; /* no event is at fault: with Flume all wait, too */
            continue;
        }
        switch (set_value(writer, column, groups[writer->groups[i]], &writer->cells[i])) {
        case VALUE_GOOD:
            break;
        case VALUE_BAD:
            goes_on = passes(writer, producer->bad_value, "cannot have the text of its group", column);
            break;
        case VALUE_UNFIT: /* an IllegalArgumentException that is no NumberFormatException */
            goes_on = passes(writer, producer->missing_column, "cannot have the number", column);
            break;
        case VALUE_NONE: /* a NullPointerException in Kudu's class, whatever the policies */
            goes_on = passes(writer, PS_KUDU_REJECT, "has a group without a part in the match", column);
            break;
        case VALUE_LATER:
            return ps_kudu_later(writer, "no memory");
        }
        if (!goes_on)
            return PS_KUDU_UNWRITABLE;
    }
    return ps_kudu_end_row(writer, from);
}

/* Makes the body well-formed UTF-8. Returns false: no memory. */
static bool decode(struct ps_kudu_writer *writer, const struct ps_event *event, struct ps_slice *text)
{
    bool is_utf8 = writer->producer->charset.kind == PS_CHARSET_UTF8;
    size_t used = 0, most = PS_CHARSET_DECODED_MAX(event->body_length);
    *text = (struct ps_slice){event->body, event->body_length};
    if (is_utf8 && ps_utf8_valid_length(text->data, text->length) == text->length)
        return true;
    ps_byte_buffer_clear(&writer->text, 1U << 20);
    if (!ps_byte_buffer_reserve(&writer->text, most + (is_utf8 ? 0 : PS_CHARSET_ENCODED_MAX(most))))
        return false;
    if (is_utf8)
        used = ps_utf8_repair(event->body, event->body_length, writer->text.data);
    else
        (void)ps_transcoder_decode(&writer->transcoder, event->body, event->body_length, true, false,
                                   writer->text.data, &used);
    writer->text.length = used;
    *text = (struct ps_slice){writer->text.data, (uint32_t)used};
    return true;
}

/* The next search begins behind the match; behind an empty one at the next character. */
static size_t behind(const struct ps_slice *text, const struct ps_slice *match)
{
    size_t at = (size_t)(match->data - text->data) + match->length;
    uint32_t code;
    if (match->length > 0 || at >= text->length)
        return at + (match->length == 0);
    size_t taken = ps_utf8_get(text->data + at, text->length - at, &code);
    return at + (taken > 0 ? taken : 1);
}

enum ps_kudu_added ps_kudu_regexp_write(struct ps_kudu_writer *writer, const struct ps_kudu_source *from)
{
    const struct ps_kudu_producer *producer = writer->producer;
    struct ps_slice groups[PS_REGEX_GROUPS_MAX], text;
    unsigned count = ps_regex_group_count(producer->regex) + 1, rows = 0;
    struct ps_kudu_batch *batch = from->batch;
    uint32_t first = batch->count;
    size_t bytes = batch->bytes.length;
    if (!map_groups(writer, batch->table) || !decode(writer, from->event, &text))
        return ps_kudu_later(writer, "no memory");
    for (size_t at = 0; at <= text.length;) {
        size_t decoded = writer->text.length;
        if (!ps_regex_find(producer->regex, writer->scratch, text.data, text.length, at, groups, count))
            break;
        enum ps_kudu_added added = write_match(writer, from, groups, rows++);
        writer->text.length = decoded;
        if (added != PS_KUDU_ADDED) { /* none of the event's rows, as with Flume */
            batch->count = first;
            batch->bytes.length = bytes;
            return added;
        }
        at = behind(&text, &groups[0]);
    }
    if (rows > 0)
        return PS_KUDU_ADDED;
    if (producer->unmatched == PS_KUDU_REJECT)
        return ps_kudu_unwritable(writer, "the pattern does not match the event");
    writer->unmatched++;
    warn(writer, producer->unmatched, "the pattern does not match an event, which is not written");
    return PS_KUDU_ADDED;
}

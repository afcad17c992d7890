/* Lines of random files in random charsets, given in random pieces to small batches, compared with a model that reads one character after the
 * other, as Flume's LineDeserializer does. */
#include "stages/lib/text/line_text.h"
#include "tests/support/stage.h"

#include <stdio.h>

#define ROUNDS 1500U
#define CHARACTERS_MAX 120U
#define FILE_MAX (8U * CHARACTERS_MAX + 8U)
#define EVENTS_MAX (4U * CHARACTERS_MAX)

static uint64_t state;

static uint64_t draw(uint64_t below)
{
    return ps_test_random(&state) % below;
}

/* ---- charsets ---- */

enum form { UTF8, ASCII, LATIN1, UTF16, UTF16_LE, UTF16_BE, UTF32, CP1252, FORMS };
static const char *const names[FORMS] = {"UTF-8",    "US-ASCII", "ISO-8859-1", "UTF-16",
                                         "UTF-16LE", "UTF-16BE", "UTF-32",     "windows-1252"};

/* Characters, and the byte in windows-1252 (0: it has none). */
static const struct {
    uint32_t code;
    uint8_t byte;
} characters[] = {{'a', 'a'},   {'b', 'b'},   {'\r', '\r'}, {0xE4, 0xE4}, {0x20AC, 0x80},
                  {0x0A0A, 0},  {0xFFFD, 0},  {0xFEFF, 0},  {0x1F600, 0}, {0x10FFFF, 0},
                  {0x7F, 0x7F}, {0xFF, 0xFF}, {0x0A00, 0},  {0x010A, 0}};

/* Writes the character; returns 0 if the form does not have it. */
static uint32_t put(enum form form, bool little, uint32_t code, char *to)
{
    uint32_t units[2] = {code, 0}, count = 1, size = form == UTF32 ? 4 : 2;
    switch (form) {
    case UTF8:
        if (code < 0x80)
            to[0] = (char)code;
        if (code < 0x80)
            return 1;
        count = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
        for (uint32_t i = count; i-- > 1; code >>= 6)
            to[i] = (char)(0x80 | (code & 0x3F));
        to[0] = (char)(code | (count == 2 ? 0xC0 : count == 3 ? 0xE0 : 0xF0));
        return count;
    case CP1252:
        for (size_t i = 0; i < PS_COUNT_OF(characters); i++) {
            if (characters[i].code == code)
                to[0] = (char)characters[i].byte;
            if (characters[i].code == code)
                return characters[i].byte != 0;
        }
        to[0] = (char)code;
        return 1;
    case ASCII:
    case LATIN1:
        to[0] = (char)code;
        return code < (form == ASCII ? 0x80U : 0x100U);
    default:
        break;
    }
    if (size == 2 && code >= 0x10000) {
        units[0] = 0xD800 + ((code - 0x10000) >> 10);
        units[1] = 0xDC00 + ((code - 0x10000) & 0x3FF);
        count = 2;
    }
    for (uint32_t i = 0; i < count * size; i++)
        to[i] = (char)(units[i / size] >> 8 * (little ? i % size : size - 1 - i % size));
    return count * size;
}

/* ---- a random file, and its events ---- */

struct file {
    enum form in, out;
    bool little;
    enum ps_decode_policy policy;
    uint32_t chars_max;
    char bytes[FILE_MAX];
    uint32_t length, mark_bytes;
    /* The events that the model makes from `bytes`. */
    struct {
        char body[4 * CHARACTERS_MAX];
        uint32_t length;
    } events[EVENTS_MAX];
    uint32_t event_count, cuts;
    bool bad,
        odd; /* odd: bytes are malformed, or the last character is not whole; cuts are not compared then */
    bool at_limit; /* the last event ended at chars_max */
    /* The event that is open. */
    uint32_t line[CHARACTERS_MAX], line_count, line_chars;
};

static void event_end(struct file *file)
{
    char *body = file->events[file->event_count].body;
    uint32_t length = 0;
    if (file->out == UTF16 && file->line_count > 0)
        length = put(UTF16, false, 0xFEFF, body);
    for (uint32_t i = 0; i < file->line_count; i++) {
        uint32_t more = put(file->out, false, file->line[i], body + length);
        if (more == 0)
            body[length] = '?';
        length += more > 0 ? more : 1;
    }
    file->events[file->event_count++].length = length;
    file->line_count = file->line_chars = 0;
}

/* The file goes on after an event that ended at the limit: only then is a line cut. */
static void model_take(struct file *file, uint32_t code)
{
    uint32_t chars = code >= 0x10000 ? 2 : 1;
    file->cuts += file->at_limit;
    file->at_limit = false;
    if (code == '\n') {
        event_end(file);
        return;
    }
    if (file->line_chars > 0 && file->line_chars + chars > file->chars_max) {
        event_end(file);
        file->cuts++;
    }
    file->line[file->line_count++] = code;
    file->line_chars += chars;
    file->at_limit = file->line_chars >= file->chars_max;
    if (file->at_limit)
        event_end(file);
}

/* Draws a byte that is malformed in UTF-8 or US-ASCII, before a character of ASCII. */
static void draw_malformed(struct file *file)
{
    file->bytes[file->length++] = (char)(file->in == UTF8 ? 0xF5 + draw(11) : 0x80 + draw(128));
    file->odd = true;
    if (file->policy == PS_DECODE_REPLACE)
        model_take(file, 0xFFFD);
    file->bad |= file->policy == PS_DECODE_FAIL;
    file->bytes[file->length++] = 'm';
    if (!file->bad)
        model_take(file, 'm');
}

static void file_draw(struct file *file)
{
    *file = (struct file){.in = (enum form)draw(FORMS), .out = (enum form)draw(5)};
    if (file->out == UTF16_LE || (file->out == UTF16 && draw(2) == 0))
        file->out = file->in == LATIN1 ? LATIN1 : UTF8;
    file->policy = (enum ps_decode_policy)draw(3);
    file->chars_max = draw(4) == 0 ? 2048 : 1 + (uint32_t)draw(9);
    file->little = file->in == UTF16_LE || ((file->in == UTF16 || file->in == UTF32) && draw(2) == 0);
    if (file->little && file->in != UTF16_LE)
        file->mark_bytes = file->length = put(file->in, true, 0xFEFF, file->bytes);
    unsigned count = (unsigned)draw(CHARACTERS_MAX - 4), newlines = 1 + (unsigned)draw(8),
             plain = (unsigned)draw(3);
    bool damaged = draw(3) == 0 && (file->in == UTF8 || file->in == ASCII);
    for (unsigned i = 0; i < count && !file->bad; i++) {
        uint32_t code = draw(newlines) == 0 ? '\n'
                        : plain == 0        ? 'a'
                                            : characters[draw(PS_COUNT_OF(characters))].code;
        uint32_t more = put(file->in, file->little, code, file->bytes + file->length);
        if (more == 0 || (file->length == 0 && code == 0xFEFF))
            continue;
        file->length += more;
        model_take(file, code);
        if (damaged && draw(9) == 0)
            draw_malformed(file);
    }
    if (!file->bad && draw(5) == 0 && (file->in == UTF8 || file->in >= UTF16) && file->in != CP1252) {
        file->bytes[file->length++] = (char)(file->in == UTF8 ? 0xE2 : 0);
        file->odd = true;
    }
    if (!file->bad && file->line_count > 0)
        event_end(file);
}

/* ---- the code ---- */

static struct ps_test_stage stage;
static const struct file *current;
static uint32_t event_at; /* events that were compared */

static int64_t give(struct ps_input *input, uint64_t offset, void *to, uint32_t room)
{
    (void)input;
    uint64_t left = offset < current->length ? current->length - offset : 0;
    uint64_t count = left < room ? left : room;
    memcpy(to, current->bytes + offset, count);
    return (int64_t)count;
}

static void fail_about(const char *what)
{
    const struct file *file = current;
    char hex[2 * FILE_MAX + 1] = "";
    for (uint32_t i = 0; i < file->length; i++)
        snprintf(hex + 2 * (size_t)i, 3, "%02x", (uint8_t)file->bytes[i]);
    fail_msg("%s to %s, at most %u chars, policy %d, event %u of %u, bytes %s: %s", names[file->in],
             names[file->out], file->chars_max, (int)file->policy, event_at, file->event_count, hex, what);
}

static void compare(const struct ps_batch *batch)
{
    for (uint32_t row = 0; row < batch->count; row++, event_at++) {
        const struct ps_event *event = &batch->events[row];
        if (event_at == current->event_count)
            fail_about("one event too many");
        if (event->body_length != current->events[event_at].length ||
            memcmp(event->body, current->events[event_at].body, event->body_length) != 0)
            fail_about(event->body_length == current->events[event_at].length ? "other bytes"
                                                                              : "another length");
    }
}

/* Takes the file in pieces that begin small, and grow while they have no whole line. */
static bool take_all(struct ps_line_text *text, struct ps_input *input, bool one)
{
    uint32_t piece = 1 + (uint32_t)draw(40);
    struct ps_batch *batch = ps_test_stage_take_batch(&stage);
    enum ps_line_take result = PS_LINE_TAKE_ALL;
    while (result != PS_LINE_TAKE_BAD && input->position < current->length) {
        uint32_t left = current->length - (uint32_t)input->position, length = piece < left ? piece : left;
        struct ps_line_bytes lines = {.bytes = ps_batch_alloc(batch, length),
                                      .length = length,
                                      .ends = length == left,
                                      .copy = draw(2) == 0,
                                      .one = one};
        assert_non_null(lines.bytes);
        memcpy(lines.bytes, current->bytes + input->position, length);
        batch->capacity = batch->count + (uint32_t)draw(4); /* soon full */
        uint32_t before = batch->count;
        struct ps_err err = {.length = 0};
        result = ps_line_text_take(text, batch, &lines, &err);
        assert_true(lines.taken <= length);
        assert_true(!lines.copy || !lines.kept);
        input->position += lines.taken;
        if (result == PS_LINE_TAKE_BAD)
            assert_non_null(strstr(err.text, names[current->in]));
        if (result == PS_LINE_TAKE_FULL) {
            assert_int_equal(batch->count, batch->capacity);
        } else if (lines.taken == 0 && result == PS_LINE_TAKE_ALL) {
            if (lines.ends && batch->count == before)
                break; /* an incomplete character is left */
            piece = 2 * piece;
        }
        if (result != PS_LINE_TAKE_ALL || draw(8) == 0) {
            compare(batch);
            ps_test_stage_recycle(&stage);
            batch = ps_test_stage_take_batch(&stage);
        }
    }
    compare(batch);
    ps_test_stage_recycle(&stage);
    return result != PS_LINE_TAKE_BAD;
}

static void test_drawn(void **unused)
{
    static struct file file;
    ps_test_stage_start(&stage, &ps_deserializer_line, NULL);
    struct ps_slab slab;
    ps_slab_init(&slab, stage.port.blocks);
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct ps_charset in, out;
        struct ps_err err = {.length = 0};
        struct ps_line_text text = {.in = NULL};
        file_draw(&file);
        current = &file;
        event_at = 0;
        assert_int_equal(ps_charset_find(names[file.in], &in, &err), PS_OK);
        assert_int_equal(ps_charset_find(names[file.out], &out, &err), PS_OK);
        struct ps_input input = {.read = give, .charset = &in, .policy = file.policy, .size = file.length};
        ps_line_text_begin(&text, &slab, &input, &out, file.chars_max, 1U << 20);
        assert_int_equal(ps_line_text_prepare(&text, &input, &err), PS_OK);
        assert_int_equal(input.position, file.mark_bytes);
        bool good = take_all(&text, &input, draw(2) == 0);
        if (event_at != file.event_count)
            fail_about("events are missing");
        if (good == file.bad)
            fail_about(good ? "malformed bytes were taken" : "they are not malformed");
        if (!file.odd && text.cuts != file.cuts)
            fail_about("another number of cut lines");
        ps_line_text_fini(&text);
        assert_int_equal(slab.held_bytes, 0);
    }
    ps_slab_fini(&slab);
    ps_test_stage_fini(&stage);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(test_drawn)};
    state = ps_test_seed() | 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}

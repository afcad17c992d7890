/* Answers the cases of flume_draws/draw.py (the form is described there) with penstock's stages, one process for all of them. Each
 * stage is bound, checked, built, opened and called as by the engine, without the engine.
 *
 *   flume_draws DIRECTORY <cases >answers    files of the cases are made and removed below DIRECTORY */
#include "stages/lib/http/json/handler.h"
#include "stages/lib/syslog/format.h"
#include "stages/lib/text/charset.h"
#include "stages/table.h"
#include "tests/support/fake_route.h"
#include "tests/support/syslog.h"

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define CASE_PAIRS_MAX 64
#define CASE_EVENTS_MAX 64
#define EVENT_HEADERS_MAX 32
#define SINK_PATIENCE_MS 20000
#define OTHERS_PATIENCE_MS 500 /* the other events of a batch, behind one that cannot be written */

struct one {
    char kind[32], type[128];
    const char *keys[2 * CASE_PAIRS_MAX + 1];
    size_t key_count;
    const char *charset, *policy, *zone, *now, *keep, *size;
    struct ps_test_event events[CASE_EVENTS_MAX];
    const char *headers[CASE_EVENTS_MAX][2 * EVENT_HEADERS_MAX + 1];
    size_t event_count;
    const char *input;
    size_t input_length;
    struct ps_arena *arena;
};

static const char *folder;

static const char *from_hex(struct ps_arena *arena, const char *hex, size_t *length)
{
    *length = strcmp(hex, "-") == 0 ? 0 : strlen(hex) / 2;
    char *bytes = ps_arena_alloc(arena, *length + 1);
    for (size_t i = 0; i < *length; i++) {
        unsigned byte;
        assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
        bytes[i] = (char)byte;
    }
    return bytes;
}

static const char *text_of(struct ps_arena *arena, const char *hex)
{
    size_t length;
    return from_hex(arena, hex, &length);
}

static void print_hex(const char *bytes, size_t length)
{
    if (length == 0)
        putchar('-');
    for (size_t i = 0; i < length; i++)
        printf("%02x", (unsigned char)bytes[i]);
}

/* ---- answers ---- */

static void refused(const struct ps_test_stage *stage)
{
    char text[sizeof stage->err.text];
    snprintf(text, sizeof text, "%s", stage->err.text);
    for (char *at = text; *at != '\0'; at++)
        *at = *at == '\n' ? ' ' : *at;
    printf("refused %s\n", text);
}

static int by_name(const void *left, const void *right)
{
    const struct ps_header *a = left, *b = right;
    return strcmp(a->name->text, b->name->text);
}

static void print_event(const struct ps_batch *batch, const struct ps_event *event)
{
    struct ps_header headers[2 * EVENT_HEADERS_MAX];
    size_t count = 0;
    const struct ps_header *header;
    struct ps_header_cursor cursor = ps_headers_begin(batch, event);
    while ((header = ps_headers_next(&cursor)) != NULL) {
        assert_true(count < PS_COUNT_OF(headers));
        headers[count++] = *header;
    }
    qsort(headers, count, sizeof headers[0], by_name);
    printf("event ");
    print_hex(event->body, event->body_length);
    for (size_t i = 0; i < count; i++) {
        putchar(' ');
        print_hex(headers[i].name->text, headers[i].name->length);
        putchar(' ');
        print_hex(headers[i].value, headers[i].value_length);
    }
    putchar('\n');
}

/* ---- one kind of stage each ---- */

static bool begin(struct ps_test_stage *stage, const struct one *one)
{
    if (ps_test_stage_bind(stage, one->keys) == PS_OK && ps_test_stage_build(stage) == PS_OK &&
        ps_test_stage_open(stage) == PS_OK)
        return true;
    refused(stage);
    return false;
}

static void interceptor(struct ps_test_stage *stage, const struct one *one)
{
    struct ps_lease *lease = ps_test_lease(stage, one->events, one->event_count);
    if (ps_test_interceptor_work(stage, lease) != PS_DONE) {
        printf("threw\n");
        return;
    }
    for (uint32_t i = 0; i < lease->count; i++)
        print_event(lease->batch, ps_lease_event(lease, i));
}

static void selector(struct ps_test_stage *stage, const struct one *one)
{
    struct ps_lease *lease = ps_test_lease(stage, one->events, one->event_count);
    struct ps_route *route = ps_test_selector_work(stage, lease);
    for (uint32_t i = 0; i < lease->count; i++) {
        printf("ways ");
        for (unsigned channel = 0; channel < stage->context.channels.count; channel++)
            putchar("-ro"[ps_test_route_way(route, lease, i, channel)]);
        putchar('\n');
    }
    ps_test_route_free(route);
}

static void serializer(struct ps_test_stage *stage, const struct one *one)
{
    struct ps_lease *lease = ps_test_lease(stage, one->events, one->event_count);
    size_t length;
    char *text = ps_test_serializer_run(stage, lease, &length);
    printf("out ");
    print_hex(text, length);
    putchar('\n');
    free(text);
}

struct case_input {
    struct ps_input input;
    const struct one *one;
};

static int64_t give(struct ps_input *input, uint64_t offset, void *to, uint32_t room)
{
    const struct one *one = ((struct case_input *)input)->one;
    if (offset >= one->input_length)
        return PS_INPUT_END;
    uint64_t count = one->input_length - offset < room ? one->input_length - offset : room;
    memcpy(to, one->input + offset, count);
    return (int64_t)count;
}

static void deserializer(struct ps_test_stage *stage, const struct one *one)
{
    struct ps_charset charset;
    struct ps_err err;
    assert_int_equal(ps_charset_find(one->charset != NULL ? one->charset : "UTF-8", &charset, &err), PS_OK);
    struct case_input reading = {
        .input = {.read = give,
                  .charset = &charset,
                  .policy = strcasecmp(one->policy, "REPLACE") == 0  ? PS_DECODE_REPLACE
                            : strcasecmp(one->policy, "IGNORE") == 0 ? PS_DECODE_IGNORE
                                                                     : PS_DECODE_FAIL,
                  .size = one->input_length},
        .one = one};
    const struct ps_deserializer_ops *ops = stage->ops->deserializer;
    ops->begin(stage->plan, stage->state, &reading.input);
    enum ps_deserialized result;
    do {
        struct ps_batch *batch = ps_test_stage_take_batch(stage);
        do
            result = ops->work(stage->plan, stage->state, &reading.input, batch, &err);
        while (result == PS_DESERIALIZED_SOME);
        for (uint32_t row = 0; row < batch->count; row++)
            print_event(batch, &batch->events[row]);
    } while (result == PS_DESERIALIZED_FULL);
    if (result != PS_DESERIALIZED_ALL)
        printf("threw %s\n", result == PS_DESERIALIZED_FAILED ? err.text : "it waits");
}

/* ---- sink hdfs ---- */

static char tree_root[PATH_MAX];
static char *tree_lines[256];
static size_t tree_count;

static int add_file(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    if (type != FTW_F)
        return 0;
    char *line = NULL;
    size_t room;
    FILE *to = open_memstream(&line, &room), *from = fopen(path, "re");
    assert_true(to != NULL && from != NULL && tree_count < PS_COUNT_OF(tree_lines));
    fprintf(to, "file ");
    for (const char *at = path + strlen(tree_root) + 1; *at != '\0'; at++)
        fprintf(to, "%02x", (unsigned char)*at);
    fputc(' ', to);
    if (status->st_size == 0)
        fputc('-', to);
    for (int byte; (byte = fgetc(from)) != EOF;)
        fprintf(to, "%02x", (unsigned)byte);
    fclose(from);
    fclose(to);
    tree_lines[tree_count++] = line;
    return 0;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    return remove(path);
}

static int by_text(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

/* Prints the files and removes the tree. */
static void print_files(void)
{
    tree_count = 0;
    nftw(tree_root, add_file, 16, FTW_PHYS);
    qsort(tree_lines, tree_count, sizeof tree_lines[0], by_text);
    for (size_t i = 0; i < tree_count; i++) {
        puts(tree_lines[i]);
        free(tree_lines[i]);
    }
    nftw(tree_root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Puts the root of the tree in place of @ROOT@. */
static void place_root(struct one *one, const char *root)
{
    for (size_t i = 1; i < one->key_count; i += 2) {
        const char *mark = strstr(one->keys[i], "@ROOT@");
        if (mark != NULL)
            one->keys[i] = ps_arena_format(one->arena, "%.*s%s%s", (int)(mark - one->keys[i]), one->keys[i],
                                           root, mark + strlen("@ROOT@"));
    }
}

/* Whether the sink has met an event that it cannot write. On the local disk no further try ends otherwise. */
static bool met_unwritable(const struct ps_test_stage *stage)
{
    return ps_test_stage_counter(stage, PS_COUNTER_EventWriteFail) > 0;
}

static void hdfs(struct ps_test_stage *stage, const struct one *one)
{
    ps_test_stage_real_clock(stage);
    struct ps_lease *lease = ps_test_lease(stage, one->events, one->event_count);
    enum ps_result result = PS_LATER;
    unsigned last = SINK_PATIENCE_MS;
    for (unsigned i = 0; lease != NULL && result == PS_LATER && i < last; i++) {
        result = ps_test_sink_work(stage, &lease);
        (void)ps_test_sink_tick(stage);
        if (result == PS_LATER)
            usleep(1000);
        if (met_unwritable(stage) && last == SINK_PATIENCE_MS)
            last = i + OTHERS_PATIENCE_MS;
    }
    last = SINK_PATIENCE_MS;
    for (unsigned i = 0; result == PS_TAKEN && stage->done_count == 0 && !stage->failed && i < last; i++) {
        (void)ps_test_sink_tick(stage);
        ps_test_stage_pass_ms(stage, 1);
        if (stage->done_count == 0)
            usleep(1000);
        if (met_unwritable(stage) && last == SINK_PATIENCE_MS)
            last = i + OTHERS_PATIENCE_MS;
    }
    if (result != PS_DONE && stage->done_count == 0)
        printf("threw %s\n", stage->err.text);
    (void)ps_test_sink_recall(stage);
}

/* ---- the handler of JSON ---- */

static void json(struct ps_test_stage *stage, const struct one *one)
{
    static struct ps_json_handler handler;
    struct ps_err err;
    if (handler.scan.events == NULL)
        assert_int_equal(ps_json_handler_init(&handler, &err), PS_OK);
    struct ps_http_text text = {.is_lines = false};
    const char *type = one->charset != NULL
                           ? ps_arena_format(one->arena, "application/json; charset=%s", one->charset)
                           : "application/json";
    struct ps_http_message message = {.content_type = {.at = 0, .length = (uint16_t)strlen(type)}};
    struct ps_batch *batch = ps_test_stage_take_batch(stage);
    char *body = ps_batch_alloc(batch, (uint32_t)one->input_length + 1);
    memcpy(body, one->input, one->input_length);
    struct ps_http_exchange exchange = {.message = &message,
                                        .head = type,
                                        .body = body,
                                        .body_length = (uint32_t)one->input_length,
                                        .text = &text};
    enum ps_http_taken taken = ps_json_handler_take(&handler, stage->port.blocks, batch, &exchange);
    assert_true(taken == PS_HTTP_TAKEN || taken == PS_HTTP_REFUSED);
    printf("ways %u\n", taken == PS_HTTP_TAKEN ? 200U : exchange.status);
    for (uint32_t row = 0; taken == PS_HTTP_TAKEN && row < batch->count; row++)
        print_event(batch, &batch->events[row]);
}

/* ---- syslog ---- */

static void syslog_messages(const struct one *one)
{
    struct ps_pair *items = ps_arena_alloc(one->arena, (one->key_count / 2 + 1) * sizeof *items);
    for (size_t i = 0; i < one->key_count; i += 2)
        items[i / 2] = (struct ps_pair){.key = one->keys[i], .value = one->keys[i + 1]};
    const struct ps_pairs format = {one->key_count / 2, items};
    struct ps_err err;
    if (format.count > 0) {
        struct ps_syslog_format *made = ps_syslog_format_create(&format, NULL, &err);
        if (made == NULL) {
            printf("refused %s\n", err.text);
            return;
        }
        ps_syslog_format_destroy(made);
    }
    const struct ps_test_syslog how = {.mode = one->type,
                                       .zone = one->zone,
                                       .now_ms = strtoll(one->now, NULL, 10),
                                       .keep_fields = one->keep,
                                       .size_max = (uint32_t)strtoul(one->size, NULL, 10)};
    char *text = ps_test_syslog_run(&how, format.count > 0 ? &format : NULL, one->input, one->input_length);
    printf("out ");
    print_hex(text, strlen(text));
    putchar('\n');
    free(text);
}

/* ---- the cases ---- */

static void answer(struct one *one)
{
    static const char *const channels[] = {"c1", "c2", "c3", "c4"};
    static const struct {
        const char *kind;
        enum ps_kind number;
        void (*run)(struct ps_test_stage *stage, const struct one *one);
    } kinds[] = {
        {"interceptor", PS_KIND_INTERCEPTOR, interceptor},
        {"selector", PS_KIND_SELECTOR, selector},
        {"serializer", PS_KIND_SERIALIZER, serializer},
        {"deserializer", PS_KIND_DESERIALIZER, deserializer},
        {"hdfs", PS_KIND_SINK, hdfs},
        {"json", PS_KIND_SOURCE, json},
    };
    if (strcmp(one->kind, "syslog") == 0) {
        syslog_messages(one);
        return;
    }
    size_t k = 0;
    while (k < PS_COUNT_OF(kinds) && strcmp(kinds[k].kind, one->kind) != 0)
        k++;
    assert_true(k < PS_COUNT_OF(kinds));
    const struct ps_stage_ops *ops = ps_stage_find(ps_stages, kinds[k].number, one->type);
    if (ops == NULL) {
        printf("refused no such type\n");
        return;
    }
    bool files = kinds[k].run == hdfs;
    if (files) {
        char deep[PATH_MAX + 8];
        snprintf(tree_root, sizeof tree_root, "%s/hdfs", folder);
        mkdir(tree_root, 0755);
        snprintf(deep, sizeof deep, "%s/a", tree_root);
        mkdir(deep, 0755);
        snprintf(deep, sizeof deep, "%s/a/b", tree_root);
        mkdir(deep, 0755);
        place_root(one, deep);
    }
    struct ps_test_stage stage;
    ps_test_stage_init(&stage, ops);
    stage.context.channels = (struct ps_texts){PS_COUNT_OF(channels), channels};
    if (kinds[k].run == json || begin(&stage, one))
        kinds[k].run(&stage, one);
    ps_test_stage_fini(&stage);
    if (files)
        print_files();
}

static void read_event(struct one *one, char *words)
{
    assert_true(one->event_count < CASE_EVENTS_MAX);
    char *save;
    size_t length, used = 0;
    const char **headers = one->headers[one->event_count];
    const char *body = from_hex(one->arena, strtok_r(words, " ", &save), &length);
    for (const char *word; (word = strtok_r(NULL, " ", &save)) != NULL;) {
        assert_true(used < PS_COUNT_OF(one->headers[0]) - 1);
        headers[used++] = text_of(one->arena, word);
    }
    headers[used] = NULL;
    one->events[one->event_count++] =
        (struct ps_test_event){.body = body, .length = (uint32_t)length, .headers = headers};
}

static void read_case(struct one *one, const char *words)
{
    *one = (struct one){.arena = ps_arena_create(), .policy = "FAIL"};
    unsigned number;
    assert_int_equal(sscanf(words, "%u %31s %127s", &number, one->kind, one->type), 3);
    printf("case %u\n", number);
    fflush(stdout); /* so that after a crash the output names this case */
}

static void read_key(struct one *one, char *words)
{
    char *space = strchr(words, ' ');
    assert_true(space != NULL && one->key_count < 2 * CASE_PAIRS_MAX);
    *space = '\0';
    one->keys[one->key_count++] = text_of(one->arena, words);
    one->keys[one->key_count++] = text_of(one->arena, space + 1);
    one->keys[one->key_count] = NULL;
}

static void read_with(struct one *one, const char *words)
{
    const struct {
        const char *name, **to;
    } names[] = {{"charset ", &one->charset}, {"policy ", &one->policy}, {"zone ", &one->zone},
                 {"now ", &one->now},         {"keep ", &one->keep},     {"size ", &one->size}};
    for (size_t i = 0; i < PS_COUNT_OF(names); i++) {
        size_t length = strlen(names[i].name);
        if (strncmp(words, names[i].name, length) == 0)
            *names[i].to = text_of(one->arena, words + length);
    }
}

int main(int count, char **arguments)
{
    static struct one one;
    char *line = NULL;
    size_t room = 0;
    ssize_t length;
    assert_int_equal(count, 2);
    folder = arguments[1];
    while ((length = getline(&line, &room, stdin)) > 0) {
        line[length - 1] = '\0';
        char *words = strchr(line, ' ');
        words = words != NULL ? words + 1 : line + strlen(line);
        if (strncmp(line, "case ", 5) == 0) {
            read_case(&one, words);
        } else if (strncmp(line, "key ", 4) == 0) {
            read_key(&one, words);
        } else if (strncmp(line, "with ", 5) == 0) {
            read_with(&one, words);
        } else if (strncmp(line, "input ", 6) == 0) {
            one.input = from_hex(one.arena, words, &one.input_length);
        } else if (strncmp(line, "event ", 6) == 0) {
            read_event(&one, words);
        } else {
            assert_string_equal(line, "end");
            answer(&one);
            printf("end\n");
            ps_arena_destroy(one.arena);
        }
    }
    free(line);
    return 0;
}

/* Compares conf/properties/properties.c with java.util.Properties: files generated from a seed out of everything that is
 * special in the syntax; the pairs of both sides are compared. Needs a JDK (java runs the single file PropertiesDump.java),
 * else it is skipped. Compares more files: PENSTOCK_FILES="a b c" (their paths). PENSTOCK_ROUNDS sets how many are
 * generated. */
#include "tests/support/support.h"

#include "conf/file.h"
#include "conf/properties/properties.h"
#include "conf/text.h"

#include <stdio.h>
#include <unistd.h>

#define ROUNDS 2000
#define BYTES_MAX 200

/* Generates mostly pieces with a special meaning, and now and then any byte. */
static size_t make_text(uint64_t *seed, char *text)
{
    static const char *const pieces[] = {
        "\\",  "\n", "\r",     "\r\n",    "=",   ":",       " ",     "\t",   "\f",       "#",
        "!",   "a",  "key",    "\\u0041", "\\u", "\\ud83d", "\\uzz", "\\\n", "\\\r\n  ", "\\\\",
        "\\t", "x1", "value ", "\xe9",    "\\=", "\\ ",     "\n#",   "\n!",  "00",       "\\u00e9"};
    size_t length = 0, want = ps_test_random(seed) % BYTES_MAX;
    bool malformed = ps_test_random(seed) % 8 == 0; /* otherwise hardly any file would be read to its end */
    while (length < want) {
        uint64_t pick = ps_test_random(seed);
        if (pick % 20 == 0) {
            char byte = (char)(pick >> 8);
            /* A lone surrogate also becomes '?', so two keys could become equal. */
            text[length++] = byte == '?' ? '-' : byte;
            continue;
        }
        const char *piece = pieces[(pick >> 16) % PS_COUNT_OF(pieces)];
        if (!malformed && (strcmp(piece, "\\u") == 0 || strcmp(piece, "\\uzz") == 0))
            continue;
        size_t size = strlen(piece);
        memcpy(text + length, piece, size);
        length += size;
    }
    return length;
}

static void put_hex(FILE *out, const char *text)
{
    for (; *text != '\0'; text++)
        fprintf(out, "%02x", (unsigned char)*text);
}

static int line_compare(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

/* Writes our output for one file, in the format of PropertiesDump. */
static void dump(FILE *out, const char *bytes, size_t length)
{
    struct ps_arena *arena = ps_arena_create();
    struct ps_problems problems;
    struct ps_properties properties;
    ps_problems_init(&problems, arena);
    ps_properties_init(&properties, arena);
    fputs("file\n", out);
    if (ps_properties_load(&properties, "t", bytes, length, &problems) != PS_OK) {
        fputs("refused\n", out);
    } else {
        char **lines = calloc(properties.count + 1, sizeof *lines);
        assert_non_null(lines);
        for (size_t i = 0; i < properties.count; i++) {
            size_t size;
            FILE *line = open_memstream(&lines[i], &size);
            put_hex(line, properties.items[i].key);
            fputc('=', line);
            put_hex(line, properties.items[i].value);
            fputc('\n', line);
            fclose(line);
        }
        qsort(lines, properties.count, sizeof *lines, line_compare);
        for (size_t i = 0; i < properties.count; i++) {
            fputs(lines[i], out);
            free(lines[i]);
        }
        free(lines);
    }
    ps_properties_fini(&properties);
    ps_problems_fini(&problems);
    ps_arena_destroy(arena);
}

static void dump_file(FILE *ours, FILE *names, const char *path)
{
    struct ps_file file;
    struct ps_err err;
    assert_int_equal(ps_file_read(path, PS_PROPERTIES_BYTES_MAX, &file, &err), PS_OK);
    dump(ours, file.bytes, file.length);
    fprintf(names, "%s\n", path);
    ps_file_free(&file);
}

static void test_java_reads_the_same(void **state)
{
    const char *source = getenv("PENSTOCK_SOURCE");
    assert_non_null(source);
    char directory[] = "/tmp/penstock-properties-XXXXXX", command[2048], path[256], text[BYTES_MAX + 16];
    assert_non_null(mkdtemp(directory));
    uint64_t seed = ps_test_seed();
    const char *rounds_text = getenv("PENSTOCK_ROUNDS");
    int rounds = rounds_text != NULL ? atoi(rounds_text) : ROUNDS;
    snprintf(path, sizeof path, "%s/names", directory);
    FILE *names = fopen(path, "w");
    snprintf(path, sizeof path, "%s/ours", directory);
    FILE *ours = fopen(path, "w");
    assert_non_null(names);
    assert_non_null(ours);
    for (int i = 0; i < rounds; i++) {
        snprintf(path, sizeof path, "%s/%d", directory, i);
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        size_t length = make_text(&seed, text);
        assert_int_equal(fwrite(text, 1, length, file), length);
        fclose(file);
        dump_file(ours, names, path);
    }
    const char *more = getenv("PENSTOCK_FILES");
    struct ps_arena *arena = ps_arena_create();
    struct ps_texts files = ps_text_split_blanks(arena, more != NULL ? more : "");
    for (size_t i = 0; i < files.count; i++)
        dump_file(ours, names, files.items[i]);
    ps_arena_destroy(arena);
    fclose(names);
    fclose(ours);
    snprintf(command, sizeof command,
             "cd %s && java -XX:TieredStopAtLevel=1 %s/tests/conf/data/PropertiesDump.java < names > java && "
             "cmp java ours && rm -rf %s",
             directory, source, directory);
    assert_int_equal(system(command), 0); /* on failure the folder stays, to compare `java` and `ours` */
}

int main(void)
{
    if (system("java --version > /dev/null 2>&1") != 0) {
        puts("SKIP: java is not installed");
        return 77;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_java_reads_the_same)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

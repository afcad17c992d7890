/* The files of tests/conf once more, with company: every list gets one more valid member, first at its beginning, then at
 * its end. The output of check about the other members stays the same, word by word: it does not depend on a member's
 * place in the list. */
#include "tests/conf/corpus.h"

#include "tests/support/folder.h"

#include <ctype.h>
#include <glob.h>
#include <stdlib.h>
#include <unistd.h>

#define LINES_MAX 400U

/* Files whose output may differ, each with the reason. */
static const struct {
    const char *name, *reason;
} differing[] = {
    {"033-configured-not-listed", "where there is a list of groups, the cure is another one"},
    {"046-no-type", "the only channel of its own is dropped: the cure names another one, where there is one"},
};

static const char company[] = "a1.sources.zzs.type = seq\n"
                              "a1.sources.zzs.channels = zzc\n"
                              "a1.channels.zzc.type = memory\n"
                              "a1.sinks.zzk.type = null\n"
                              "a1.sinks.zzk.channel = zzc\n";
static const char company_group[] = "a1.sinks.zzm.type = null\n"
                                    "a1.sinks.zzm.channel = zzc\n"
                                    "a1.sinkgroups.zzg.sinks = zzk zzm\n"
                                    "a1.sinkgroups.zzg.processor.type = failover\n"
                                    "a1.sinkgroups.zzg.processor.priority.zzk = 3\n"
                                    "a1.sinkgroups.zzg.processor.priority.zzm = 5\n";

/* Returns the member that a list of this key gets, or NULL. */
static const char *member_of(const char *key)
{
    static const struct {
        const char *key, *member;
    } lists[] = {
        {"a1.sources", "zzs"}, {"a1.channels", "zzc"}, {"a1.sinks", "zzk"}, {"a1.sinkgroups", "zzg"}};
    size_t length = strlen(key), end = strlen(".interceptors");
    for (size_t i = 0; i < PS_COUNT_OF(lists); i++)
        if (strcmp(key, lists[i].key) == 0)
            return lists[i].member;
    return strncmp(key, "a1.sources.", 11) == 0 && length > end &&
                   strcmp(key + length - end, ".interceptors") == 0
               ? "zzi"
               : NULL;
}

/* Writes one line with the further member of its list. Returns the list's key, in `key`, or NULL. */
static const char *line_write(FILE *out, FILE *after, const char *line, size_t length, bool first,
                              char key[256])
{
    size_t name = strcspn(line, " \t=:\n"), at = name + strspn(line + name, " \t=:");
    const char *member = NULL;
    key[0] = '\0';
    if (name < 256 && at < length) {
        snprintf(key, 256, "%.*s", (int)name, line);
        member = member_of(key);
    }
    if (member == NULL) {
        fprintf(out, "%.*s\n", (int)length, line);
        return NULL;
    }
    bool grouped = strcmp(member, "zzk") == 0;
    const char *more = grouped ? " zzm" : "";
    fprintf(out, "%.*s%s%s%s%.*s%s%s%s\n", (int)at, line, first ? member : "", first ? more : "",
            first ? " " : "", (int)(length - at), line + at, first ? "" : " ", first ? "" : member,
            first ? "" : more);
    if (strcmp(member, "zzi") == 0)
        fprintf(after, "%s.zzi.type = timestamp\n", key);
    return member;
}

/* Writes the file with company into the folder. Returns false if it has no place for company: a list in several lines or in another
 * encoding of lines, or not each of the three lists. */
static bool with_company(const char *name, const char *text, bool first)
{
    char key[256], *after = NULL;
    size_t after_length = 0;
    bool has[3] = {false}, group = false;
    if (strchr(text, '\r') != NULL || strstr(text, "\\\n") != NULL || text[strlen(text) - 1] != '\n' ||
        strncmp(text, "#: ", 3) == 0)
        return false;
    FILE *out = fopen(ps_test_folder_path(name), "w"), *more = open_memstream(&after, &after_length);
    assert_true(out != NULL && more != NULL);
    for (const char *line = text; *line != '\0'; line += strcspn(line, "\n") + 1) {
        const char *member = line_write(out, more, line, strcspn(line, "\n"), first, key);
        if (member == NULL)
            continue;
        has[0] |= strcmp(member, "zzs") == 0;
        has[1] |= strcmp(member, "zzc") == 0;
        has[2] |= strcmp(member, "zzk") == 0;
        group |= strcmp(member, "zzg") == 0;
    }
    fclose(more);
    fprintf(out, "%s%s%s", company, company_group, after);
    if (!group)
        fprintf(out, "a1.sinkgroups = zzg\n");
    fclose(out);
    free(after);
    return has[0] && has[1] && has[2];
}

static bool is_of_company(const char *line, size_t length)
{
    static const char *const own[] = {
        "  source zzs: seq",
        "  channel zzc: memory, capacity 100 events, 1 in, 2 out",
        "  sink zzk: null from channel zzc, group zzg",
        "  sink zzm: null from channel zzc, group zzg",
        "  sink group zzg: failover: zzk zzm",
        "    -> interceptor zzi: timestamp",
    };
    for (size_t i = 0; i < PS_COUNT_OF(own); i++)
        if (strlen(own[i]) == length && memcmp(own[i], line, length) == 0)
            return true;
    return false;
}

/* Returns whether the line is one about the agent as a whole, which the company changes. */
static bool is_of_agent(const char *line, size_t length)
{
    return (length == 8 && memcmp(line, "agent a1", 8) == 0) || strncmp(line, "a1: ", 4) == 0 ||
           memmem(line, length, ": error: a1: the agent has ", 27) != NULL;
}

/* Removes the lines about the agent and those about the company, with the lines that follow its source. */
static void company_forget(char *text)
{
    char *to = text;
    bool of_source = false;
    for (const char *line = text; *line != '\0';) {
        size_t length = strcspn(line, "\n"), whole = length + (line[length] == '\n');
        bool below = strncmp(line, "    ", 4) == 0;
        of_source = below ? of_source : strncmp(line, "  source zzs", 12) == 0;
        if (!is_of_company(line, length) && !is_of_agent(line, length) && !(below && of_source)) {
            memmove(to, line, whole);
            to += whole;
        }
        line += whole;
    }
    *to = '\0';
}

static bool may_differ(const char *name)
{
    for (size_t i = 0; i < PS_COUNT_OF(differing); i++)
        if (strncmp(name, differing[i].name, strlen(differing[i].name)) == 0)
            return true;
    return false;
}

/* Every other file is there as it is: files name each other. */
static void link_all(const char *directory)
{
    char pattern[1100];
    glob_t files;
    snprintf(pattern, sizeof pattern, "%s/*", directory);
    assert_int_equal(glob(pattern, 0, NULL, &files), 0);
    for (size_t i = 0; i < files.gl_pathc; i++)
        assert_int_equal(symlink(files.gl_pathv[i], ps_test_folder_path(strrchr(files.gl_pathv[i], '/') + 1)),
                         0);
    globfree(&files);
    assert_int_equal(chdir(ps_test_folder()), 0);
}

static void play(bool first)
{
    char directory[1024];
    const char *source = getenv("PENSTOCK_SOURCE");
    assert_non_null(source);
    snprintf(directory, sizeof directory, "%s/tests/conf", source);
    corpus_environment();
    assert_int_equal(chdir(directory), 0);
    glob_t files;
    assert_int_equal(glob("[0-9]*.properties", 0, NULL, &files), 0);
    link_all(directory);
    size_t wrong = 0, asked = 0;
    for (size_t i = 0; i < files.gl_pathc; i++) {
        const char *name = files.gl_pathv[i];
        struct ps_file file = {0};
        assert_int_equal(ps_file_read(name, 1 << 20, &file, NULL), PS_OK);
        char *alone = outcome(name);
        unlink(ps_test_folder_path(name));
        if (strlen(file.bytes) == file.length && file.length > 0 && with_company(name, file.bytes, first) &&
            !may_differ(name)) {
            char *got = outcome(name);
            company_forget(got);
            company_forget(alone);
            asked++;
            if (strcmp(alone, got) != 0) {
                printf("---- %s: alone\n%s---- with company, which is %s\n%s----\n", name, alone,
                       first ? "first" : "last", got);
                wrong++;
            }
            free(got);
        }
        free(alone);
        ps_file_free(&file);
    }
    globfree(&files);
    printf("%zu files with company, %zu differ\n", asked, wrong);
    assert_true(asked >= 60);
    assert_int_equal(wrong, 0);
}

static void test_company_is_first(void **state)
{
    play(true);
}

static void test_company_is_last(void **state)
{
    play(false);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, ps_test_folder_setup, ps_test_folder_teardown)
    const struct CMUnitTest tests[] = {TEST(test_company_is_first), TEST(test_company_is_last)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

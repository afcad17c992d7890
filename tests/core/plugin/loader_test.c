/* Plug-ins: a private copy that outlives the file, one load for equal bytes, unloaded with the last user; each mistake in
 * a file named with reason and cure; hostile ELF headers. The shared objects are tests/core/plugin/sample.c. */
#include "core/plugin/elf.h"
#include "core/plugin/loader.h"
#include "core/plugin/module.h"
#include "core/plugin/plugin.h"
#include "core/plugin/watch.h"
#include "tests/support/folder.h"
#include "tests/support/support.h"

#include <dlfcn.h>
#include <elf.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct ps_stage_ops host = {PS_STAGE(PS_KIND_SINK), .name = "host",
                                         .aliases = PS_WORDS("org.example.Host$Builder")};
static const struct ps_stage_ops *const native[] = {&host, NULL};

static char *bytes_of(const char *path, size_t *length)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        fail_msg("%s is not built", path);
    static char bytes[8 << 20];
    *length = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    assert_true(*length > 0 && *length < sizeof bytes);
    return bytes;
}

static void write_bytes(const char *path, const char *bytes, size_t length)
{
    FILE *file = fopen(path, "wb"); /* keeps the inode: as cp does */
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, 0644), 0);
}

static const char *sample_path(const char *name)
{
    static char path[4096];
    const char *tools = getenv("PENSTOCK_TOOLS");
    snprintf(path, sizeof path, "%s/plugin_sample_%s.so", tools != NULL ? tools : "build/release/tests",
             name);
    return path;
}

/* Copies a sample to plugins.d/NAME/penstock/x.so of the test's folder. Returns that path. */
static const char *put(const char *plugin, const char *sample)
{
    static char path[4][4096];
    static unsigned next;
    char *at = path[next++ % 4];
    const char *parts[] = {"plugins.d", plugin, "penstock"};
    size_t length;
    snprintf(at, sizeof path[0], "%s", ps_test_folder());
    for (size_t i = 0; i < PS_COUNT_OF(parts); i++) {
        snprintf(at + strlen(at), sizeof path[0] - strlen(at), "/%s", parts[i]);
        (void)mkdir(at, 0755);
    }
    strcat(at, "/x.so");
    const char *bytes = bytes_of(sample_path(sample), &length);
    write_bytes(at, bytes, length);
    return at;
}

static struct {
    unsigned count;
    char file[4096], what[PS_ERR_BYTES], cure[PS_ERR_BYTES];
} reported;

static void on_report(void *argument, enum ps_log_level level, const char *file, const char *what,
                      const char *cure)
{
    assert_int_equal(level, PS_LOG_ERROR);
    assert_non_null(cure);
    reported.count++;
    snprintf(reported.file, sizeof reported.file, "%s", file);
    snprintf(reported.what, sizeof reported.what, "%s", what);
    snprintf(reported.cure, sizeof reported.cure, "%s", cure);
}

static struct ps_plugins *load(void)
{
    static char folder[4096];
    static const char *const folders[] = {folder, folder, "/nonexistent"};
    snprintf(folder, sizeof folder, "%s/plugins.d", ps_test_folder());
    const struct ps_texts list = {PS_COUNT_OF(folders), folders};
    reported.count = 0;
    return ps_plugins_load(&list, native, on_report, NULL);
}

static const struct ps_stage_ops *sample_of(const struct ps_plugins *plugins)
{
    return ps_stage_find(ps_plugins_stages(plugins), PS_KIND_SINK, "sample");
}

static unsigned mappings(void)
{
    char line[8192];
    unsigned count = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    assert_non_null(maps);
    while (fgets(line, sizeof line, maps) != NULL)
        count += strstr(line, "memfd:x.so") != NULL;
    fclose(maps);
    return count;
}

static void test_found_by_name(void **state)
{
    put("one", "good");
    struct ps_plugins *plugins = load();
    assert_int_equal(reported.count, 0);
    const struct ps_stage_ops *const *stages = ps_plugins_stages(plugins);
    assert_ptr_equal(stages[0], &host);
    assert_string_equal(stages[1]->name, "sample");
    assert_null(stages[2]); /* a folder that is listed twice gives its plug-in once */
    assert_ptr_equal(ps_stage_find(stages, PS_KIND_SINK, "ORG.example.Sample$Builder"), stages[1]);
    assert_null(ps_plugins_module_of(plugins, &host));
    assert_ptr_equal(ps_plugins_module_of(plugins, stages[1]), ps_plugins_module(plugins, 0));
    assert_null(ps_plugins_module(plugins, 1));
    ps_plugins_destroy(plugins);
}

/* The file is overwritten in place, and removed: the stage keeps working. */
static void test_private_copy(void **state)
{
    const char *path = put("one", "good");
    struct ps_plugins *plugins = load();
    const struct ps_stage_ops *ops = sample_of(plugins);
    assert_non_null(ops);
    static char zeros[1 << 16];
    write_bytes(path, zeros, sizeof zeros);
    assert_string_equal(ops->summary, "a good one");
    assert_int_equal(ops->sink->work(NULL, NULL, NULL, NULL), PS_DONE);
    unlink(path);
    assert_int_equal(ops->sink->work(NULL, NULL, NULL, NULL), PS_DONE);
    ps_plugins_destroy(plugins);
    assert_int_equal(mappings(), 0);
}

static void test_other_bytes_are_another_load(void **state)
{
    const char *path = put("one", "good");
    struct ps_plugins *first = load(), *same = load();
    assert_ptr_equal(sample_of(same), sample_of(first));
    write_bytes(path, "", 0);
    put("one", "other");
    struct ps_plugins *second = load();
    const struct ps_stage_ops *before = sample_of(first), *after = sample_of(second);
    assert_ptr_not_equal(before, after);
    assert_int_not_equal(ps_plugins_module(first, 0)->load, ps_plugins_module(second, 0)->load);
    assert_string_equal(before->summary, "a good one");
    assert_string_equal(after->summary, "another one");
    ps_plugins_destroy(first);
    assert_string_equal(before->summary, "a good one"); /* `same` uses it */
    assert_int_equal(before->sink->work(NULL, NULL, NULL, NULL), PS_DONE);
    unsigned both = mappings();
    ps_plugins_destroy(same);
    assert_true(mappings() < both);
    assert_int_equal(after->sink->work(NULL, NULL, NULL, NULL), PS_DONE);
    ps_plugins_destroy(second);
    assert_int_equal(mappings(), 0);
}

/* The texts of a stage that edits batches are in events that wait in channels: its object stays loaded, and is used again. */
static void test_stays_for_its_texts(void **state)
{
    put("one", "keeper");
    struct ps_plugins *plugins = load();
    assert_int_equal(reported.count, 0);
    const struct ps_stage_ops *ops = ps_plugins_stages(plugins)[1];
    assert_int_equal(ops->kind, PS_KIND_INTERCEPTOR);
    unsigned loaded = mappings();
    ps_plugins_destroy(plugins);
    assert_int_equal(mappings(), loaded);
    assert_string_equal(ops->summary, "another one");
    plugins = load();
    assert_ptr_equal(ps_plugins_stages(plugins)[1], ops);
    assert_int_equal(mappings(), loaded);
    ps_plugins_destroy(plugins);
}

static void expect(const char *what, const char *cure)
{
    struct ps_plugins *plugins = load();
    if (reported.count == 0)
        fail_msg("nothing is reported of \"%s\"", what);
    if (strstr(reported.what, what) == NULL || strstr(reported.cure, cure) == NULL)
        fail_msg("%s: \"%s\" (%s) instead of \"%s\" (%s)", reported.file, reported.what, reported.cure, what,
                 cure);
    assert_null(ps_plugins_module(plugins, 0));
    assert_null(ps_plugins_stages(plugins)[1]);
    ps_plugins_destroy(plugins);
    assert_int_equal(mappings(), 0);
}

static void test_mistakes_in_a_plugin(void **state)
{
    static const struct {
        const char *sample, *what, *cure;
    } cases[] = {
        {"old", "stage sample was made for version", "build it again with the headers of this penstock"},
        {"short", "made for an earlier contract", "build it again"},
        {"contractless", "a stage without PS_STAGE(kind)", "docs/CONTRACT.md"},
        {"nameless", "a stage without a name", "correct the plug-in"},
        {"blank", "a stage without a name", "correct the plug-in"},
        {"idle", "a stage sample that lacks work", "docs/CONTRACT.md"},
        {"functionless", "lacks the functions of its kind", "docs/CONTRACT.md"},
        {"none", "has no symbol ps_plugin_stages", "PS_PLUGIN(&stage, ...)"},
        {"empty", "its table ps_plugin_stages is empty", "PS_PLUGIN"},
        {"undefined", "undefined symbol: nobody_has_this", "install the libraries"},
        {"native", "has sink `host`, and penstock has one", "another name"},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        put("one", cases[i].sample);
        expect(cases[i].what, cases[i].cure);
        assert_int_equal(reported.count, 2); /* once for each time the folder is listed */
    }
    put("one", "endless"); /* read no further than the symbol is long */
    struct ps_plugins *plugins = load();
    assert_int_equal(reported.count, 0);
    assert_non_null(sample_of(plugins));
    ps_plugins_destroy(plugins);
}

static void test_two_of_a_name(void **state)
{
    put("a", "good");
    put("b", "alias"); /* by its alias alone */
    struct ps_plugins *plugins = load();
    assert_true(reported.count > 0);
    assert_non_null(strstr(reported.file, "/b/penstock/x.so"));
    assert_non_null(strstr(reported.what, "`org.example.Sample$Builder`, and so has "));
    assert_non_null(strstr(reported.what, "/a/penstock/x.so"));
    assert_non_null(strstr(reported.cure, "remove one of the two files"));
    assert_non_null(sample_of(plugins));
    assert_null(ps_plugins_stages(plugins)[2]);
    ps_plugins_destroy(plugins);
}

static void test_files_that_are_none(void **state)
{
    const char *path = put("one", "good");
    write_bytes(path, "", 0);
    expect("is empty", "cc -shared");
    write_bytes(path, "#!/bin/sh\n", 10);
    expect("is not a shared object: it has no ELF header", "cc -shared -fPIC");
    size_t length;
    const char *bytes = bytes_of(sample_path("good"), &length);
    write_bytes(path, bytes, length / 2);
    expect("is cut short", "rename it when it is complete");
    char *narrow = bytes_of(sample_path("good"), &length);
    narrow[EI_CLASS] = ELFCLASS32;
    write_bytes(path, narrow, length);
    expect("is a 32-bit object, and this program is a 64-bit one", "without -m32");
    narrow[EI_CLASS] = ELFCLASSNUM;
    write_bytes(path, narrow, length);
    expect("is for another machine", "build it for the machine");
    put("one", "good");
    assert_int_equal(chmod(path, 0666), 0);
    expect("can be written by every user", "chmod o-w");
    assert_int_equal(chmod(path, 0644), 0);
    char folder[4096];
    snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(path, '/') - path), path);
    assert_int_equal(chmod(folder, 0777), 0);
    expect("can be written by every user", "chmod o-w");
    assert_int_equal(chmod(folder, 0755), 0);
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    expect("is not a regular file", "cc -shared");
    unlink(path);
    assert_int_equal(symlink("/nonexistent/x.so", path), 0);
    expect("cannot be read: No such file", "remove the link that points there");
    unlink(path);
    if (geteuid() == 0) /* root reads everything */
        return;
    put("one", "good");
    assert_int_equal(chmod(path, 0), 0);
    expect("cannot be read: Permission denied", "right to read");
}

/* Returns what a process says that loads, and ends by itself. `before` is called in it first. */
static const char *said_by_load(void (*before)(void), int code)
{
    static char said[8192];
    int ends[2], status;
    ssize_t got;
    size_t length = 0;
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        close(ends[1]);
        if (before != NULL)
            before();
        (void)load();
        _exit(99);
    }
    close(ends[1]);
    while ((got = read(ends[0], said + length, sizeof said - 1 - length)) > 0)
        length += (size_t)got;
    close(ends[0]);
    said[length] = '\0';
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) != code)
        fail_msg("it ends with %d and says: %s", WEXITSTATUS(status), said);
    return said;
}

/* The process ends, and says which file ended it. */
static void test_a_constructor_that_exits(void **state)
{
    put("one", "exits");
    const char *said = said_by_load(NULL, 3);
    if (strstr(said, "/one/penstock/x.so: the plug-in ended the process while it was loaded: ") == NULL)
        fail_msg("it says: %s", said);
}

static void limit(void)
{
    ps_plugin_watch_set((struct ps_plugin_patience){.limit_s = 3});
}

/* The lines contain these texts, in this order, and there are no others. */
static void expect_lines(const char *said, const char *const *texts, size_t count)
{
    const char *line = said;
    for (size_t i = 0; i < count; i++, line += strcspn(line, "\n") + 1)
        if (*line == '\0' || memmem(line, strcspn(line, "\n"), texts[i], strlen(texts[i])) == NULL)
            fail_msg("line %zu has no \"%s\": %s", i + 1, texts[i], said);
    if (*line != '\0')
        fail_msg("it says more than %zu lines: %s", count, said);
}

static void test_a_constructor_that_hangs(void **state)
{
    static const char *const limited[] = {"/one/penstock/x.so has been loading for 2 s: a constructor",
                                          "/one/penstock/x.so is not loaded after 3 s: a constructor"};
    put("one", "hangs");
    expect_lines(said_by_load(limit, 1), limited, PS_COUNT_OF(limited));
}

static void *load_for_ever(void *unused)
{
    (void)load();
    return NULL;
}

/* An agent that is stopped in the middle of a reload gives back the plug-ins that run. */
static void close_while_another_hangs(void)
{
    const char *cure = NULL;
    struct ps_err err = {.length = 0};
    pthread_t thread;
    alarm(60); /* ends the process by a signal, if it is still here */
    const struct ps_module *module = ps_module_open(put("two", "good"), &cure, &err);
    assert_non_null(module);
    unsigned one = mappings();
    put("one", "hangs");
    ps_plugin_watch_set((struct ps_plugin_patience){0});
    assert_int_equal(pthread_create(&thread, NULL, load_for_ever, NULL), 0);
    while (mappings() <= one) /* the second object */
        usleep(1000);
    ps_module_close(module);
    _exit(7);
}

static void test_close_while_another_hangs(void **state)
{
    (void)said_by_load(close_while_another_hangs, 7);
}

/* ---- headers that lie ---- */

static enum ps_status check(const void *bytes, size_t length)
{
    const char *cure = NULL;
    struct ps_err err = {.length = 0};
    enum ps_status status = ps_elf_check(bytes, length, &cure, &err);
    assert_non_null(cure);
    assert_true(status == PS_OK || err.length > 0);
    return status;
}

static void test_cut_at_every_length(void **state)
{
    size_t length;
    const char *whole = bytes_of(sample_path("good"), &length);
    for (size_t cut = 0; cut < length; cut++) {
        char *bytes = malloc(cut + 1);
        memcpy(bytes, whole, cut);
        if (check(bytes, cut) == PS_OK)
            fail_msg("%zu of %zu bytes count as whole", cut, length);
        free(bytes);
        cut += cut > sizeof(Elf64_Ehdr) * 4 ? 97 : 0;
    }
    assert_int_equal(check(whole, length - 1), PS_FAIL);
    assert_int_equal(check(whole, length), PS_OK);
}

static void test_drawn_headers(void **state)
{
    size_t length;
    const char *whole = bytes_of(sample_path("good"), &length);
    uint64_t random = ps_test_seed();
    unsigned good = 0;
    for (unsigned i = 0; i < 20000; i++) {
        size_t cut = 64 + ps_test_random(&random) % 1000;
        char *bytes = malloc(cut); /* as long as it says: a sanitizer sees each read past its end */
        memcpy(bytes, whole, cut);
        for (uint64_t flips = 1 + ps_test_random(&random) % 6; flips > 0; flips--)
            bytes[ps_test_random(&random) % (flips % 2 == 1 ? 64 : cut)] = (char)ps_test_random(&random);
        good += check(bytes, cut) == PS_OK;
        free(bytes);
    }
    assert_true(good < 20000);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, ps_test_folder_setup, ps_test_folder_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_found_by_name),
        CASE(test_private_copy),
        CASE(test_other_bytes_are_another_load),
        CASE(test_mistakes_in_a_plugin),
        CASE(test_two_of_a_name),
        CASE(test_files_that_are_none),
        CASE(test_a_constructor_that_exits),
        CASE(test_a_constructor_that_hangs),
        CASE(test_close_while_another_hangs),
        CASE(test_stays_for_its_texts), /* the last one that counts mappings */
        cmocka_unit_test(test_cut_at_every_length),
        cmocka_unit_test(test_drawn_headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

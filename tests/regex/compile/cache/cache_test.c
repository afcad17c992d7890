/* The cache of compiled databases: storing, loading, refusing, replacing, pruning. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "regex/compile/cache/cache.h"
#include "regex/matcher/matcher.h"
#include "tests/support/folder.h"
#include "tests/support/support.h"

static const struct ps_hyperscan_expression expressions[] = {
    {.text = "foo", .flags = 0},
    {.text = "b[a-z]r", .flags = PS_HYPERSCAN_PREFILTER},
};

struct kept {
    struct ps_bytes key;
    struct ps_compile_answer answer;
    char note[256], path[512];
};

static void compile(struct kept *kept)
{
    struct ps_compile_how how = {0};
    memset(kept, 0, sizeof *kept);
    ps_compile_key_write(&kept->key, expressions, 2);
    assert_int_equal(ps_compile_run(expressions, 2, &kept->key, &how, &kept->answer, NULL), PS_OK);
    snprintf(kept->path, sizeof kept->path, "%s/%016llx.hsdb", ps_test_folder_path("cache"),
             (unsigned long long)ps_bytes_hash(kept->key.data, kept->key.length));
}

static void kept_fini(struct kept *kept)
{
    ps_bytes_fini(&kept->key);
    ps_compile_answer_fini(&kept->answer);
}

static bool store(struct kept *kept)
{
    return ps_cache_store(ps_test_folder_path("cache"), &kept->key, 2, &kept->answer, kept->note,
                          sizeof kept->note);
}

static bool load(struct kept *kept)
{
    struct ps_compile_answer answer;
    bool loaded =
        ps_cache_load(ps_test_folder_path("cache"), &kept->key, 2, &answer, kept->note, sizeof kept->note);
    if (loaded) {
        assert_int_equal(answer.built.length, kept->answer.built.length);
        assert_memory_equal(answer.built.bytes, kept->answer.built.bytes, answer.built.length);
        assert_memory_equal(answer.built.outcomes, kept->answer.built.outcomes, 2);
        assert_string_equal(kept->note, "");
    } else {
        assert_null(answer.built.bytes);
        assert_null(answer.built.outcomes);
    }
    ps_compile_answer_fini(&answer);
    return loaded;
}

static void refused(struct kept *kept, const char *because)
{
    assert_false(load(kept));
    if (strstr(kept->note, because) == NULL)
        fail_msg("\"%s\" does not contain \"%s\"", kept->note, because);
}

static void test_keeps_and_finds(void **state)
{
    struct kept kept;
    struct stat about;
    compile(&kept);
    assert_false(load(&kept));
    assert_string_equal(kept.note, ""); /* a missing file is not an error */
    assert_true(store(&kept));
    assert_true(load(&kept));
    assert_int_equal(stat(kept.path, &about), 0);
    assert_int_equal(about.st_mode & 07777, 0600);
    assert_int_equal(stat(ps_test_folder_path("cache"), &about), 0);
    assert_int_equal(about.st_mode & 07777, 0700);
    assert_true(store(&kept)); /* overwrites the file */
    assert_true(load(&kept));
    kept_fini(&kept);
}

/* Tests a change of every part of a file, and a cut at every offset. */
static void test_damage_is_detected(void **state)
{
    struct kept kept;
    struct ps_bytes bytes = {0};
    struct ps_compile_answer answer;
    char platform[256];
    compile(&kept);
    ps_hyperscan_platform(platform, sizeof platform);
    ps_cache_write(&bytes, &kept.key, platform, 2, &kept.answer);
    assert_null(ps_cache_read(bytes.data, bytes.length, &kept.key, platform, 2, &answer));
    ps_compile_answer_fini(&answer);
    for (size_t i = 0; i < bytes.length; i += 1 + i / 64) {
        bytes.data[i] ^= 0x10;
        assert_non_null(ps_cache_read(bytes.data, bytes.length, &kept.key, platform, 2, &answer));
        bytes.data[i] ^= 0x10;
        assert_non_null(ps_cache_read(bytes.data, i, &kept.key, platform, 2, &answer));
    }
    const char *why = ps_cache_read(bytes.data, bytes.length, &kept.key, "another machine", 2, &answer);
    assert_non_null(strstr(why, "another machine"));
    kept.key.data[kept.key.length - 1] ^= 1;
    why = ps_cache_read(bytes.data, bytes.length, &kept.key, platform, 2, &answer);
    assert_string_equal(why, "it was made for other expressions");
    bytes.data[8] = 99;
    why = ps_cache_read(bytes.data, bytes.length, &kept.key, platform, 2, &answer);
    assert_string_equal(why, "it was made by another version of penstock");
    ps_bytes_fini(&bytes);
    kept_fini(&kept);
}

static void test_files_that_are_refused(void **state)
{
    struct kept kept;
    compile(&kept);
    assert_true(store(&kept));
    assert_int_equal(chmod(kept.path, 0620), 0);
    refused(&kept, "others may write to it");
    assert_int_equal(chmod(kept.path, 0602), 0);
    refused(&kept, "others may write to it");
    assert_true(store(&kept));
    assert_true(load(&kept)); /* replaced */
    assert_int_equal(truncate(kept.path, 100), 0);
    refused(&kept, "cut off");
    assert_int_equal(truncate(kept.path, 0), 0);
    refused(&kept, "not a cache file");

    assert_int_equal(unlink(kept.path), 0);
    assert_int_equal(symlink("/etc/passwd", kept.path), 0);
    refused(&kept, "symbolic link");
    assert_true(store(&kept));
    assert_true(load(&kept));
    assert_int_equal(unlink(kept.path), 0);
    assert_int_equal(mkfifo(kept.path, 0600), 0);
    refused(&kept, "not a regular file");
    assert_true(store(&kept));
    assert_true(load(&kept));
    assert_int_equal(unlink(kept.path), 0);
    assert_int_equal(mkdir(kept.path, 0700), 0);
    refused(&kept, "not a regular file");
    assert_false(store(&kept));
    assert_non_null(strstr(kept.note, "cannot write"));
    if (geteuid() == 0) {
        assert_int_equal(rmdir(kept.path), 0);
        assert_true(store(&kept));
        assert_int_equal(chown(kept.path, 65534, 65534), 0);
        refused(&kept, "another user");
    }
    kept_fini(&kept);
}

/* Returns the descriptor that an open would get: another one than before, if one was left open. */
static int next_descriptor(void)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    close(fd);
    return fd;
}

static void test_directories_that_are_refused(void **state)
{
    struct kept kept;
    compile(&kept);
    assert_true(store(&kept));
    int before = next_descriptor();
    assert_int_equal(chmod(ps_test_folder_path("cache"), 0777), 0);
    refused(&kept, "others may write to it");
    assert_false(store(&kept));
    assert_int_equal(chmod(ps_test_folder_path("cache"), 0700), 0);
    assert_true(load(&kept));
    ps_test_folder_append("file", "x", 1);
    struct ps_compile_answer answer;
    assert_false(
        ps_cache_load(ps_test_folder_path("file"), &kept.key, 2, &answer, kept.note, sizeof kept.note));
    assert_non_null(strstr(kept.note, "cannot open"));
    assert_false(
        ps_cache_load(ps_test_folder_path("no/such"), &kept.key, 2, &answer, kept.note, sizeof kept.note));
    assert_non_null(strstr(kept.note, "cannot create"));
    assert_int_equal(next_descriptor(), before);
    kept_fini(&kept);
}

static void file_of(const char *name, size_t bytes, time_t age)
{
    char path[600];
    snprintf(path, sizeof path, "cache/%s", name);
    const char *full = ps_test_folder_path(path);
    int fd = open(full, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
    struct timespec times[2] = {{.tv_sec = time(NULL) - age}, {.tv_sec = time(NULL) - age}};
    assert_int_equal(futimens(fd, times), 0);
    close(fd);
}

static bool is_there(const char *name)
{
    char path[600];
    snprintf(path, sizeof path, "cache/%s", name);
    return access(ps_test_folder_path(path), F_OK) == 0;
}

static void test_prunes(void **state)
{
    assert_true(mkdir(ps_test_folder_path("cache"), 0700) == 0);
    int folder = open(ps_test_folder_path("cache"), O_RDONLY | O_DIRECTORY);
    file_of("0000000000000001.hsdb", 100, 500);
    file_of("0000000000000002.hsdb", 100, 400);
    file_of("0000000000000003.hsdb", 100, 300);
    file_of("0000000000000004.hsdb", 100, 900);
    file_of("0000000000000005.hsdb.77.1.tmp", 100, 7200);
    file_of("0000000000000006.hsdb.78.1.tmp", 100, 10);
    file_of("somebody's.hsdb", 100, 99999);
    ps_cache_prune(folder, "0000000000000004.hsdb", 3, 1000);
    assert_false(is_there("0000000000000001.hsdb"));
    assert_true(is_there("0000000000000002.hsdb"));
    assert_true(is_there("0000000000000003.hsdb"));
    assert_true(is_there("0000000000000004.hsdb"));
    assert_false(is_there("0000000000000005.hsdb.77.1.tmp"));
    assert_true(is_there("0000000000000006.hsdb.78.1.tmp"));
    assert_true(is_there("somebody's.hsdb"));
    ps_cache_prune(folder, "0000000000000004.hsdb", 64, 250);
    assert_false(is_there("0000000000000002.hsdb"));
    assert_true(is_there("0000000000000003.hsdb"));
    close(folder);
}

/* Uses the cache through matchers: the second matcher is not compiled; a damaged file is replaced, and the
 * report has the reason. */
static void test_matchers_use_it(void **state)
{
    struct ps_regex *regex = ps_regex_create("status=404", 0, PS_REGEX_FIND, NULL);
    const struct ps_regex *patterns[] = {regex};
    struct ps_matcher_options options = {.cache_directory = ps_test_folder_path("cache")};
    char path[600];
    for (unsigned i = 0; i < 4; i++) {
        struct ps_matcher_report report;
        struct ps_matcher *matcher = ps_matcher_create(patterns, 1, &options, &report, NULL);
        assert_non_null(matcher);
        assert_true(report.cached == (i == 1 || i == 3));
        assert_true((report.cache_note[0] != '\0') == (i == 2));
        ps_matcher_destroy(matcher);
        if (i == 1) {
            snprintf(path, sizeof path, "for f in %s/*.hsdb; do printf x >> $f; done",
                     options.cache_directory);
            assert_int_equal(system(path), 0);
        }
    }
    ps_regex_destroy(regex);
}

int main(void)
{
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, ps_test_folder_setup, ps_test_folder_teardown)
    const struct CMUnitTest tests[] = {
        IN_FOLDER(test_keeps_and_finds),
        IN_FOLDER(test_damage_is_detected),
        IN_FOLDER(test_files_that_are_refused),
        IN_FOLDER(test_directories_that_are_refused),
        IN_FOLDER(test_prunes),
        IN_FOLDER(test_matchers_use_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

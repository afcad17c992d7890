/* Credential stores that Hadoop 3.3's CredentialShell made (tests/stages/data/stores/make.sh). */
#include "stages/lib/encryption/credentials.h"

#include "stages/lib/encryption/jceks.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/source_tree.h"
#include "tests/support/support.h"

static char secret[PS_CREDENTIAL_BYTES_MAX + 1];

/* Returns jceks://file/PATH of a store in this repository. Its memory is used again after eight calls. */
static const char *url_of(const char *scheme, const char *store)
{
    static char texts[8][1200];
    static unsigned next;
    char name[128];
    snprintf(name, sizeof name, "tests/stages/data/stores/%s", store);
    char *path = realpath(ps_test_source_path(name), NULL), *text = texts[next++ % 8];
    assert_non_null(path);
    snprintf(text, sizeof texts[0], "%s://file%s", scheme, path);
    free(path);
    return text;
}

static void expect_secret(const char *providers, const char *file, const char *folder, const char *alias,
                          const char *wanted)
{
    struct ps_err err = {.length = 0};
    const struct ps_credentials credentials = {providers, file, folder};
    if (ps_credential_read(&credentials, alias, secret, &err) != PS_OK)
        fail_msg("%s: %s", alias, err.text);
    assert_string_equal(secret, wanted);
}

static void expect_failure(const char *providers, const char *file, const char *alias, const char *reason)
{
    struct ps_err err = {.length = 0};
    const struct ps_credentials credentials = {providers, file, NULL};
    assert_int_equal(ps_credential_read(&credentials, alias, secret, &err), PS_FAIL);
    if (strstr(err.text, reason) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", err.text, reason);
}

static int setup(void **state)
{
    return unsetenv("HADOOP_CREDSTORE_PASSWORD");
}

/* If no password is set, Hadoop's default password "none" is used. */
static void test_stores(void **state)
{
    const char *plain = url_of("jceks", "hadoop.jceks");
    char both[4096];
    expect_secret(plain, NULL, NULL, "db.password", "s3crét pass");
    expect_secret(plain, NULL, NULL, "DB.Password", "s3crét pass");
    expect_secret(url_of("localjceks", "hadoop.jceks"), "", NULL, "second", "two");
    expect_failure(plain, NULL, "third", "has the alias third");
    expect_failure(plain, NULL, "db.passwor", "has the alias db.passwor");
    expect_failure(plain, NULL, "db.password2", "has the alias db.password2");
    expect_failure(url_of("jceks", "hadoop-password.jceks"), NULL, "db-password",
                   "the password of the store is wrong");
    expect_failure(url_of("jceks", "chain.jks"), NULL, "db.password", "not a JCEKS key store");
    expect_failure("jceks://file/no/such.jceks", NULL, "db.password",
                   "alias db.password: /no/such.jceks is not there");
    expect_failure("jceks://hdfs@nn:8020/x.jceks", NULL, "db.password",
                   "jceks://hdfs@nn:8020/x.jceks is not read");
    expect_failure("user:///", NULL, "db.password", "user:/// is not read");
    expect_failure("jceks://files/x", NULL, "db.password", "is not read");
    expect_failure("", NULL, "db.password", "has the alias");
    snprintf(both, sizeof both, "%s, %s", plain, url_of("jceks", "chain.jks"));
    expect_failure(both, NULL, "second", "not a JCEKS key store"); /* Hadoop opens all of them first */
    snprintf(both, sizeof both, "%s, %s", plain, "jceks://hdfs/x");
    expect_secret(both, NULL, NULL, "second", "two"); /* the first store that has it is used */
    expect_failure(both, NULL, "third", "is not read");
    snprintf(both, sizeof both, "jceks://file/no/such.jceks,jceks://file/nor/this.jceks,%s", plain);
    expect_secret(both, NULL, NULL, "second", "two"); /* a store that does not exist has no entries */
    expect_failure(both, NULL, "third", "has the alias third: /no/such.jceks is not there");
}

static void test_passwords(void **state)
{
    char folder[] = "/tmp/penstock-credentials-XXXXXX", path[128];
    const char *url = url_of("jceks", "hadoop-password.jceks");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/password", folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(" storepass\n", file);
    fclose(file);
    assert_int_equal(chmod(path, 0400), 0);
    expect_secret(url, path, NULL, "db-password", "other");
    expect_secret(url, "password", folder, "db-password", "other");
    expect_failure(url, "no-such-file", "db-password", "no-such-file");
    setenv("HADOOP_CREDSTORE_PASSWORD", "storepas", 1); /* the variable comes before the file */
    expect_failure(url, path, "db-password", "the password of the store is wrong");
    setenv("HADOOP_CREDSTORE_PASSWORD", "storepass", 1);
    expect_secret(url, NULL, NULL, "db-password", "other");
    expect_secret(url_of("jceks", "keytool.jceks"), NULL, NULL, "tool", "secret-of-keytool");
    unsetenv("HADOOP_CREDSTORE_PASSWORD");
    for (unsigned length = PS_JCEKS_PASSWORD_MAX; length <= PS_JCEKS_PASSWORD_MAX + 1; length++) {
        bool fits = length <= PS_JCEKS_PASSWORD_MAX;
        char longest[PS_JCEKS_PASSWORD_MAX + 2] = "";
        memset(longest, 'p', length);
        assert_int_equal(chmod(path, 0600), 0);
        file = fopen(path, "w");
        assert_non_null(file);
        fputs(longest, file);
        fclose(file);
        expect_failure(url, path, "db-password", fits ? "the password of the store is wrong" : "longer than");
        setenv("HADOOP_CREDSTORE_PASSWORD", longest, 1);
        expect_failure(url, NULL, "db-password",
                       fits ? "the password of the store is wrong" : "longer than 256 bytes");
        unsetenv("HADOOP_CREDSTORE_PASSWORD");
    }
    unlink(path);
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_stores), cmocka_unit_test(test_passwords)};
    return cmocka_run_group_tests(tests, setup, NULL);
}

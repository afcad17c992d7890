/* The security settings of a configuration: which connections are protected, and how; mistakes, with their
 * place. */
#include "stages/lib/hadoop/configuration.h"
#include "stages/lib/hadoop/transfer/sasl.h"
#include "stages/lib/hadoop/hdfs/security.h"
#include "tests/support/folder.h"
#include "tests/support/support.h"

#include <stdio.h>

struct opened {
    struct ps_hadoop_configuration *configuration;
    struct ps_hadoop_security *security;
    struct ps_err err;
};

/* Opens with a hdfs-site.xml of these keys and values; NULL ends them. */
static bool open_with(struct opened *opened, const char *const *pairs, const char *principal,
                      const char *keytab)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/hdfs-site.xml", ps_test_folder());
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file, "<configuration>\n");
    for (; *pairs != NULL; pairs += 2)
        fprintf(file, "<property><name>%s</name><value>%s</value></property>\n", pairs[0], pairs[1]);
    fprintf(file, "</configuration>\n");
    fclose(file);
    *opened = (struct opened){.configuration = NULL};
    assert_int_equal(ps_hadoop_configuration_load(&opened->configuration, ps_test_folder(), &opened->err),
                     PS_OK);
    const struct ps_hadoop_settings settings = {.configuration = opened->configuration,
                                                .url = "hdfs://localhost",
                                                .kerberos_principal = principal,
                                                .keytab = keytab};
    return ps_hadoop_security_open(&opened->security, &settings, &opened->err) == PS_OK;
}

static void close_all(struct opened *opened)
{
    ps_hadoop_security_close(opened->security);
    ps_hadoop_configuration_free(opened->configuration);
}

#define KERBEROS "hadoop.security.authentication", "kerberos", "dfs.namenode.kerberos.principal", "nn/_HOST@R"

static void test_mistakes(void **state)
{
    static const struct {
        const char *pairs[8], *principal, *reason;
    } cases[] = {
        {{"hadoop.security.authentication", "kerberos"}, NULL, "dfs.namenode.kerberos.principal"},
        {{"hadoop.security.authentication", "ldap"}, NULL, "only simple and kerberos are supported"},
        {{KERBEROS}, "flume@R", "are needed together"},
        {{KERBEROS, "hadoop.rpc.protection", "privacy,secrecy"},
         NULL,
         "hdfs-site.xml:4: hadoop.rpc.protection: secrecy: only authentication, integrity and privacy are "
         "supported"},
        {{KERBEROS, "dfs.data.transfer.protection", "auth"}, NULL, "dfs.data.transfer.protection: auth:"},
        {{KERBEROS, "dfs.encrypt.data.transfer.cipher.suites", "SM4/CTR/NoPadding"},
         NULL,
         "only AES/CTR/NoPadding is supported"},
        {{"dfs.trustedchannel.resolver.class", "a.B"},
         NULL,
         "hdfs-site.xml:2: dfs.trustedchannel.resolver.class"},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct opened opened;
        assert_false(open_with(&opened, cases[i].pairs, cases[i].principal, NULL));
        if (strstr(opened.err.text, cases[i].reason) == NULL)
            fail_msg("%s", opened.err.text);
        close_all(&opened);
    }
}

static const uint8_t identifier[] = "identifier", password[] = "password";

/* Returns the settings of a connection to a datanode at this port. */
static struct ps_transfer_sasl *enter(const struct ps_transfer_security *transfer, unsigned port)
{
    PsHadoop__DatanodeId node = PS_HADOOP__DATANODE_ID__INIT;
    PsHadoop__Token token = PS_HADOOP__TOKEN__INIT;
    node.xfer_port = port;
    token.identifier =
        (ProtobufCBinaryData){.len = sizeof identifier - 1, .data = (uint8_t *)(uintptr_t)identifier};
    token.password =
        (ProtobufCBinaryData){.len = sizeof password - 1, .data = (uint8_t *)(uintptr_t)password};
    struct ps_transfer_sasl *entered = transfer->enter(transfer->argument, &node, &token);
    assert_non_null(entered);
    return entered;
}

static void test_simple(void **state)
{
    static const char *const none[] = {NULL};
    static const char *const protection[] = {"dfs.data.transfer.protection", "privacy", NULL};
    static const char *const *const both[] = {none, protection};
    for (size_t i = 0; i < 2; i++) {
        struct opened opened;
        assert_true(open_with(&opened, both[i], NULL, NULL));
        assert_null(ps_hadoop_security_rpc(opened.security));
        assert_null(ps_hadoop_security_transfer(opened.security, false));
        assert_false(ps_hadoop_security_wants_key(opened.security, 0));
        close_all(&opened);
    }
}

static void test_tokens(void **state)
{
    static const char *const pairs[] = {KERBEROS,
                                        "dfs.data.transfer.protection",
                                        "integrity, privacy",
                                        "dfs.encrypt.data.transfer.cipher.suites",
                                        "AES/CTR/NoPadding",
                                        NULL};
    static const char *const without[] = {KERBEROS, NULL};
    struct opened opened;
    assert_true(open_with(&opened, pairs, "flume@R", "/keytab"));
    assert_non_null(ps_hadoop_security_rpc(opened.security));
    const struct ps_transfer_security *transfer = ps_hadoop_security_transfer(opened.security, false);
    struct ps_transfer_sasl *entered = enter(transfer, 9866);
    assert_string_equal(entered->name, "aWRlbnRpZmllcg==");
    assert_string_equal(entered->secret, "cGFzc3dvcmQ=");
    assert_int_equal(entered->protection, PS_SASL_PREFER(PS_SASL_INTEGRITY, PS_SASL_PRIVACY, 0));
    assert_true(entered->aes);
    assert_null(entered->cipher);
    transfer->leave(transfer->argument, entered);
    entered = enter(transfer, 1024);
    assert_non_null(entered->name);
    transfer->leave(transfer->argument, entered);
    entered = enter(transfer, 1023); /* port below 1024: root started that datanode */
    assert_null(entered->name);
    transfer->leave(transfer->argument, entered);
    close_all(&opened);
    assert_true(open_with(&opened, without, NULL, NULL));
    assert_non_null(ps_hadoop_security_rpc(opened.security));
    transfer = ps_hadoop_security_transfer(opened.security, false);
    entered = enter(transfer, 9866);
    assert_null(entered->name);
    assert_true(entered->wonders);
    transfer->leave(transfer->argument, entered);
    close_all(&opened);
}

/* dfs.encrypt.data.transfer, which works without Kerberos, too. */
static void test_keys(void **state)
{
    static const char *const none[] = {NULL};
    static const uint8_t nonce[] = "nonce", secret[] = "secret of 20 bytes..";
    struct opened opened;
    PsHadoop__DataEncryptionKey key = PS_HADOOP__DATA_ENCRYPTION_KEY__INIT;
    char pool[] = "BP-1-127.0.0.1-2", algorithm[] = "3des";
    key.key_id = (uint32_t)-7;
    key.block_pool_id = pool;
    key.nonce = (ProtobufCBinaryData){.len = sizeof nonce - 1, .data = (uint8_t *)(uintptr_t)nonce};
    key.encryption_key =
        (ProtobufCBinaryData){.len = sizeof secret - 1, .data = (uint8_t *)(uintptr_t)secret};
    key.expiry_date = 1000000;
    key.encryption_algorithm = algorithm;
    assert_true(open_with(&opened, none, NULL, NULL));
    const struct ps_transfer_security *transfer = ps_hadoop_security_transfer(opened.security, true);
    assert_true(ps_hadoop_security_wants_key(opened.security, 0));
    ps_hadoop_security_set_key(opened.security, &key);
    assert_false(ps_hadoop_security_wants_key(opened.security, 939999));
    assert_true(ps_hadoop_security_wants_key(opened.security, 940000)); /* a minute before its end */
    struct ps_transfer_sasl *entered = enter(transfer, 1004);
    assert_string_equal(entered->name, "-7 BP-1-127.0.0.1-2 bm9uY2U=");
    assert_string_equal(entered->secret, "c2VjcmV0IG9mIDIwIGJ5dGVzLi4=");
    assert_string_equal(entered->cipher, "3des");
    assert_int_equal(entered->protection, PS_SASL_PRIVACY);
    assert_false(ps_hadoop_security_wants_key(opened.security, 0));
    *entered->key_unknown = true; /* as the datanode answered */
    transfer->leave(transfer->argument, entered);
    assert_true(ps_hadoop_security_wants_key(opened.security, 0));
    ps_hadoop_security_set_key(opened.security, &key);
    assert_false(ps_hadoop_security_wants_key(opened.security, 0));
    ps_hadoop_security_set_key(opened.security, NULL);
    assert_false(ps_hadoop_security_wants_key(opened.security, 0));
    close_all(&opened);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_simple),
        cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_keys),
    };
    return cmocka_run_group_tests(tests, ps_test_folder_setup, ps_test_folder_teardown);
}

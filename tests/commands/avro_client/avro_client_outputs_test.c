/* Whole outputs of `penstock avro-client`: data/avro_client.txt. */
#include "core/base.h"
#include "tests/commands/penstock.h"
#include "tests/support/folder.h"
#include "tests/support/rpc_server.h"
#include "tests/support/support.h"

#include <unistd.h>

/* `served BEHAVIOUR GOOD penstock ..`: runs the command while an avro source answers GOOD calls, and all others as
 * enum ps_test_rpc_behaviour says; PORT in a word is its port. At last what the source has seen. */
static int served(int argc, char **argv)
{
    static struct ps_test_rpc_server server;
    static const char *const behaviours[] = {[PS_TEST_RPC_OK] = "ok",
                                             [PS_TEST_RPC_FAILED] = "failed",
                                             [PS_TEST_RPC_UNKNOWN] = "unknown",
                                             [PS_TEST_RPC_ERROR] = "error",
                                             [PS_TEST_RPC_CLOSES] = "closes"};
    char words[16][128], *all[17];
    ps_test_rpc_start(&server);
    for (size_t i = 0; i < PS_COUNT_OF(behaviours); i++)
        if (behaviours[i] != NULL && strcmp(behaviours[i], argv[1]) == 0)
            atomic_store(&server.behaviour, (int)i);
    atomic_store(&server.calls_good, (unsigned)atoi(argv[2]));
    int count = 0;
    for (int i = 3; i < argc && count < 16; i++, count++) {
        const char *mark = strstr(argv[i], "PORT");
        if (mark != NULL)
            snprintf(words[count], sizeof words[0], "%.*s%u%s", (int)(mark - argv[i]), argv[i], server.port,
                     mark + 4);
        all[count] = mark != NULL ? words[count] : argv[i];
    }
    all[count] = NULL;
    if (access("rpc.in", F_OK) == 0) { /* the file of --rpcProps, with the port */
        char text[1024] = "";
        FILE *in = fopen("rpc.in", "re"), *out = fopen("rpc.properties", "we");
        while (fgets(text, sizeof text, in) != NULL) {
            char *mark = strstr(text, "PORT");
            if (mark != NULL)
                fprintf(out, "%.*s%u%s", (int)(mark - text), text, server.port, mark + 4);
            else
                fputs(text, out);
        }
        fclose(in);
        fclose(out);
    }
    int code = ps_test_penstock(count, all);
    ps_test_rpc_stop(&server);
    printf("(the source: calls %u, events %u)\n", atomic_load(&server.calls), atomic_load(&server.events));
    return code;
}

static const struct ps_test_output_command commands[] = {
    {"penstock", ps_test_penstock}, {"served", served}, {NULL, NULL}};

static void test_avro_client(void **state)
{
    ps_test_outputs("tests/commands/avro_client/data/avro_client.txt", commands);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_avro_client, ps_test_folder_setup, ps_test_folder_teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

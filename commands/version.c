/* `penstock version`: prints the data for a bug report: the version, the build, the loaded libraries (not those of
 * the build) and the CPU. The first line is the version alone. */
#include "commands/commands.h"

#include "core/base.h"
#include "version.h"

#include <gnu/libc-version.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <curl/curl.h>
#include <hs/hs.h>
#include <jansson.h>
#include <libpq-fe.h>
#include <librdkafka/rdkafka.h>
#include <microhttpd.h>
#include <openssl/crypto.h>
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <sqlite3.h>
#include <zlib.h>

static void print_libraries(void)
{
    char pcre2[64] = "", libpq[32];
    const curl_version_info_data *curl = curl_version_info(CURLVERSION_NOW);
    pcre2_config(PCRE2_CONFIG_VERSION, pcre2);
    snprintf(libpq, sizeof libpq, "%d.%d", PQlibVersion() / 10000, PQlibVersion() % 10000);
    const char *const libraries[][2] = {
        {"librdkafka", rd_kafka_version_str()},
        {"OpenSSL", OpenSSL_version(OPENSSL_VERSION_STRING)},
        {"libcurl", curl->version},
        {"libmicrohttpd", MHD_get_version()},
        {"Hyperscan", hs_version()},
        {"PCRE2", pcre2},
        {"jansson", jansson_version_str()},
        {"SQLite", sqlite3_libversion()},
        {"libpq", libpq},
        {"zlib", zlibVersion()},
        {"glibc", gnu_get_libc_version()},
    };
    printf("libraries:");
    for (size_t i = 0; i < PS_COUNT_OF(libraries); i++)
        printf("%s %s %s", i > 0 ? "," : "", libraries[i][0], libraries[i][1]);
    putchar('\n');
}

/* Copies the CPU's name from /proc/cpuinfo; "unknown" if that file has no name (as on most ARM machines). */
static void cpu_name(char *name, size_t size)
{
    char line[512];
    snprintf(name, size, "unknown");
    FILE *file = fopen("/proc/cpuinfo", "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        const char *colon = strchr(line, ':');
        if (strncmp(line, "model name", strlen("model name")) != 0 || colon == NULL)
            continue;
        snprintf(name, size, "%.*s", (int)strcspn(colon + 2, "\n"), colon + 2);
        break;
    }
    if (file != NULL)
        fclose(file);
}

static void print_cpu(void)
{
    char name[256];
    cpu_name(name, sizeof name);
    printf("CPU: %s, %ld online", name, sysconf(_SC_NPROCESSORS_ONLN));
#if defined(__x86_64__)
    __builtin_cpu_init();
    const struct {
        const char *name;
        int found;
    } features[] = {{"sse4.2", __builtin_cpu_supports("sse4.2")},
                    {"avx2", __builtin_cpu_supports("avx2")},
                    {"avx512f", __builtin_cpu_supports("avx512f")},
                    {"avx512vbmi", __builtin_cpu_supports("avx512vbmi")}};
    for (size_t i = 0; i < PS_COUNT_OF(features); i++)
        if (features[i].found)
            printf(", %s", features[i].name);
#endif
    putchar('\n');
}

int ps_main_version(int, char **)
{
    printf("penstock %s\n", PS_VERSION);
    printf("build: %s, compiler %s\n", PS_BUILD, __VERSION__);
    print_libraries();
    print_cpu();
    return 0;
}

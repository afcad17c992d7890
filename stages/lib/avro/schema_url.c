/* Reads the contents of a URL. See schema_url.h. */
#include "stages/lib/avro/schema_url.h"

#include "core/base.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#define TIMEOUT_S 30L
#define CONNECT_TIMEOUT_S 10L
#define REDIRECTS_MAX 5L

struct reading {
    struct ps_byte_buffer *text;
    size_t length_max;
    bool too_long;
};

bool ps_schema_url_is_known(const char *url)
{
    return strncasecmp(url, "file:", 5) == 0 || strncasecmp(url, "http:", 5) == 0 ||
           strncasecmp(url, "https:", 6) == 0;
}

/* Splits the URL as curl does when it reads the file. */
char *ps_schema_url_path(const char *url)
{
    CURLU *parts = strncasecmp(url, "file:", 5) == 0 ? curl_url() : NULL;
    char *path = NULL, *copy = NULL;
    if (parts != NULL && curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
        curl_url_get(parts, CURLUPART_PATH, &path, CURLU_URLDECODE) == CURLUE_OK)
        copy = strdup(path);
    curl_free(path);
    curl_url_cleanup(parts);
    return copy;
}

static size_t take(char *bytes, size_t size, size_t count, void *reading_)
{
    struct reading *reading = reading_;
    reading->too_long = size * count > reading->length_max - reading->text->length;
    return !reading->too_long && ps_byte_buffer_append(reading->text, bytes, size * count) ? size * count : 0;
}

static void set_options(CURL *curl, const char *url, struct reading *reading, char *words)
{
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "file,http,https");
    curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(curl, CURLOPT_MAXREDIRS, REDIRECTS_MAX);
    curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, TIMEOUT_S);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, CONNECT_TIMEOUT_S);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, words);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, reading);
}

/* Returns whether a file: URL names a file that cannot be read, with the reason. */
static bool is_bad_file(const char *url, struct ps_schema_url_answer *answer)
{
    struct stat facts;
    char *path = ps_schema_url_path(url);
    int error = path == NULL || stat(path, &facts) == 0 ? 0 : errno;
    bool is_special = path != NULL && error == 0 && !S_ISREG(facts.st_mode);
    free(path);
    if (error != 0)
        (void)snprintf(answer->reason, sizeof answer->reason, "%s", strerror(error));
    else if (is_special)
        (void)snprintf(answer->reason, sizeof answer->reason, "it is not a regular file");
    answer->is_final = is_special || error == ENOENT || error == ENOTDIR || error == EACCES ||
                       error == ELOOP || error == ENAMETOOLONG;
    return error != 0 || is_special;
}

/* Statuses after which the same request may succeed: time-outs, and a server that is busy. */
static bool status_may_pass(long status)
{
    return status >= 500 || status == 408 || status == 425 || status == 429;
}

static bool is_final(CURL *curl, CURLcode code, const struct reading *reading)
{
    long status = 0;
    (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    switch (code) {
    case CURLE_HTTP_RETURNED_ERROR:
        return !status_may_pass(status);
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_FILE_COULDNT_READ_FILE:
    case CURLE_TOO_MANY_REDIRECTS:
        return true;
    default:
        return reading->too_long;
    }
}

void ps_schema_url_read(const char *url, size_t length_max, struct ps_schema_url_answer *answer)
{
    struct reading reading = {.text = &answer->text, .length_max = length_max};
    char words[CURL_ERROR_SIZE] = "";
    *answer = (struct ps_schema_url_answer){.text.data = NULL};
    if (is_bad_file(url, answer))
        return;
    CURL *curl = curl_easy_init();
    if (curl == NULL || !ps_byte_buffer_reserve(&answer->text, 1)) {
        (void)snprintf(answer->reason, sizeof answer->reason, "no memory");
        curl_easy_cleanup(curl);
        return;
    }
    set_options(curl, url, &reading, words);
    CURLcode code = curl_easy_perform(curl);
    if (code != CURLE_OK) {
        if (reading.too_long)
            (void)snprintf(answer->reason, sizeof answer->reason, "it is longer than %zu bytes", length_max);
        else
            (void)snprintf(answer->reason, sizeof answer->reason, "%s",
                           words[0] != '\0' ? words : curl_easy_strerror(code));
        answer->is_final = is_final(curl, code, &reading);
        ps_byte_buffer_clear(&answer->text, 0);
    }
    curl_easy_cleanup(curl);
}

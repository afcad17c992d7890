/* Reads the contents of a URL. See schema_url.h. */
#include "stages/lib/avro/schema_url.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define TIMEOUT_S 30L
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
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, words);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, reading);
}

void ps_schema_url_read(const char *url, size_t length_max, struct ps_schema_url_answer *answer)
{
    struct reading reading = {.text = &answer->text, .length_max = length_max};
    char words[CURL_ERROR_SIZE] = "";
    *answer = (struct ps_schema_url_answer){.text.data = NULL};
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
        ps_byte_buffer_clear(&answer->text, 0);
    }
    curl_easy_cleanup(curl);
}

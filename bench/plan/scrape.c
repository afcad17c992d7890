#include "bench/plan/scrape.h"
#include "core/array.h"
#include "core/clock.h"

#include <curl/curl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Returns the end of `name{labels}`: the closing brace outside quotes, or NULL. */
static char *labels_end(char *at)
{
    bool quoted = false;
    for (; *at != '\0'; at++) {
        if (quoted && *at == '\\' && at[1] != '\0')
            at++;
        else if (*at == '"')
            quoted = !quoted;
        else if (*at == '}' && !quoted)
            return at;
    }
    return NULL;
}

/* Parses one line in place. */
static bool parse_line(char *line, struct ps_scrape_sample *sample)
{
    if (line[0] == '#' || line[0] == '\0' || line[0] == ' ')
        return false;
    char *name_end = line + strcspn(line, "{ "), *value = name_end;
    sample->name = line;
    sample->labels = "";
    if (*name_end == '{') {
        char *end = labels_end(name_end + 1);
        if (end == NULL)
            return false;
        sample->labels = name_end + 1;
        *end = '\0';
        value = end + 1;
        *name_end = '\0';
    }
    if (*value != ' ')
        return false;
    *value++ = '\0';
    char *end;
    sample->value = strtod(value, &end);
    return end != value && (*end == '\0' || *end == ' ') && name_end != line && isfinite(sample->value);
}

void ps_scrape_parse(struct ps_scrape *scrape, const char *text, size_t length)
{
    scrape->count = 0;
    scrape->samples = NULL;
    scrape->text = ps_must_alloc(1, length + 1, "a page of metrics");
    unsigned room = 0;
    memcpy(scrape->text, text, length);
    scrape->text[length] = '\0';
    char *rest = scrape->text, *line;
    while ((line = strsep(&rest, "\n")) != NULL && scrape->count < PS_SCRAPE_SAMPLES_MAX) {
        PS_ARRAY_GROW(scrape->samples, scrape->count, room, "a page of metrics");
        scrape->count += parse_line(line, &scrape->samples[scrape->count]);
    }
}

void ps_scrape_fini(struct ps_scrape *scrape)
{
    free(scrape->samples);
    free(scrape->text);
    *scrape = (struct ps_scrape){0};
}

/* ---- over HTTP ---- */

static size_t on_data(char *data, size_t size, size_t count, void *argument)
{
    struct ps_page *page = argument;
    if (page->length + size * count > PS_SCRAPE_BYTES_MAX)
        return 0;
    ps_page_append(page, data, size * count);
    return size * count;
}

/* Makes the page's URL from http://host:port with or without a path. */
static void page_url(const char *url, const char *path, char *page, size_t room)
{
    const char *scheme = strstr(url, "://"), *host = scheme != NULL ? scheme + 3 : url;
    size_t length = (size_t)(host - url) + strcspn(host, "/?#");
    snprintf(page, room, "%s%.*s%s", host == url ? "http://" : "", (int)length, url, path);
}

long ps_scrape_fetch(const char *url, const char *path, struct ps_page *page, struct ps_err *err)
{
    char whole[1024];
    long status = 0;
    page_url(url, path, whole, sizeof whole);
    CURL *curl = curl_easy_init();
    PS_ASSERT(curl != NULL);
    curl_easy_setopt(curl, CURLOPT_URL, whole);
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, 2000L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_data);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, page);
    CURLcode code = curl_easy_perform(curl);
    if (code == CURLE_OK)
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    else
        ps_err_set(err, "%s: %s", whole, curl_easy_strerror(code));
    curl_easy_cleanup(curl);
    return status;
}

enum ps_status ps_scrape_get(struct ps_scrape *scrape, const char *url, struct ps_err *err)
{
    static const char path[] = "/metrics/prometheus";
    char whole[1024];
    struct ps_page page = {.text = NULL};
    *scrape = (struct ps_scrape){.at_s = (double)ps_clock_now().mono_ns / 1e9};
    page_url(url, path, whole, sizeof whole);
    long status = ps_scrape_fetch(url, path, &page, err);
    enum ps_status result = status == 200 ? PS_OK : PS_FAIL;
    if (status != 200 && status != 0)
        ps_err_set(err, "%s: HTTP status %ld instead of an agent's metrics", whole, status);
    if (status == 200)
        ps_scrape_parse(scrape, page.text != NULL ? page.text : "", page.length);
    if (result == PS_OK && ps_scrape_find(scrape, "penstock_component_info", NULL) == NULL) {
        ps_scrape_fini(scrape);
        result = ps_err_set(err, "%s is not the metrics page of a penstock agent", whole);
    }
    ps_page_fini(&page);
    return result;
}

bool ps_scrape_is_up(const char *url)
{
    struct ps_scrape scrape;
    bool up = true;
    if (ps_scrape_get(&scrape, url, NULL) != PS_OK)
        return false;
    for (unsigned i = 0; i < scrape.count; i++)
        if (strcmp(scrape.samples[i].name, "penstock_component_up") == 0 && scrape.samples[i].value < 1)
            up = false;
    ps_scrape_fini(&scrape);
    return up;
}

/* ---- look-up ---- */

bool ps_scrape_label(const struct ps_scrape_sample *sample, const char *label, char *value, size_t room)
{
    size_t length = strlen(label);
    for (const char *at = sample->labels; *at != '\0';) {
        const char *equals = strchr(at, '=');
        if (equals == NULL || equals[1] != '"')
            return false;
        bool wanted = (size_t)(equals - at) == length && memcmp(at, label, length) == 0;
        size_t used = 0;
        for (at = equals + 2; *at != '\0' && *at != '"'; at++) {
            if (*at == '\\' && at[1] != '\0')
                at++;
            if (wanted && used + 1 < room)
                value[used++] = *at;
        }
        if (wanted) {
            value[used] = '\0';
            return true;
        }
        at += *at == '"';
        at += *at == ',';
    }
    return false;
}

const struct ps_scrape_sample *ps_scrape_find(const struct ps_scrape *scrape, const char *name,
                                              const char *labels)
{
    for (unsigned i = 0; i < scrape->count; i++)
        if (strcmp(scrape->samples[i].name, name) == 0 &&
            (labels == NULL || strcmp(scrape->samples[i].labels, labels) == 0))
            return &scrape->samples[i];
    return NULL;
}

double ps_scrape_value(const struct ps_scrape *scrape, const char *name, const char *labels, double otherwise)
{
    const struct ps_scrape_sample *sample = ps_scrape_find(scrape, name, labels);
    return sample != NULL ? sample->value : otherwise;
}

double ps_scrape_sum(const struct ps_scrape *scrape, const char *name)
{
    double sum = 0;
    for (unsigned i = 0; i < scrape->count; i++)
        if (strcmp(scrape->samples[i].name, name) == 0)
            sum += scrape->samples[i].value;
    return sum;
}

/* The part of file.h that needs libcurl, which libpenstock-client does not. */
#include "conf/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <curl/curl.h>

/* RFC 7232, 2.2.2: allows for the case that the time of the answer and that of the change are of different clocks. */
#define CHANGE_AGE_S 60

struct fetch {
    struct ps_file *file;
    size_t room, bytes_max;
};

static size_t fetch_write(char *bytes, size_t size, size_t count, void *argument)
{
    struct fetch *fetch = argument;
    return ps_file_add(fetch->file, &fetch->room, bytes, size * count, fetch->bytes_max) ? size * count : 0;
}

const char *ps_file_uri_masked(const char *uri, char *room, size_t size)
{
    const char *authority = strstr(uri, "://");
    if (authority == NULL)
        return uri;
    authority += 3;
    size_t length = strcspn(authority, "/?#");
    const char *at = memrchr(authority, '@', length);
    const char *colon = memchr(authority, ':', length);
    /* If the text after the colon is not a port, it is a password with an unescaped slash. */
    if (at == NULL && colon != NULL && authority[0] != '[' &&
        strspn(colon + 1, "0123456789") != length - (size_t)(colon + 1 - authority))
        at = strrchr(authority, '@');
    if (at == NULL)
        return uri;
    int kept = colon != NULL && colon < at ? (int)(colon + 1 - uri) : (int)(authority - uri);
    snprintf(room, size, "%.*s***%s", kept, uri, at);
    return room;
}

/* Returns Last-Modified, or 0 if it is not sent, or if the answer came so soon after the change that another change may
 * have, or get, the same time in seconds. */
static int64_t modified_s_of(CURL *curl)
{
    struct curl_header *date;
    curl_off_t modified = -1;
    time_t answered = -1;
    curl_easy_getinfo(curl, CURLINFO_FILETIME_T, &modified);
    if (curl_easy_header(curl, "Date", 0, CURLH_HEADER, -1, &date) == CURLHE_OK)
        answered = curl_getdate(date->value, NULL);
    if (answered < 0)
        answered = time(NULL);
    return modified > 0 && answered - modified >= CHANGE_AGE_S ? (int64_t)modified : 0;
}

enum ps_status ps_file_fetch(const char *uri, const char *user, const char *password, int64_t since_s,
                             size_t bytes_max, struct ps_file *file, struct ps_err *err)
{
    memset(file, 0, sizeof *file);
    struct fetch fetch = {.file = file, .bytes_max = bytes_max};
    ps_file_add(file, &fetch.room, NULL, 0, bytes_max);
    char words[CURL_ERROR_SIZE] = "", room[1024];
    const char *shown = ps_file_uri_masked(uri, room, sizeof room);
    CURL *curl = curl_easy_init();
    if (curl == NULL) {
        ps_file_free(file);
        return ps_err_set(err, "cannot read %s: libcurl cannot be started", shown);
    }
    curl_easy_setopt(curl, CURLOPT_URL, uri);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(curl, CURLOPT_MAXREDIRS, 5L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, 30L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_FILETIME, 1L);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, words);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, fetch_write);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &fetch);
    if (user != NULL && password != NULL) {
        curl_easy_setopt(curl, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
        curl_easy_setopt(curl, CURLOPT_USERNAME, user);
        curl_easy_setopt(curl, CURLOPT_PASSWORD, password);
    }
    if (since_s > 0) {
        curl_easy_setopt(curl, CURLOPT_TIMECONDITION, (long)CURL_TIMECOND_IFMODSINCE);
        curl_easy_setopt(curl, CURLOPT_TIMEVALUE_LARGE, (curl_off_t)since_s);
    }
    CURLcode code = curl_easy_perform(curl);
    long answer = 0, unmet = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer);
    curl_easy_getinfo(curl, CURLINFO_CONDITION_UNMET, &unmet);
    file->modified_ns = -1;
    file->modified_s = modified_s_of(curl);
    curl_easy_cleanup(curl);
    file->unchanged = answer == 304 || unmet != 0;
    if (code == CURLE_OK && (answer == 200 || answer == 304))
        return PS_OK;
    ps_file_free(file);
    if (code == CURLE_SSL_CONNECT_ERROR && strstr(words, "wrong version number") != NULL)
        return ps_err_set(err, "cannot read %s: the server does not speak TLS on this port; write http://",
                          shown);
    if (code != CURLE_OK)
        return ps_err_set(err, "cannot read %s: %s", shown,
                          words[0] != '\0' ? words : curl_easy_strerror(code));
    if (answer == 401 || answer == 403)
        return ps_err_set(err, "cannot read %s: the server answers %ld; give -user and -pwd", shown, answer);
    return ps_err_set(err, "cannot read %s: the server answers %ld", shown, answer);
}

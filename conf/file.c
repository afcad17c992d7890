/* See file.h. */
#include "conf/file.h"
#include "core/quantity.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <curl/curl.h>

/* Appends bytes. Returns false when that would exceed the limit. */
static bool file_add(struct ps_file *file, size_t *room, const char *bytes, size_t length, size_t bytes_max)
{
    if (length > bytes_max - file->length)
        return false;
    if (file->length + length + 1 > *room) {
        *room = (file->length + length + 1) * 2;
        file->bytes = ps_must_realloc(file->bytes, *room, "a configuration file");
    }
    if (length > 0)
        memcpy(file->bytes + file->length, bytes, length);
    file->length += length;
    file->bytes[file->length] = '\0';
    return true;
}

enum ps_status ps_file_read(const char *path, size_t bytes_max, struct ps_file *file, struct ps_err *err)
{
    memset(file, 0, sizeof *file);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not block the agent */
    if (fd < 0)
        return ps_err_set(err, "cannot read %s: %s", path, strerror(errno));
    struct stat status;
    enum ps_status result = PS_FAIL;
    size_t room = 0;
    char buffer[16384];
    if (fstat(fd, &status) != 0 || S_ISDIR(status.st_mode)) {
        ps_err_set(err, "cannot read %s: it is a directory", path);
        goto out;
    }
    file->modified_ns = (int64_t)status.st_mtim.tv_sec * 1000000000 + status.st_mtim.tv_nsec;
    file_add(file, &room, NULL, 0, bytes_max);
    for (;;) {
        ssize_t got = read(fd, buffer, sizeof buffer);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            ps_err_set(err, "cannot read %s: %s", path, strerror(errno));
            goto out;
        }
        if (got == 0)
            break;
        if (!file_add(file, &room, buffer, (size_t)got, bytes_max)) {
            ps_err_set(err, "%s is larger than %s", path, ps_quantity_print_bytes(bytes_max).text);
            goto out;
        }
    }
    result = PS_OK;
out:
    close(fd);
    if (result != PS_OK)
        ps_file_free(file);
    return result;
}

struct fetch {
    struct ps_file *file;
    size_t room, bytes_max;
};

static size_t fetch_write(char *bytes, size_t size, size_t count, void *argument)
{
    struct fetch *fetch = argument;
    return file_add(fetch->file, &fetch->room, bytes, size * count, fetch->bytes_max) ? size * count : 0;
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
    /* What follows a colon is no port: a password with an unescaped slash. */
    if (at == NULL && colon != NULL && authority[0] != '[' &&
        strspn(colon + 1, "0123456789") != length - (size_t)(colon + 1 - authority))
        at = strrchr(authority, '@');
    if (at == NULL)
        return uri;
    int kept = colon != NULL && colon < at ? (int)(colon + 1 - uri) : (int)(authority - uri);
    snprintf(room, size, "%.*s***%s", kept, uri, at);
    return room;
}

enum ps_status ps_file_fetch(const char *uri, const char *user, const char *password, int64_t since_s,
                             size_t bytes_max, struct ps_file *file, struct ps_err *err)
{
    memset(file, 0, sizeof *file);
    struct fetch fetch = {.file = file, .bytes_max = bytes_max};
    file_add(file, &fetch.room, NULL, 0, bytes_max);
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
    curl_off_t modified = -1;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer);
    curl_easy_getinfo(curl, CURLINFO_FILETIME_T, &modified);
    curl_easy_getinfo(curl, CURLINFO_CONDITION_UNMET, &unmet);
    curl_easy_cleanup(curl);
    file->modified_ns = -1;
    file->modified_s = modified > 0 ? (int64_t)modified : 0;
    file->unchanged = answer == 304 || unmet != 0;
    if (code == CURLE_OK && (answer == 200 || answer == 304))
        return PS_OK;
    ps_file_free(file);
    if (code != CURLE_OK)
        return ps_err_set(err, "cannot read %s: %s", shown,
                          words[0] != '\0' ? words : curl_easy_strerror(code));
    if (answer == 401 || answer == 403)
        return ps_err_set(err, "cannot read %s: the server answers %ld; give -user and -pwd", shown, answer);
    return ps_err_set(err, "cannot read %s: the server answers %ld", shown, answer);
}

void ps_file_free(struct ps_file *file)
{
    free(file->bytes);
    memset(file, 0, sizeof *file);
}

#include "stages/lib/queue/database/url.h"

#include "core/text/hex.h"

#include <string.h>
#include <strings.h>
#include <unistd.h>

#define CURE                                                                                                 \
    "use jdbc:postgresql://host/database, jdbc:derby:DIRECTORY (penstock keeps it in an SQLite file), or a " \
    "channel of type file"
#define PARAMETERS_MAX 64U

/* Returns the text after the prefix, or NULL if the text does not begin with it. */
static const char *behind(const char *text, const char *prefix)
{
    size_t length = strlen(prefix);
    return strncasecmp(text, prefix, length) == 0 ? text + length : NULL;
}

bool ps_derby_is_directory(const char *path)
{
    char file[4096];
    snprintf(file, sizeof file, "%s/service.properties", path);
    return access(file, F_OK) == 0;
}

/* Returns a copy with %XX replaced. */
static const char *decoded(struct ps_arena *arena, const char *text, size_t length)
{
    char *to = ps_arena_copy(arena, text, length), *at = to;
    for (size_t i = 0; i < length; i++) {
        int high = i + 2 < length && text[i] == '%' ? ps_hex_digit(text[i + 1]) : -1;
        int low = high >= 0 ? ps_hex_digit(text[i + 2]) : -1;
        bool code = low >= 0 && (high | low) != 0;
        *at++ = code ? (char)(16 * high + low) : text[i];
        i += code ? 2 : 0;
    }
    *at = '\0';
    return to;
}

/* Reads parts of the form `key=value`. */
static enum ps_status read_parameters(struct ps_arena *arena, const char *text, char separator,
                                      struct ps_jdbc_url *url, struct ps_err *err)
{
    struct ps_pair *items = ps_arena_alloc(arena, PARAMETERS_MAX * sizeof *items);
    size_t count = 0;
    for (const char *end; *text != '\0'; text = *end == '\0' ? end : end + 1) {
        end = strchrnul(text, separator);
        const char *equals = memchr(text, '=', (size_t)(end - text));
        if (end == text)
            continue;
        if (count == PARAMETERS_MAX)
            return ps_err_set(err, "driver.url has more than %u parameters", PARAMETERS_MAX);
        const char *name_end = equals != NULL ? equals : end;
        const char *value = equals != NULL ? equals + 1 : end;
        bool percent = separator == '&'; /* Derby does not decode %XX */
        items[count].key = ps_arena_copy(arena, text, (size_t)(name_end - text));
        items[count++].value = percent ? decoded(arena, value, (size_t)(end - value))
                                       : ps_arena_copy(arena, value, (size_t)(end - value));
    }
    url->parameters = (struct ps_pairs){count, items};
    return PS_OK;
}

static bool is_true(const struct ps_pairs *pairs, const char *key)
{
    const char *value = ps_pairs_get(pairs, key);
    return value != NULL && strcasecmp(value, "true") == 0;
}

static enum ps_status read_derby(struct ps_arena *arena, const char *text, struct ps_jdbc_url *url,
                                 struct ps_err *err)
{
    const char *name = behind(text, "directory:") != NULL ? behind(text, "directory:") : text;
    const char *end = strchrnul(name, ';');
    if (behind(text, "//") != NULL)
        return ps_err_set(err,
                          "driver.url names a Derby network server, which penstock cannot talk to: " CURE);
    if (behind(text, "memory:") != NULL)
        return ps_err_set(
            err,
            "driver.url names a Derby database in memory, which keeps nothing: use a channel of type memory");
    if (behind(text, "classpath:") != NULL || behind(text, "jar:") != NULL)
        return ps_err_set(err, "driver.url names a Derby database that cannot be written: " CURE);
    if (end == name)
        return ps_err_set(err,
                          "driver.url has no name of a database: write jdbc:derby:DIRECTORY;create=true");
    url->kind = PS_DATABASE_SQLITE;
    url->derby = true;
    url->name = ps_arena_copy(arena, name, (size_t)(end - name));
    if (read_parameters(arena, end, ';', url, err) != PS_OK)
        return PS_FAIL;
    if (is_true(&url->parameters, "dataEncryption"))
        return ps_err_set(err, "driver.url asks for encryption (dataEncryption), which penstock does not "
                               "support; it does not write in plain text what Derby would encrypt: "
                               "remove dataEncryption, and put the database on an encrypted file system");
    url->create = is_true(&url->parameters, "create");
    return PS_OK;
}

static enum ps_status read_sqlite(struct ps_arena *arena, const char *text, struct ps_jdbc_url *url,
                                  struct ps_err *err)
{
    const char *end = strchrnul(text, '?');
    if (end == text || behind(text, ":") != NULL || behind(text, "file:") != NULL)
        return ps_err_set(err, "driver.url has no name of a file: write jdbc:sqlite:/path/to/file");
    url->kind = PS_DATABASE_SQLITE;
    url->create = true;
    url->name = ps_arena_copy(arena, text, (size_t)(end - text));
    return *end != '\0' ? read_parameters(arena, end + 1, '&', url, err) : PS_OK;
}

/* Reads host:port or [::1]:port, separated by commas. */
static void read_hosts(struct ps_arena *arena, const char *text, const char *end, struct ps_jdbc_url *url)
{
    url->hosts = url->ports = "";
    for (const char *next; text < end; text = next < end ? next + 1 : end) {
        next = memchr(text, ',', (size_t)(end - text));
        if (next == NULL)
            next = end;
        const char *bracket = *text == '[' ? memchr(text, ']', (size_t)(next - text)) : NULL;
        const char *from = bracket != NULL ? bracket : text;
        const char *colon = memchr(from, ':', (size_t)(next - from));
        const char *host_end = bracket != NULL ? bracket : colon != NULL ? colon : next;
        const char *host = bracket != NULL ? text + 1 : text;
        const char *comma = *url->hosts != '\0' ? "," : "";
        const char *port =
            colon != NULL ? ps_arena_copy(arena, colon + 1, (size_t)(next - colon - 1)) : "5432";
        url->hosts = ps_arena_format(arena, "%s%s%s", url->hosts, comma,
                                     decoded(arena, host, (size_t)(host_end - host)));
        url->ports = ps_arena_format(arena, "%s%s%s", url->ports, comma, port);
    }
}

static enum ps_status read_postgres(struct ps_arena *arena, const char *text, struct ps_jdbc_url *url,
                                    struct ps_err *err)
{
    const char *question = strchrnul(text, '?');
    const char *database = text;
    url->kind = PS_DATABASE_POSTGRES;
    url->hosts = url->ports = "";
    if (behind(text, "//") != NULL) {
        const char *slash = memchr(text + 2, '/', (size_t)(question - text - 2));
        read_hosts(arena, text + 2, slash != NULL ? slash : question, url);
        database = slash != NULL ? slash + 1 : question;
    } else if (*text == '/') {
        database = text + 1;
    }
    url->name = decoded(arena, database, (size_t)(question - database));
    return *question != '\0' ? read_parameters(arena, question + 1, '&', url, err) : PS_OK;
}

enum ps_status ps_jdbc_url_read(struct ps_arena *arena, const char *text, struct ps_jdbc_url *url,
                                struct ps_err *err)
{
    static const struct {
        const char *prefix;
        enum ps_status (*read)(struct ps_arena *, const char *, struct ps_jdbc_url *, struct ps_err *);
    } drivers[] = {
        {"jdbc:derby:", read_derby}, {"jdbc:sqlite:", read_sqlite}, {"jdbc:postgresql:", read_postgres}};
    *url = (struct ps_jdbc_url){.hosts = "", .ports = ""};
    for (size_t i = 0; i < PS_COUNT_OF(drivers); i++) {
        if (behind(text, drivers[i].prefix) != NULL)
            return drivers[i].read(arena, behind(text, drivers[i].prefix), url, err);
    }
    const char *name = behind(text, "jdbc:");
    if (name == NULL || strchr(name, ':') == NULL)
        return ps_err_set(err, "driver.url is not a JDBC URL: it must begin with jdbc:, the name of the "
                               "database and a colon; " CURE);
    return ps_err_set(err,
                      "driver.url names a database of type %.*s, and penstock has no client for it: " CURE,
                      (int)strcspn(name, ":"), name);
}

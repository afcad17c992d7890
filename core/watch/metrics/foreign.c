#include "core/watch/metrics/foreign.h"

#include "core/watch/page.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct ps_foreign known; /* the last report; owns its texts */

static void component_free(struct ps_foreign_component *component)
{
    free((void *)(uintptr_t)component->name);
    free((void *)(uintptr_t)component->attributes);
}

static size_t place_of(const struct ps_foreign *foreign, const char *name)
{
    size_t place = 0;
    while (place < foreign->component_count && strcmp(foreign->components[place].name, name) != 0)
        place++;
    return place;
}

void ps_foreign_set_component(const char *name, const char *attributes)
{
    pthread_mutex_lock(&lock);
    size_t place = place_of(&known, name);
    bool is_known = place < known.component_count;
    if (is_known) {
        component_free(&known.components[place]);
        known.components[place] = known.components[--known.component_count];
    }
    if (attributes[0] != '\0' && known.component_count < PS_FOREIGN_COMPONENTS_MAX) {
        known.components = ps_must_realloc(known.components,
                                           (known.component_count + 1) * sizeof *known.components, "metrics");
        known.components[known.component_count++] = (struct ps_foreign_component){
            ps_must_copy_text(name, "metrics"), ps_must_copy_text(attributes, "metrics")};
    }
    pthread_mutex_unlock(&lock);
}

void ps_foreign_set_number(const struct ps_foreign_number *number)
{
    size_t place = 0;
    pthread_mutex_lock(&lock);
    while (place < known.number_count && strcmp(known.numbers[place].name, number->name) != 0)
        place++;
    PS_ASSERT(place < PS_FOREIGN_NUMBERS_MAX);
    known.numbers[place] = *number;
    known.number_count += place == known.number_count;
    pthread_mutex_unlock(&lock);
}

void ps_foreign_clear(void)
{
    pthread_mutex_lock(&lock);
    ps_foreign_fini(&known);
    pthread_mutex_unlock(&lock);
}

void ps_foreign_take(struct ps_foreign *foreign)
{
    pthread_mutex_lock(&lock);
    *foreign = known;
    foreign->components = NULL;
    if (known.component_count > 0)
        foreign->components = ps_must_alloc(known.component_count, sizeof *known.components, "metrics");
    for (size_t i = 0; i < known.component_count; i++)
        foreign->components[i] =
            (struct ps_foreign_component){ps_must_copy_text(known.components[i].name, "metrics"),
                                          ps_must_copy_text(known.components[i].attributes, "metrics")};
    pthread_mutex_unlock(&lock);
}

void ps_foreign_fini(struct ps_foreign *foreign)
{
    for (size_t i = 0; i < foreign->component_count; i++)
        component_free(&foreign->components[i]);
    free(foreign->components);
    *foreign = (struct ps_foreign){.components = NULL};
}

const char *ps_foreign_find(const struct ps_foreign *foreign, const char *name)
{
    size_t place = place_of(foreign, name);
    return place < foreign->component_count ? foreign->components[place].attributes : NULL;
}

bool ps_foreign_next(const char **at, const char **name, size_t *name_length, const char **value,
                     size_t *value_length)
{
    for (const char *end; (end = strchr(*at, '\n')) != NULL;) {
        const char *line = *at, *tab = memchr(line, '\t', (size_t)(end - line));
        *at = end + 1;
        if (tab == NULL)
            continue;
        *name = line;
        *name_length = (size_t)(tab - line);
        *value = tab + 1;
        *value_length = (size_t)(end - tab - 1);
        return true;
    }
    return false;
}

/* ---- Prometheus' text ---- */

static bool is_number(const char *text, size_t length)
{
    char copy[64], *end;
    if (length == 0 || length >= sizeof copy)
        return false;
    memcpy(copy, text, length);
    copy[length] = '\0';
    /* strtod also takes hexadecimal numbers and nan(..), with which Prometheus refuses the whole page. */
    if (strspn(copy, "+-.0123456789eE") != length)
        return strcmp(copy, "NaN") == 0 || strcmp(copy[0] == '-' ? copy + 1 : copy, "Infinity") == 0;
    (void)strtod(copy, &end);
    return *end == '\0';
}

static void component_write(struct ps_page *page, const struct ps_foreign_component *component)
{
    const char *at = component->attributes, *name, *value;
    size_t name_length, value_length;
    while (ps_foreign_next(&at, &name, &name_length, &value, &value_length)) {
        char attribute[128];
        if (!is_number(value, value_length) || name_length >= sizeof attribute)
            continue;
        memcpy(attribute, name, name_length);
        attribute[name_length] = '\0';
        ps_page_sample(page, "penstock_java_attribute", "component", component->name, "attribute", attribute,
                       NULL);
        ps_page_format(page, " %.*s\n", (int)value_length, value);
    }
}

void ps_foreign_prometheus(struct ps_page *page)
{
    struct ps_foreign foreign;
    ps_foreign_take(&foreign);
    for (size_t i = 0; i < foreign.number_count; i++) {
        const struct ps_foreign_number *number = &foreign.numbers[i];
        ps_page_family(page, number->name, number->type, number->help);
        ps_page_format(page, "%s %.15g\n", number->name, number->value);
    }
    if (foreign.component_count > 0)
        ps_page_family(page, "penstock_java_attribute", "gauge",
                       "Attributes of the MBeans of Flume's counters in the Java process");
    for (size_t i = 0; i < foreign.component_count; i++)
        component_write(page, &foreign.components[i]);
    ps_foreign_fini(&foreign);
}

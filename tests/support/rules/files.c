#include "tests/support/rules/files.h"

#include "tests/support/folder.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

static void write_to(const char *path, const char *format, va_list arguments)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(vfprintf(file, format, arguments) >= 0);
    assert_int_equal(fclose(file), 0);
}

const char *ps_test_rules_write(const char *name, const char *format, ...)
{
    const char *path = ps_test_folder_path(name);
    va_list arguments;
    va_start(arguments, format);
    write_to(path, format, arguments);
    va_end(arguments);
    return path;
}

const char *ps_test_rules_replace(const char *name, const char *format, ...)
{
    const char *path = ps_test_folder_path(name);
    char beside[4096];
    va_list arguments;
    snprintf(beside, sizeof beside, "%s.new", path);
    va_start(arguments, format);
    write_to(beside, format, arguments);
    va_end(arguments);
    assert_int_equal(rename(beside, path), 0);
    return path;
}

struct wanted {
    const char *name, *label;
    double value;
};

static void look(void *wanted_, const struct ps_series *series)
{
    struct wanted *wanted = wanted_;
    if (strcmp(series->name, wanted->name) == 0 &&
        (wanted->label == NULL || strcmp(series->label_value, wanted->label) == 0))
        wanted->value = series->value;
}

double ps_test_series(const struct ps_test_stage *stage, const char *name, const char *label)
{
    struct wanted wanted = {name, label, -1};
    stage->ops->series(stage->plan, look, &wanted);
    return wanted.value;
}

void ps_test_series_wait(const struct ps_test_stage *stage, const char *name, double value)
{
    uint64_t until_ns = ps_test_patience_end_ns();
    double now;
    while ((now = ps_test_series(stage, name, NULL)) != value) { /* whole numbers */
        if (ps_test_patient_ns() > until_ns)
            fail_msg("%s is %g, not %g", name, now, value);
        usleep(1000);
    }
}

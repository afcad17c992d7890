#include "tests/support/java_class.h"

#include "tests/support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zip.h>

struct writer {
    uint8_t *bytes;
    size_t length;
};

static void put(struct writer *writer, uint32_t value, size_t bytes)
{
    assert_true(writer->length + bytes <= PS_TEST_CLASS_BYTES);
    while (bytes-- > 0)
        writer->bytes[writer->length++] = (uint8_t)(value >> (8 * bytes));
}

static void put_text(struct writer *writer, const char *text)
{
    put(writer, 1, 1);
    put(writer, (uint32_t)strlen(text), 2);
    for (; *text != '\0'; text++)
        put(writer, (uint8_t)*text, 1);
}

/* Adds two constants: the name, and the class that has it. */
static void put_class(struct writer *writer, uint32_t number, const char *name)
{
    put_text(writer, name);
    put(writer, 7, 1);
    put(writer, number, 2);
}

static void put_method(struct writer *writer, uint32_t access, uint32_t name, uint32_t type)
{
    put(writer, access, 2);
    put(writer, name, 2);
    put(writer, type, 2);
    put(writer, 1, 2); /* an attribute, which a reader skips */
    put(writer, name, 2);
    put(writer, 3, 4);
    put(writer, 0xABCDEF, 3);
}

size_t ps_test_class_write(const struct ps_test_class *class, uint8_t bytes[PS_TEST_CLASS_BYTES])
{
    struct writer writer = {.bytes = bytes};
    uint32_t interfaces = 0;
    while (interfaces < PS_COUNT_OF(class->interfaces) && class->interfaces[interfaces] != NULL)
        interfaces++;
    uint32_t constructor = 5 + 2 * interfaces;
    put(&writer, 0xCAFEBABE, 4);
    put(&writer, class->version != 0 ? class->version : 52, 4);
    put(&writer, constructor + 5, 2); /* two texts, a long, which counts twice, and a text */
    put_class(&writer, 1, class->name);
    put_class(&writer, 3, class->super != NULL ? class->super : "java/lang/Object");
    for (uint32_t i = 0; i < interfaces; i++)
        put_class(&writer, 5 + 2 * i, class->interfaces[i]);
    put_text(&writer, "<init>");
    put_text(&writer, class->constructor != NULL ? class->constructor : "()V");
    put(&writer, 5, 1);
    put(&writer, 0, 4);
    put(&writer, 42, 4);
    put_text(&writer, class->second != NULL ? class->second : "");
    put(&writer, (class->hidden ? 0 : 1) | class->more_access, 2);
    put(&writer, 2, 2);
    put(&writer, 4, 2);
    put(&writer, interfaces, 2);
    for (uint32_t i = 0; i < interfaces; i++)
        put(&writer, 6 + 2 * i, 2);
    put(&writer, 1, 2); /* a field */
    put_method(&writer, 1, constructor, constructor + 1);
    put(&writer, class->second != NULL ? 2 : 1, 2);
    put_method(&writer, class->no_constructor ? 2 : 1, constructor, constructor + 1);
    if (class->second != NULL)
        put_method(&writer, 1, constructor, constructor + 4);
    put(&writer, 0, 2);
    return writer.length;
}

static void add_entry(zip_t *zip, const char *name, const void *bytes, size_t length)
{
    void *copy = NULL;
    if (length > 0) { /* libzip frees it; it does not free a buffer without bytes */
        copy = malloc(length);
        assert_non_null(copy);
        memcpy(copy, bytes, length);
    }
    zip_source_t *source = zip_source_buffer(zip, copy, length, copy != NULL);
    assert_true(zip_file_add(zip, name, source, ZIP_FL_OVERWRITE) >= 0);
}

void ps_test_jar_write(const char *path, const struct ps_test_class *classes, const char *manifest)
{
    int code;
    zip_t *zip = zip_open(path, ZIP_CREATE | ZIP_TRUNCATE, &code);
    assert_non_null(zip);
    add_entry(zip, "META-INF/MANIFEST.MF", manifest != NULL ? manifest : "",
              manifest != NULL ? strlen(manifest) : 0);
    for (; classes->name != NULL; classes++) {
        uint8_t bytes[PS_TEST_CLASS_BYTES];
        char name[256];
        size_t length = ps_test_class_write(classes, bytes);
        snprintf(name, sizeof name, "%s.class", classes->name);
        add_entry(zip, name, bytes, length);
    }
    assert_int_equal(zip_close(zip), 0);
}

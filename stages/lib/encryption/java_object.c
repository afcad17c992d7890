#include "stages/lib/encryption/java_object.h"

#include <string.h>

enum {
    TC_NULL = 0x70,
    TC_REFERENCE = 0x71,
    TC_CLASSDESC = 0x72,
    TC_OBJECT = 0x73,
    TC_STRING = 0x74,
    TC_ARRAY = 0x75,
    TC_ENDBLOCKDATA = 0x78,
    TC_ENUM = 0x7e,
};
#define FIRST_HANDLE 0x7e0000U
#define HANDLES_MAX 64U
#define CLASSES_MAX 8U
#define NO_CLASS CLASSES_MAX
#define SC_WRITE_METHOD 1U
#define SC_SERIALIZABLE 2U

struct java_class {
    struct ps_slice name, fields[PS_JAVA_FIELDS_MAX];
    char types[PS_JAVA_FIELDS_MAX];
    size_t count, super;
    unsigned flags;
};

/* An item that a later reference may name: a class, a text or bytes. */
struct handle {
    size_t class;
    struct ps_slice value;
};

struct reader {
    const uint8_t *data;
    size_t length, at;
    struct handle handles[HANDLES_MAX];
    size_t handle_count;
    struct java_class classes[CLASSES_MAX];
    size_t class_count;
};

/* Returns `count` bytes, or NULL if fewer are left. */
static const uint8_t *take(struct reader *reader, size_t count)
{
    if (count > reader->length - reader->at)
        return NULL;
    reader->at += count;
    return reader->data + reader->at - count;
}

/* Reads a big-endian number of `count` bytes. */
static bool take_number(struct reader *reader, size_t count, uint32_t *number)
{
    const uint8_t *bytes = take(reader, count);
    *number = 0;
    for (size_t i = 0; bytes != NULL && i < count; i++)
        *number = *number << 8 | bytes[i];
    return bytes != NULL;
}

static bool take_bytes(struct reader *reader, uint32_t length, struct ps_slice *slice)
{
    *slice = (struct ps_slice){(const char *)take(reader, length), length};
    return slice->data != NULL;
}

static bool take_text(struct reader *reader, struct ps_slice *text)
{
    uint32_t length;
    return take_number(reader, 2, &length) && take_bytes(reader, length, text);
}

static bool add_handle(struct reader *reader, size_t class, struct ps_slice value)
{
    if (reader->handle_count == HANDLES_MAX)
        return false;
    reader->handles[reader->handle_count++] = (struct handle){class, value};
    return true;
}

static const struct handle *take_reference(struct reader *reader)
{
    uint32_t number;
    if (!take_number(reader, 4, &number) || number < FIRST_HANDLE ||
        number - FIRST_HANDLE >= reader->handle_count)
        return NULL;
    return &reader->handles[number - FIRST_HANDLE];
}

/* Reads a string, or a reference to one; also used for the type of a field. */
static bool take_string(struct reader *reader, uint32_t code, struct ps_slice *value)
{
    if (code == TC_STRING)
        return take_text(reader, value) && add_handle(reader, NO_CLASS, *value);
    const struct handle *handle = code == TC_REFERENCE ? take_reference(reader) : NULL;
    if (handle == NULL || handle->class != NO_CLASS)
        return false;
    *value = handle->value;
    return true;
}

static bool take_field(struct reader *reader, struct java_class *class)
{
    uint32_t type, code;
    struct ps_slice unused;
    if (class->count == PS_JAVA_FIELDS_MAX || !take_number(reader, 1, &type) ||
        !take_text(reader, &class->fields[class->count]))
        return false;
    class->types[class->count++] = (char)type;
    return (type != 'L' && type != '[') ||
           (take_number(reader, 1, &code) && take_string(reader, code, &unused));
}

/* Reads a class and its superclasses. Returns the index of the class, NO_CLASS for none, or -1. */
static int take_class(struct reader *reader)
{
    int first = NO_CLASS, last = -1;
    for (;;) {
        uint32_t code, flags, fields;
        size_t index = reader->class_count;
        if (!take_number(reader, 1, &code))
            return -1;
        if (code == TC_NULL)
            return first;
        if (code == TC_REFERENCE && last < 0) {
            const struct handle *handle = take_reference(reader);
            return handle != NULL && handle->class != NO_CLASS ? (int)handle->class : -1;
        }
        if (code != TC_CLASSDESC || index == CLASSES_MAX)
            return -1;
        struct java_class *class = &reader->classes[reader->class_count++];
        *class = (struct java_class){.super = NO_CLASS};
        if (!take_text(reader, &class->name) || take(reader, 8) == NULL ||
            !add_handle(reader, index, (struct ps_slice){NULL, 0}) || !take_number(reader, 1, &flags) ||
            !take_number(reader, 2, &fields))
            return -1;
        class->flags = flags;
        for (uint32_t i = 0; i < fields; i++)
            if (!take_field(reader, class))
                return -1;
        if (!take_number(reader, 1, &code) || code != TC_ENDBLOCKDATA)
            return -1;
        if (last >= 0)
            reader->classes[last].super = index;
        else
            first = (int)index;
        last = (int)index;
    }
}

static bool is_bytes(const struct reader *reader, int class)
{
    const struct ps_slice *name = &reader->classes[class].name;
    return name->length == 2 && memcmp(name->data, "[B", 2) == 0;
}

/* Reads a constant of an enum: its class, then its name. */
static bool take_constant(struct reader *reader, struct ps_slice *name)
{
    uint32_t code;
    int class = take_class(reader);
    return class >= 0 && class != (int)NO_CLASS && add_handle(reader, NO_CLASS, *name) &&
           take_number(reader, 1, &code) && take_string(reader, code, name);
}

/* Reads the value of a field that is not a number: null, a string, a constant of an enum, or an array of bytes. */
static bool take_value(struct reader *reader, struct ps_slice *value)
{
    uint32_t code, length;
    *value = (struct ps_slice){NULL, 0};
    if (!take_number(reader, 1, &code))
        return false;
    if (code == TC_NULL)
        return true;
    if (code == TC_ENUM)
        return take_constant(reader, value);
    if (code != TC_ARRAY)
        return take_string(reader, code, value);
    int class = take_class(reader);
    if (class < 0 || class == (int)NO_CLASS || !is_bytes(reader, class))
        return false;
    size_t handle = reader->handle_count;
    if (!add_handle(reader, NO_CLASS, *value) || !take_number(reader, 4, &length) ||
        !take_bytes(reader, length, value))
        return false;
    reader->handles[handle].value = *value;
    return true;
}

/* Reads the fields of one class, in the order of its description. */
static bool take_fields(struct reader *reader, const struct java_class *class, struct ps_java_object *object)
{
    static const char types[] = "BCDFIJSZ", sizes[] = {1, 2, 8, 4, 4, 8, 2, 1};
    for (size_t i = 0; i < class->count; i++) {
        const char *number = class->types[i] != '\0' ? strchr(types, class->types[i]) : NULL;
        if (object->count == PS_JAVA_FIELDS_MAX)
            return false;
        struct ps_java_field *field = &object->fields[object->count++];
        *field = (struct ps_java_field){.name = class->fields[i]};
        if (number != NULL ? take(reader, (size_t)sizes[number - types]) == NULL
                           : !take_value(reader, &field->value))
            return false;
    }
    return true;
}

bool ps_java_object_read(const uint8_t *bytes, size_t length, struct ps_java_object *object)
{
    struct reader reader = {.data = bytes, .length = length};
    uint32_t magic, code;
    size_t chain[CLASSES_MAX], depth = 0;
    *object = (struct ps_java_object){.count = 0};
    if (!take_number(&reader, 4, &magic) || magic != 0xaced0005U || !take_number(&reader, 1, &code) ||
        code != TC_OBJECT)
        return false;
    int class = take_class(&reader);
    if (class < 0 || class == (int)NO_CLASS || !add_handle(&reader, NO_CLASS, (struct ps_slice){NULL, 0}))
        return false;
    object->class_name = reader.classes[class].name;
    for (size_t at = (size_t) class; at != NO_CLASS; at = reader.classes[at].super)
        chain[depth++] = at;
    while (depth > 0) {
        const struct java_class *one = &reader.classes[chain[--depth]];
        bool end =
            (one->flags & SC_WRITE_METHOD) != 0; /* the writeObject of the class must have added nothing */
        if ((one->flags & SC_SERIALIZABLE) == 0 || !take_fields(&reader, one, object) ||
            (end && (!take_number(&reader, 1, &code) || code != TC_ENDBLOCKDATA)))
            return false;
    }
    object->length = reader.at;
    return true;
}

struct ps_slice ps_java_object_get(const struct ps_java_object *object, const char *field)
{
    for (size_t i = 0; i < object->count; i++)
        if (object->fields[i].name.length == strlen(field) &&
            memcmp(object->fields[i].name.data, field, strlen(field)) == 0)
            return object->fields[i].value;
    return (struct ps_slice){NULL, 0};
}

/* See class_file.h. The format: Java Virtual Machine Specification, chapter 4. */
#include "conf/java/class_file.h"

#include <stdlib.h>
#include <string.h>

#define MAGIC 0xCAFEBABEU
#define FIRST_VERSION 44U /* Java 8 has 52 */

enum access { ACCESS_PUBLIC = 0x0001, ACCESS_INTERFACE = 0x0200, ACCESS_ABSTRACT = 0x0400 };

/* Tags of the constant pool. */
enum tag {
    TAG_UTF8 = 1,
    TAG_INTEGER = 3,
    TAG_FLOAT = 4,
    TAG_LONG = 5,
    TAG_DOUBLE = 6,
    TAG_CLASS = 7,
    TAG_STRING = 8,
    TAG_FIELD = 9,
    TAG_METHOD = 10,
    TAG_INTERFACE_METHOD = 11,
    TAG_NAME_AND_TYPE = 12,
    TAG_METHOD_HANDLE = 15,
    TAG_METHOD_TYPE = 16,
    TAG_DYNAMIC = 17,
    TAG_INVOKE_DYNAMIC = 18,
    TAG_MODULE = 19,
    TAG_PACKAGE = 20,
};

struct reader {
    const uint8_t *bytes;
    size_t length, at;
    bool cut; /* the reader wanted more bytes than there are */
    /* for each constant the offset after its tag; 0: there is no constant with this number */
    uint32_t *pool;
    uint32_t constants; /* their number, including number 0, which is never used */
};

static uint32_t number(struct reader *reader, size_t bytes)
{
    uint32_t value = 0;
    if (reader->length - reader->at < bytes) {
        reader->cut = true;
        reader->at = reader->length;
        return 0;
    }
    for (size_t i = 0; i < bytes; i++)
        value = value << 8 | reader->bytes[reader->at++];
    return value;
}

static void skip(struct reader *reader, size_t bytes)
{
    bool fits = reader->length - reader->at >= bytes;
    reader->cut |= !fits;
    reader->at = fits ? reader->at + bytes : reader->length;
}

/* ---- the constant pool ---- */

/* Returns the bytes of a constant with this tag, or -1 for an unknown tag. Not for TAG_UTF8. */
static int constant_bytes(uint32_t tag)
{
    switch ((enum tag)tag) {
    case TAG_CLASS:
    case TAG_STRING:
    case TAG_METHOD_TYPE:
    case TAG_MODULE:
    case TAG_PACKAGE:
        return 2;
    case TAG_METHOD_HANDLE:
        return 3;
    case TAG_INTEGER:
    case TAG_FLOAT:
    case TAG_FIELD:
    case TAG_METHOD:
    case TAG_INTERFACE_METHOD:
    case TAG_NAME_AND_TYPE:
    case TAG_DYNAMIC:
    case TAG_INVOKE_DYNAMIC:
        return 4;
    case TAG_LONG:
    case TAG_DOUBLE:
        return 8;
    case TAG_UTF8:
        break;
    }
    return -1;
}

static enum ps_status read_pool(struct reader *reader, struct ps_err *err)
{
    reader->constants = number(reader, 2);
    reader->pool = ps_must_alloc(reader->constants + 1, sizeof *reader->pool, "the constants of a class");
    for (uint32_t i = 1; i < reader->constants && !reader->cut; i++) {
        uint32_t tag = number(reader, 1);
        reader->pool[i] = (uint32_t)reader->at;
        if (tag == TAG_UTF8) {
            skip(reader, number(reader, 2));
            continue;
        }
        int bytes = constant_bytes(tag);
        if (bytes < 0)
            return ps_err_set(err, "constant %u has the unknown tag %u", i, tag);
        skip(reader, (size_t)bytes);
        if (tag == TAG_LONG || tag == TAG_DOUBLE)
            i++; /* this constant takes two numbers */
    }
    return reader->cut ? ps_err_set(err, "the file is cut short in its constant pool") : PS_OK;
}

/* Returns the offset of constant number `index`, after its tag; 0 if it does not have this tag. */
static uint32_t constant(const struct reader *reader, uint32_t index, enum tag tag)
{
    uint32_t at = index < reader->constants ? reader->pool[index] : 0;
    return at != 0 && reader->bytes[at - 1] == (uint8_t)tag ? at : 0;
}

static uint32_t short_at(const struct reader *reader, uint32_t at)
{
    return (uint32_t)(reader->bytes[at] << 8 | reader->bytes[at + 1]);
}

static bool text_is(const struct reader *reader, uint32_t index, const char *text)
{
    uint32_t at = constant(reader, index, TAG_UTF8);
    return at != 0 && short_at(reader, at) == strlen(text) &&
           memcmp(reader->bytes + at + 2, text, strlen(text)) == 0;
}

/* Returns the name of the class that the constant stands for, or NULL. */
static const char *class_name(const struct reader *reader, struct ps_arena *arena, uint32_t index)
{
    uint32_t at = constant(reader, index, TAG_CLASS);
    uint32_t text = at != 0 ? constant(reader, short_at(reader, at), TAG_UTF8) : 0;
    uint32_t length = text != 0 ? short_at(reader, text) : 0;
    if (length == 0 || memchr(reader->bytes + text + 2, '\0', length) != NULL)
        return NULL;
    return ps_arena_copy(arena, (const char *)reader->bytes + text + 2, length);
}

/* ---- fields and methods ---- */

/* Returns whether the constant is the type of a constructor whose only parameter is the enclosing class. */
static bool wants_outer(const struct reader *reader, uint32_t type, const char *name)
{
    const char *dollar = strrchr(name, '$');
    uint32_t at = constant(reader, type, TAG_UTF8);
    size_t length = dollar != NULL ? (size_t)(dollar - name) : 0;
    return length > 0 && at != 0 && short_at(reader, at) == length + strlen("(L;)V") &&
           memcmp(reader->bytes + at + 2, "(L", 2) == 0 && memcmp(reader->bytes + at + 4, name, length) == 0;
}

/* Skips fields (`file` NULL) or methods; of methods it notes which public constructors there are. */
static void skip_members(struct reader *reader, struct ps_class_file *file)
{
    for (uint32_t count = number(reader, 2); count > 0 && !reader->cut; count--) {
        uint32_t access = number(reader, 2), name = number(reader, 2), type = number(reader, 2);
        if (file != NULL && (access & ACCESS_PUBLIC) != 0 && text_is(reader, name, "<init>")) {
            file->has_constructor |= text_is(reader, type, "()V");
            file->is_inner |= wants_outer(reader, type, file->name);
        }
        for (uint32_t attributes = number(reader, 2); attributes > 0 && !reader->cut; attributes--) {
            skip(reader, 2);
            skip(reader, number(reader, 4));
        }
    }
}

static enum ps_status read_class(struct reader *reader, struct ps_arena *arena, struct ps_class_file *file,
                                 struct ps_err *err)
{
    *file = (struct ps_class_file){.name = NULL};
    if (number(reader, 4) != MAGIC)
        return ps_err_set(err, "it is not a Java class: its first four bytes are wrong");
    skip(reader, 2); /* the minor version */
    uint32_t version = number(reader, 2);
    file->java = version > FIRST_VERSION ? version - FIRST_VERSION : 1;
    if (read_pool(reader, err) != PS_OK)
        return PS_FAIL;
    uint32_t access = number(reader, 2), name = number(reader, 2), super = number(reader, 2);
    file->is_public = (access & ACCESS_PUBLIC) != 0;
    file->is_abstract = (access & ACCESS_ABSTRACT) != 0;
    file->is_interface = (access & ACCESS_INTERFACE) != 0;
    file->name = class_name(reader, arena, name);
    file->super = class_name(reader, arena, super);
    uint32_t count = number(reader, 2);
    const char **interfaces = ps_arena_alloc(arena, (reader->cut ? 1 : count + 1) * sizeof *interfaces);
    bool whole = file->name != NULL && (super == 0 || file->super != NULL);
    for (uint32_t i = 0; i < count && whole && !reader->cut; i++) {
        interfaces[i] = class_name(reader, arena, number(reader, 2));
        whole = reader->cut || interfaces[i] != NULL;
    }
    file->interfaces = (struct ps_texts){count, interfaces};
    if (!whole)
        return ps_err_set(err, "the names of the class and of its parents are damaged");
    skip_members(reader, NULL);
    skip_members(reader, file);
    return reader->cut ? ps_err_set(err, "the file is cut short") : PS_OK;
}

enum ps_status ps_class_file_parse(struct ps_arena *arena, const void *bytes, size_t length,
                                   struct ps_class_file *file, struct ps_err *err)
{
    if (length > PS_CLASS_FILE_BYTES_MAX)
        return ps_err_set(err, "the file is larger than %u bytes", PS_CLASS_FILE_BYTES_MAX);
    struct reader reader = {.bytes = bytes, .length = length};
    enum ps_status status = read_class(&reader, arena, file, err);
    free(reader.pool);
    return status;
}

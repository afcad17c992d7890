/* One object in Java's serialization format (Java Object Serialization Specification, chapter 6), as far as
 * key stores need it: an object of a class and its superclasses whose fields are numbers, strings, constants
 * of enums and arrays of bytes. The bytes are untrusted. Nothing is allocated or copied. Thread: any. */
#pragma once

#include "core/base.h"

#define PS_JAVA_FIELDS_MAX 16U

struct ps_java_field {
    struct ps_slice name,
        value; /* of a string, a constant (its name) or an array of bytes; other values have none */
};

struct ps_java_object {
    struct ps_slice class_name;
    struct ps_java_field fields[PS_JAVA_FIELDS_MAX]; /* of the superclasses first */
    size_t count;
    size_t length; /* bytes of the object, from the stream's magic on */
};

/* Reads the object. Returns false if the bytes are anything else. */
bool ps_java_object_read(const uint8_t *bytes, size_t length, struct ps_java_object *object);
/* Returns the value of a field; its data is NULL if there is no such field. */
struct ps_slice ps_java_object_get(const struct ps_java_object *object, const char *field);

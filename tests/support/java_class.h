/* Java classes and jars for tests, made without a JDK: a class file with a constructor and no code. Thread: the test's. */
#pragma once

#include "core/base.h"

struct ps_test_class {
    const char *name;  /* with slashes; NULL ends a list */
    const char *super; /* NULL: java/lang/Object */
    const char *interfaces[4];
    unsigned more_access; /* besides public: 0x0200 interface, 0x0400 abstract */
    bool hidden;          /* not public */
    bool no_constructor;
    const char *constructor; /* the type of its constructor; NULL: ()V */
    const char *second;      /* of a second constructor, which is public; NULL: none */
    unsigned version;        /* of the file: 61 is of Java 17; 0: 52, of Java 8 */
};

#define PS_TEST_CLASS_BYTES 1024U

/* Writes the class file. Returns its length. */
size_t ps_test_class_write(const struct ps_test_class *class, uint8_t bytes[PS_TEST_CLASS_BYTES]);

/* Writes a jar of the classes. `manifest` may be NULL. */
void ps_test_jar_write(const char *path, const struct ps_test_class *classes, const char *manifest);

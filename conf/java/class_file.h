/* The description of a compiled Java class (a .class file): its name, what it extends and implements, and whether
 * it can be instantiated by name. Code and attributes are skipped. Thread: any. */
#pragma once

#include "core/arena.h"
#include "core/option.h"
#include "core/status.h"

#define PS_CLASS_FILE_BYTES_MAX (8U << 20)

/* Names are those of the file, with slashes: "org/apache/flume/Sink". */
struct ps_class_file {
    const char *name;
    const char *super; /* NULL for java/lang/Object and for modules */
    struct ps_texts interfaces;
    bool is_public, is_abstract, is_interface;
    bool has_constructor; /* it has a public constructor without parameters */
    /* a public constructor's only parameter is the enclosing class: the class is not `static` */
    bool is_inner;
    uint32_t java; /* the oldest Java that can load it: 8, 17 */
};

/* Parses a class file. Returns PS_FAIL with a message when the bytes are not a class. The texts are copied into the
 * arena. */
enum ps_status ps_class_file_parse(struct ps_arena *arena, const void *bytes, size_t length,
                                   struct ps_class_file *file, struct ps_err *err);

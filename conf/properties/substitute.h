/* ${...} in values, as in commons-text's StringSubstitutor with the settings of Flume 1.10 and 1.11 (Flume
 * user guide, Using environment variables in configuration files), and in the older EnvVarResolverProperties.
 *
 * ${sys:x} ${env:X} ${java:version} ${date:yyyy-MM-dd} ${other.key} ${x:-default} ${${sys:stage}_HOST}
 * $${unchanged}
 *
 * An unknown reference is left unchanged, with a warning. There is one deviation: ${other.key} always sees
 * the other key, while Flume sees it only if that key comes first in its hash order. Cycles, depth and sizes are
 * limited. Thread: the control thread; reads the environment. */
#pragma once

#include "conf/properties/properties.h"
#include "core/option.h"

enum ps_lookup { PS_LOOKUP_SYS, PS_LOOKUP_ENV, PS_LOOKUP_JAVA, PS_LOOKUP_DATE, PS_LOOKUP_UNSUPPORTED };

struct ps_lookup_name {
    const char *prefix; /* lower case, without the colon */
    enum ps_lookup lookup;
    const char *java; /* for an unsupported lookup: its name in Java */
};

#define PS_LOOKUP_MAX 64

struct ps_substitution {
    struct ps_arena *arena;
    struct ps_problems *problems;
    const struct ps_pairs *system; /* -D */
    bool environment_mode; /* -DpropertiesImplementation=org.apache.flume.node.EnvVarResolverProperties */
    size_t lookup_count;   /* 0: Flume's four lookups */
    struct ps_lookup_name lookups[PS_LOOKUP_MAX];
    int64_t now_ms;    /* for ${date:} */
    const char *agent; /* limits warnings to keys of this agent; NULL = all keys */
};

#define PS_SUBSTITUTE_BYTES_MAX (1u << 20) /* maximum length of one value */
#define PS_SUBSTITUTE_DEPTH_MAX 32
#define PS_SUBSTITUTE_COUNT_MAX 1000000 /* maximum number of replacements in one load */
/* maximum number of bytes searched for closing braces in one load; the search takes tenths of a second */
#define PS_SUBSTITUTE_SCAN_BYTES_MAX (256u << 20)
#define PS_FILTER_REFERENCE_BYTES_MAX 4096

/* Replaces ${...} in every value of `properties`. Returns PS_FAIL, after adding an error, for a cycle or an
 * exceeded limit. */
enum ps_status ps_substitute(struct ps_properties *properties, const struct ps_substitution *how);

/* Reads a lookups.properties (names on the left, DefaultStringLookup words on the right) into `how`. */
void ps_substitute_lookups(struct ps_substitution *how, const struct ps_properties *lookups);

/* Tests for a config filter's reference: f1[key], f1['key'] or f1["key"]. Returns the length of the filter's
 * name, or 0. */
size_t ps_filter_reference(const char *name, size_t length);

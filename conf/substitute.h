/* ${...} in values: commons-text's StringSubstitutor as Flume 1.10 and 1.11 set it up (FLUME.md 2.4), and the
 * older EnvVarResolverProperties.
 *
 * ${sys:x} ${env:X} ${java:version} ${date:yyyy-MM-dd} ${other.key} ${x:-default} ${${sys:stage}_HOST}
 * $${left alone}. What is not known stays as it is, with a warning. One deviation: ${other.key} always sees
 * the other key, where Flume sees it only if its hash order came first. Cycles, depth and sizes are bounded.
 * Thread: the control thread; reads the environment. */
#pragma once

#include "conf/properties.h"
#include "core/option.h"

enum ps_lookup { PS_LOOKUP_SYS, PS_LOOKUP_ENV, PS_LOOKUP_JAVA, PS_LOOKUP_DATE, PS_LOOKUP_UNSUPPORTED };

struct ps_lookup_name {
    const char *prefix; /* lower case, without the colon */
    enum ps_lookup lookup;
    const char *java; /* Java's name of an unsupported one */
};

#define PS_LOOKUP_MAX 64

struct ps_substitution {
    struct ps_arena *arena;
    struct ps_problems *problems;
    const struct ps_pairs *system; /* -D */
    bool environment_mode; /* -DpropertiesImplementation=org.apache.flume.node.EnvVarResolverProperties */
    size_t lookup_count;   /* 0: the four of Flume */
    struct ps_lookup_name lookups[PS_LOOKUP_MAX];
    int64_t now_ms;    /* for ${date:} */
    const char *agent; /* warn for keys of this agent alone; NULL = for all */
};

#define PS_SUBSTITUTE_BYTES_MAX (1u << 20) /* of one value */
#define PS_SUBSTITUTE_DEPTH_MAX 32
#define PS_SUBSTITUTE_COUNT_MAX 1000000 /* replacements in one load */

/* Replaces every value of `properties`. PS_FAIL (with an error among the problems) for a cycle or a passed
 * limit. */
enum ps_status ps_substitute(struct ps_properties *properties, const struct ps_substitution *how);

/* Reads a lookups.properties (names on the left, DefaultStringLookup words on the right) into `how`. */
void ps_substitute_lookups(struct ps_substitution *how, const struct ps_properties *lookups);

/* f1[key], f1['key'], f1["key"]: the form of a config filter's reference. Length of the filter's name, or 0.
 */
size_t ps_filter_reference(const char *name, size_t length);

/* The examples of conf/examples/plugins as texts, made by cmake/plugin.cmake: `penstock plugin new` writes them with
 * another name. */
#pragma once

struct ps_plugin_template {
    const char *kind; /* "source" */
    const char *name; /* of the example: each occurrence becomes the new name */
    const char *text;
};

/* Ends with a NULL kind. */
extern const struct ps_plugin_template ps_plugin_templates[];

/* The examples of conf/examples/plugins as texts, made by cmake/plugin.cmake: `penstock plugin new` writes them with
 * another name. */
#pragma once

struct ps_plugin_template {
    const char *kind; /* "source" */
    /* name of the example: `penstock plugin new` replaces each occurrence by the new name */
    const char *name;
    const char *text;
};

/* Ends with a NULL kind. */
extern const struct ps_plugin_template ps_plugin_templates[];

/* Prints the steps of a script, a line of JSON each, for a player outside of the world (tests/scenarios/real). */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/world/scenario/scenario.h"

/* Bytes above 127 are characters of Latin-1, so that the reader has the same bytes again. */
static void print_text(const char *text, size_t length)
{
    putchar('"');
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)text[i];
        if (byte == '"' || byte == '\\' || !isprint(byte))
            printf("\\u%04x", byte);
        else
            putchar(byte);
    }
    putchar('"');
}

static void print_word(const char *word)
{
    print_text(word, strlen(word));
}

/* An agent's file that a word or two stand for is printed as a whole. */
static void print_step(const struct scenario_script *script, const struct scenario_step *step,
                       unsigned variant)
{
    char *flow = step->verb->run == step_flow ? flow_text(step) : NULL;
    if (step->verb->run == step_flow && flow == NULL)
        scenario_mistake(script->file, step->line, "one of the components is unknown");
    if (flow != NULL) /* as in the world */
        printf("{\"variant\": %u, \"line\": %u, \"step\": \"mkdir\", \"words\": [\"/w/out\"]}\n", variant + 1,
               step->line);
    printf("{\"variant\": %u, \"line\": %u, \"step\": ", variant + 1, step->line);
    print_word(flow != NULL ? "agent" : step->verb->name);
    if (step->condition != NULL) {
        printf(", \"no\": %s, \"condition\": ", step->is_not ? "true" : "false");
        print_word(step->condition->name);
    }
    printf(", \"words\": [");
    for (unsigned i = 0; i < step->count && flow == NULL; i++) {
        printf(i == 0 ? "" : ", ");
        print_word(step->words[i]);
    }
    printf("]");
    if (flow != NULL || step->text != NULL) {
        printf(", \"text\": ");
        print_text(flow != NULL ? flow : step->text, flow != NULL ? strlen(flow) : step->length);
    }
    printf("}\n");
    free(flow);
}

void scenario_print(const char *file)
{
    for (unsigned variant = 0; variant < scenario_variants(file); variant++) {
        struct scenario_script script;
        scenario_read(file, variant, &script);
        for (size_t i = 0; i < script.count; i++)
            print_step(&script, &script.steps[i], variant);
    }
}

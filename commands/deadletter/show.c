/* penstock deadletter list, show. */
#include "commands/deadletter/deadletter.h"
#include "core/text/printable.h"
#include "core/quantity.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The letters with the same agent, component and reason. */
struct kind {
    char *agent, *component, *reason;
    char first[32], last[32];
    uint64_t letters, bytes, replayed, aside;
};

struct list {
    struct kind *kinds;
    size_t count;
    struct kind total;
};

static void kind_add(struct kind *kind, const struct ps_deadletter *letter)
{
    const char *time = ps_deadletter_text(letter, "time");
    if (kind->letters++ == 0 || strcmp(time, kind->first) < 0)
        snprintf(kind->first, sizeof kind->first, "%s", time);
    if (strcmp(time, kind->last) > 0)
        snprintf(kind->last, sizeof kind->last, "%s", time);
    kind->bytes += letter->body_length;
    kind->replayed += letter->replayed;
    kind->aside += letter->aside;
}

static struct kind *kind_of(struct list *list, const struct ps_deadletter *letter)
{
    const char *agent = ps_deadletter_text(letter, "agent"),
               *component = ps_deadletter_text(letter, "component"),
               *reason = ps_deadletter_text(letter, "reason");
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->kinds[i].agent, agent) == 0 && strcmp(list->kinds[i].component, component) == 0 &&
            strcmp(list->kinds[i].reason, reason) == 0)
            return &list->kinds[i];
    list->kinds = ps_must_realloc(list->kinds, (list->count + 1) * sizeof *list->kinds, "kinds of letters");
    struct kind *kind = &list->kinds[list->count++];
    *kind = (struct kind){.agent = ps_must_copy_text(agent, "a kind of letters"),
                          .component = ps_must_copy_text(component, "a kind of letters"),
                          .reason = ps_must_copy_text(reason, "a kind of letters")};
    return kind;
}

static bool list_add(void *argument, const struct ps_deadletter *letter)
{
    struct list *list = argument;
    kind_add(kind_of(list, letter), letter);
    kind_add(&list->total, letter);
    return true;
}

static int by_letters(const void *a, const void *b)
{
    const struct kind *left = a, *right = b;
    if (left->letters != right->letters)
        return left->letters > right->letters ? -1 : 1;
    int order = strcmp(left->component, right->component);
    if (order == 0)
        order = strcmp(left->reason, right->reason);
    return order != 0 ? order : strcmp(left->agent, right->agent);
}

/* Each character counts as one column. */
static void text_print(const char *text, int width)
{
    ps_printable_write(stdout, text, strlen(text));
    for (; *text != '\0'; text++)
        width -= ((unsigned char)*text & 0xc0) != 0x80;
    for (; width > 0; width--)
        putchar(' ');
    putchar(' ');
}

static void list_print(const struct list *list, const struct ps_deadletter_found *found)
{
    printf("%s dead %s, %s of bodies, %s %s; %s replayed, %s set aside\n",
           ps_quantity_print_count(list->total.letters).text,
           ps_quantity_word(list->total.letters, "letter", "letters"),
           ps_quantity_print_bytes(list->total.bytes).text, ps_quantity_print_count(found->files).text,
           ps_quantity_word(found->files, "file", "files"),
           ps_quantity_print_count(list->total.replayed).text,
           ps_quantity_print_count(list->total.aside).text);
    if (found->unreadable + found->torn > 0)
        printf("%s %s, %s %s incomplete (after a crash, or still being written)\n",
               ps_quantity_print_count(found->unreadable).text,
               ps_quantity_word(found->unreadable, "line is not a dead letter", "lines are not dead letters"),
               ps_quantity_print_count(found->torn).text, ps_quantity_word(found->torn, "is", "are"));
    if (list->count == 0)
        return;
    printf("%-10s %-24s %-20s %10s %10s %10s  %-24s %s\n", "agent", "component", "reason", "letters",
           "replayed", "aside", "first", "last");
    for (size_t i = 0; i < list->count; i++) {
        const struct kind *kind = &list->kinds[i];
        text_print(kind->agent, 10);
        text_print(kind->component, 24);
        text_print(kind->reason, 20);
        printf("%10s %10s %10s  ", ps_quantity_print_count(kind->letters).text,
               ps_quantity_print_count(kind->replayed).text, ps_quantity_print_count(kind->aside).text);
        text_print(kind->first, 24);
        ps_printable_write(stdout, kind->last, strlen(kind->last));
        putchar('\n');
    }
}

static json_t *kind_json(const struct kind *kind)
{
    json_t *object =
        json_pack("{s:I,s:I,s:I,s:I}", "letters", (json_int_t)kind->letters, "bytes", (json_int_t)kind->bytes,
                  "replayed", (json_int_t)kind->replayed, "aside", (json_int_t)kind->aside);
    if (kind->letters > 0) {
        json_object_set_new(object, "first", json_string(kind->first));
        json_object_set_new(object, "last", json_string(kind->last));
    }
    if (kind->agent != NULL) {
        json_object_set_new(object, "agent", json_string(kind->agent));
        json_object_set_new(object, "component", json_string(kind->component));
        json_object_set_new(object, "reason", json_string(kind->reason));
    }
    return object;
}

static void list_print_json(const struct list *list, const struct ps_deadletter_found *found)
{
    json_t *object = kind_json(&list->total), *kinds = json_array();
    for (size_t i = 0; i < list->count; i++)
        json_array_append_new(kinds, kind_json(&list->kinds[i]));
    json_object_set_new(object, "files", json_integer((json_int_t)found->files));
    json_object_set_new(object, "unreadable", json_integer((json_int_t)found->unreadable));
    json_object_set_new(object, "torn", json_integer((json_int_t)found->torn));
    json_object_set_new(object, "kinds", kinds);
    json_dumpf(object, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(object);
}

int ps_main_deadletter_list(const struct ps_deadletter_command *command)
{
    struct ps_deadletter_marks *marks = ps_deadletter_marks_read(command->directory);
    struct ps_deadletter_found found;
    struct list list = {.count = 0};
    if (marks == NULL)
        return 1;
    bool good = ps_deadletter_each(command, marks, list_add, &list, &found);
    if (list.count > 0)
        qsort(list.kinds, list.count, sizeof *list.kinds, by_letters);
    (command->json ? list_print_json : list_print)(&list, &found);
    for (size_t i = 0; i < list.count; i++) {
        free(list.kinds[i].agent);
        free(list.kinds[i].component);
        free(list.kinds[i].reason);
    }
    free(list.kinds);
    ps_deadletter_marks_free(marks);
    return good ? 0 : 1;
}

/* ---- show ---- */

static bool letter_print_json(void *, const struct ps_deadletter *letter)
{
    return fwrite(letter->line, 1, letter->line_length, stdout) == letter->line_length;
}

static bool letter_print(void *, const struct ps_deadletter *letter)
{
    static const char *const names[] = {"time", "component", "reason", "text"};
    const char *separator = "", *name;
    json_t *value;
    for (size_t i = 0; i < PS_COUNT_OF(names); i++) {
        const char *text = ps_deadletter_text(letter, names[i]);
        fputs(i == 0 ? "" : i == 3 ? ": " : " ", stdout);
        ps_printable_write(stdout, text, strlen(text));
    }
    printf(" (attempts %lld%s%s)\n  {",
           (long long)json_integer_value(json_object_get(letter->json, "attempts")),
           letter->replays > 0 ? ", replayed" : "", letter->aside ? ", set aside" : "");
    json_object_foreach(json_object_get(letter->json, "headers"), name, value)
    {
        fputs(separator, stdout);
        ps_printable_write(stdout, name, strlen(name));
        putchar('=');
        if (json_is_string(value))
            ps_printable_write(stdout, json_string_value(value), json_string_length(value));
        separator = ", ";
    }
    fputs("} ", stdout);
    ps_printable_write(stdout, letter->body, letter->body_length);
    putchar('\n');
    return !ferror(stdout);
}

int ps_main_deadletter_show(const struct ps_deadletter_command *command)
{
    struct ps_deadletter_marks *marks = ps_deadletter_marks_read(command->directory);
    struct ps_deadletter_found found;
    if (marks == NULL)
        return 1;
    bool good =
        ps_deadletter_each(command, marks, command->json ? letter_print_json : letter_print, NULL, &found);
    ps_deadletter_marks_free(marks);
    return good ? 0 : 1;
}

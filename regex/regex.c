/* Compiles the output of regex/java/java.c with PCRE2's JIT, and finds matches with groups. The control
 * thread calls create and destroy. Workers call find, which never compiles and allocates only to repair a
 * malformed subject longer than any before. */
#include "regex/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "core/text/utf8.h"
#include "regex/budget.h"

/* Bounds on one find. PCRE2 restarts its step count at each position where a match may begin, and its JIT
 * does not count the steps of simple repeats, so the cost of a find can grow with the square of the text or
 * worse ("a.*b.*c"). Therefore:
 *
 * First the JIT runs with few steps for each position, as ordinary expressions need. Short texts are searched
 * in one piece, longer ones in slices of start positions, between which the CPU time is checked. If that is
 * not enough, the rest is searched again in slices with many steps: in short texts by the JIT, in longer ones
 * by the interpreter, which counts every step. */
#define STEPS_FIRST 10000U
#define STEPS_MAX 1000000U
#define STEPS_A_BYTE 4U
#define JIT_ONCE_BYTES 4096U       /* short */
#define JIT_BYTES_MAX 65536U       /* longer texts are for the interpreter alone */
#define JIT_SLICE_BYTES (8U << 20) /* start positions in the first slice times the bytes that each may read */
#define SLICE_BYTES (2U << 20)     /* the same for the interpreter */
#define SLICE_MIN 16U
/* slices that take little time are followed by larger ones: by at most this factor, */
#define SLICE_GROWTH 16U
#define SLICE_GROWN 64U /* and up to this number of start positions */
#define SLICE_QUICK_NS UINT64_C(1000000)
#define FIND_CPU_NS UINT64_C(50000000)
#define HEAP_KIB_MAX 16384U
#define JIT_STACK_FIRST_BYTES (32U << 10)
#define JIT_STACK_MAX_BYTES (1U << 20)

struct ps_regex {
    pcre2_code *code;
    pcre2_code *after; /* used after an empty match: like the other, except for \G */
    char *text;
    unsigned flags;
    bool jit;
    struct ps_java_regex java;
};

struct ps_regex_scratch {
    pcre2_match_data *data;
    pcre2_match_context *context;
    pcre2_jit_stack *stack;
    char *repaired;
    size_t repaired_room;
    uint64_t given_up;
    struct ps_regex_budget *budget; /* NULL: no limit for a batch */
    uint64_t find_ns;               /* CPU time that the find at hand may take */
    bool slow;                      /* the find was searched with many steps, or took much time */
};

/* Compiles a translated pattern. Returns NULL on error; `err` then has PCRE2's message about our translation. */
static pcre2_code *compile(const char *pattern, enum ps_regex_how how, bool *jit, struct ps_err *err)
{
    uint32_t options = PCRE2_UTF | PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_BACKSLASH_C | PCRE2_USE_OFFSET_LIMIT;
    if (how == PS_REGEX_WHOLE)
        options |= PCRE2_ANCHORED | PCRE2_ENDANCHORED;
    /* PCRE2 10.42 wrongly makes the repeat in "[^0-9]*(?>(?:[0-9]B)?)[^a]" possessive. */
    if (strstr(pattern, "(?>") != NULL)
        options |= PCRE2_NO_AUTO_POSSESS;
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    if (context == NULL)
        ps_out_of_memory(0, "compiling an expression");
    pcre2_set_parens_nest_limit(context, 4096); /* the translation adds nesting */
    int error;
    PCRE2_SIZE at;
    pcre2_code *code =
        pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, options, &error, &at, context);
    pcre2_compile_context_free(context);
    if (code == NULL) {
        PCRE2_UCHAR message[256];
        pcre2_get_error_message(error, message, sizeof message);
        ps_err_set(err, "PCRE2 cannot compile the expression: %s", (char *)message);
        return NULL;
    }
    /* Without the JIT, matching is only slower. */
    *jit &= pcre2_jit_compile(code, PCRE2_JIT_COMPLETE) == 0;
    return code;
}

struct ps_regex *ps_regex_create(const char *pattern, unsigned flags, enum ps_regex_how how,
                                 struct ps_err *err)
{
    struct ps_regex *regex = ps_must_alloc(1, sizeof *regex, "an expression");
    regex->flags = flags;
    regex->text = ps_must_copy_text(pattern, "an expression");
    if (ps_java_regex_translate(pattern, flags, &regex->java, err) != PS_OK) {
        free(regex->text);
        free(regex);
        return NULL;
    }
    regex->jit = true;
    regex->code = compile(regex->java.pcre2, how, &regex->jit, err);
    if (regex->code != NULL && regex->java.pcre2_after != NULL)
        regex->after = compile(regex->java.pcre2_after, how, &regex->jit, err);
    if (regex->code == NULL || (regex->after == NULL && regex->java.pcre2_after != NULL)) {
        ps_regex_destroy(regex);
        return NULL;
    }
    return regex;
}

void ps_regex_destroy(struct ps_regex *regex)
{
    if (regex == NULL)
        return;
    pcre2_code_free(regex->code);
    pcre2_code_free(regex->after);
    ps_java_regex_fini(&regex->java);
    free(regex->text);
    free(regex);
}

const struct ps_java_regex *ps_regex_java(const struct ps_regex *regex)
{
    return &regex->java;
}

const char *ps_regex_text(const struct ps_regex *regex)
{
    return regex->text;
}

unsigned ps_regex_flags_of(const struct ps_regex *regex)
{
    return regex->flags;
}

unsigned ps_regex_group_count(const struct ps_regex *regex)
{
    return regex->java.group_count;
}

int ps_regex_group_number(const struct ps_regex *regex, const char *name)
{
    for (unsigned i = 1; i <= regex->java.group_count; i++)
        if (regex->java.group_names[i] != NULL && strcmp(regex->java.group_names[i], name) == 0)
            return (int)i;
    return -1;
}

const char *ps_regex_group_name(const struct ps_regex *regex, unsigned group)
{
    return group <= regex->java.group_count ? regex->java.group_names[group] : NULL;
}

struct ps_regex_scratch *ps_regex_scratch_create(void)
{
    struct ps_regex_scratch *scratch = ps_must_alloc(1, sizeof *scratch, "an expression's scratch");
    scratch->data = pcre2_match_data_create(PS_REGEX_GROUPS_MAX, NULL);
    scratch->context = pcre2_match_context_create(NULL);
    scratch->stack = pcre2_jit_stack_create(JIT_STACK_FIRST_BYTES, JIT_STACK_MAX_BYTES, NULL);
    if (scratch->data == NULL || scratch->context == NULL || scratch->stack == NULL)
        ps_out_of_memory(0, "an expression's scratch");
    pcre2_set_match_limit(scratch->context, STEPS_FIRST);
    pcre2_set_heap_limit(scratch->context, HEAP_KIB_MAX);
    pcre2_jit_stack_assign(scratch->context, NULL, scratch->stack);
    return scratch;
}

void ps_regex_scratch_destroy(struct ps_regex_scratch *scratch)
{
    if (scratch == NULL)
        return;
    pcre2_jit_stack_free(scratch->stack);
    pcre2_match_context_free(scratch->context);
    pcre2_match_data_free(scratch->data);
    free(scratch->repaired);
    free(scratch);
}

uint64_t ps_regex_scratch_given_up(const struct ps_regex_scratch *scratch)
{
    return scratch->given_up;
}

void ps_regex_scratch_limit(struct ps_regex_scratch *scratch, struct ps_regex_budget *budget)
{
    scratch->budget = budget;
}

static void give_up(struct ps_regex_scratch *scratch)
{
    scratch->given_up++;
}

/* Repairs the text before `*start` and the text after it separately, and moves `*start` to the boundary of the repaired
 * texts. `data` of the result is NULL if there is no memory. */
static struct ps_slice repair(struct ps_regex_scratch *scratch, const char *subject, size_t length,
                              size_t *start)
{
    if (scratch->repaired_room < 3 * length) {
        free(scratch->repaired);
        scratch->repaired = malloc(3 * length);
        scratch->repaired_room = scratch->repaired != NULL ? 3 * length : 0;
        if (scratch->repaired == NULL)
            return (struct ps_slice){NULL, 0};
    }
    size_t before = ps_utf8_repair(subject, *start, scratch->repaired);
    size_t after = ps_utf8_repair(subject + *start, length - *start, scratch->repaired + before);
    *start = before;
    return (struct ps_slice){scratch->repaired, (uint32_t)(before + after)};
}

/* Returns the subject itself, or its repaired copy in the scratch. `*start` becomes an offset into the
 * result. `data` is NULL when there is no memory for the copy: the caller counts the match as given up
 * (give_up). */
static struct ps_slice well_formed(struct ps_regex_scratch *scratch, const char *subject, size_t length,
                                   size_t *start)
{
    PS_ASSERT(*start <= length && length <= UINT32_MAX / 3);
    if (subject == NULL)
        return (struct ps_slice){"", 0};
    if (PS_LIKELY(ps_utf8_valid_length(subject, length) == length))
        return (struct ps_slice){subject, (uint32_t)length};
    return repair(scratch, subject, length, start);
}

/* Returns the next offset where a character begins. */
static size_t boundary(struct ps_slice subject, size_t at)
{
    while (at < subject.length && ((uint8_t)subject.data[at] & 0xC0) == 0x80)
        at++;
    return at < subject.length ? at : subject.length;
}

/* The text that is searched. */
struct search {
    const pcre2_code *code;
    struct ps_slice subject;
    size_t start; /* the first position that was not searched to the end */
    bool whole;   /* search in one piece: the expression uses \G, which depends on where a search begins */
};

static int search_jit(const struct search *search, struct ps_regex_scratch *scratch)
{
    return pcre2_jit_match(search->code, (PCRE2_SPTR)search->subject.data, search->subject.length,
                           search->start, 0, scratch->data, scratch->context);
}

static int search_interpreter(const struct search *search, struct ps_regex_scratch *scratch)
{
    return pcre2_match(search->code, (PCRE2_SPTR)search->subject.data, search->subject.length, search->start,
                       PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, scratch->data, scratch->context);
}

/* Searches `slice` start positions at a time until a match is found, PCRE2 gives up or the CPU time is used
 * up. */
static int search_slices(struct search *search, struct ps_regex_scratch *scratch, uint64_t steps,
                         size_t slice,
                         int (*run)(const struct search *search, struct ps_regex_scratch *scratch))
{
    const struct ps_slice subject = search->subject;
    uint64_t began_ns = ps_regex_cpu_ns(), until_ns = began_ns + scratch->find_ns;
    size_t most = slice * SLICE_GROWTH > SLICE_GROWN ? slice * SLICE_GROWTH : SLICE_GROWN;
    int found;
    if (slice < SLICE_MIN)
        slice = SLICE_MIN;
    pcre2_set_match_limit(scratch->context, steps < UINT32_MAX ? (uint32_t)steps : UINT32_MAX);
    for (;;) {
        size_t next = search->whole || slice >= subject.length - search->start
                          ? subject.length
                          : boundary(subject, search->start + slice);
        pcre2_set_offset_limit(scratch->context, next < subject.length ? next - 1 : PCRE2_UNSET);
        found = run(search, scratch);
        if (found != PCRE2_ERROR_NOMATCH || next == subject.length)
            break;
        uint64_t now_ns = ps_regex_cpu_ns();
        if (now_ns > until_ns) {
            found = PCRE2_ERROR_MATCHLIMIT;
            scratch->find_ns = 0;
            break;
        }
        if (now_ns - began_ns < SLICE_QUICK_NS && slice < most)
            slice *= 2;
        began_ns = now_ns;
        search->start = next;
    }
    pcre2_set_match_limit(scratch->context, STEPS_FIRST);
    pcre2_set_offset_limit(scratch->context, PCRE2_UNSET);
    return found;
}

/* Searches again after a search with the usual limits gave up, or was not possible. */
static int search_again(struct search *search, struct ps_regex_scratch *scratch, bool jit)
{
    size_t left = search->subject.length - search->start;
    scratch->slow = true;
    if (scratch->find_ns == 0)
        return PCRE2_ERROR_MATCHLIMIT;
    if (jit && left <= JIT_ONCE_BYTES)
        return search_slices(search, scratch, STEPS_MAX, SLICE_MIN, search_jit);
    return search_slices(search, scratch, STEPS_MAX + STEPS_A_BYTE * (uint64_t)left, SLICE_BYTES / (left + 1),
                         search_interpreter);
}

static int search_all(const struct ps_regex *regex, struct search *search, struct ps_regex_scratch *scratch)
{
    size_t left = search->subject.length - search->start;
    int found;
    scratch->slow = false;
    if (PS_LIKELY(regex->jit && left <= JIT_ONCE_BYTES))
        found = search_jit(search, scratch);
    else if (regex->jit && left <= JIT_BYTES_MAX)
        found = search_slices(search, scratch, STEPS_FIRST, JIT_SLICE_BYTES / left, search_jit);
    else
        return search_again(search, scratch, false);
    if (PS_LIKELY(found >= 0 || found == PCRE2_ERROR_NOMATCH))
        return found;
    return search_again(search, scratch, regex->jit && found == PCRE2_ERROR_MATCHLIMIT);
}

/* Runs a search whose time is charged to the batch. */
static int search_charged(const struct ps_regex *regex, struct search *search,
                          struct ps_regex_scratch *scratch)
{
    struct ps_regex_budget *budget = scratch->budget;
    uint64_t allowed_ns = ps_regex_allowed_ns(search->subject.length - search->start) + 2 * budget->clock_ns;
    if (budget->left_ns == 0 && ps_regex_budget_refuses(budget, regex))
        return PCRE2_ERROR_MATCHLIMIT;
    scratch->find_ns = allowed_ns + ps_regex_budget_find_ns(budget, FIND_CPU_NS);
    uint64_t began_ns = ps_regex_cpu_ns();
    int found = search_all(regex, search, scratch);
    uint64_t took_ns = ps_regex_cpu_ns() - began_ns;
    if (took_ns > allowed_ns)
        ps_regex_budget_charge(budget, regex, took_ns - allowed_ns);
    return found;
}

/* Runs a search in a batch in which nothing unusual was seen so far. */
static int search_sampled(const struct ps_regex *regex, struct search *search,
                          struct ps_regex_scratch *scratch)
{
    struct ps_regex_budget *budget = scratch->budget;
    size_t left = search->subject.length - search->start;
    uint32_t scale;
    if (left > JIT_ONCE_BYTES)
        return search_charged(regex, search, scratch);
    if (PS_LIKELY(!ps_regex_budget_samples(budget, left, &scale))) {
        int found = search_all(regex, search, scratch);
        budget->watched |= scratch->slow;
        return found;
    }
    uint64_t began_ns = ps_regex_mono_ns();
    int found = search_all(regex, search, scratch);
    ps_regex_budget_sampled(budget, ps_regex_mono_ns() - began_ns, ps_regex_allowed_ns(left), scale);
    budget->watched |= scratch->slow;
    return found;
}

static void gave_up(struct ps_regex_scratch *scratch, const struct ps_regex *regex)
{
    scratch->given_up++;
    if (scratch->budget != NULL && scratch->budget->left_ns > 0)
        ps_regex_budget_gave_up(scratch->budget, regex);
}

/* Like ps_regex_find, on the result of well_formed. `after_empty` means that the previous match was
 * empty and lies one character before `start`. */
static bool find_well_formed(const struct ps_regex *regex, struct ps_regex_scratch *scratch,
                             struct ps_slice subject, size_t start, bool after_empty, struct ps_slice *groups,
                             unsigned count)
{
    struct search search = {.code = after_empty && regex->after != NULL ? regex->after : regex->code,
                            .subject = subject,
                            .start = start,
                            .whole = regex->after != NULL};
    int found;
    scratch->find_ns = FIND_CPU_NS;
    if (scratch->budget == NULL)
        found = search_all(regex, &search, scratch);
    else if (PS_LIKELY(!scratch->budget->watched))
        found = search_sampled(regex, &search, scratch);
    else
        found = search_charged(regex, &search, scratch);
    if (found < 0) {
        if (PS_UNLIKELY(found != PCRE2_ERROR_NOMATCH))
            gave_up(scratch, regex);
        return false;
    }
    const PCRE2_SIZE *ends = pcre2_get_ovector_pointer(scratch->data);
    /* 0: the expression has more groups than the scratch has room for; all slots are filled. */
    unsigned filled = found == 0 ? PS_REGEX_GROUPS_MAX : (unsigned)found;
    for (unsigned i = 0; i < count; i++) {
        groups[i] = (struct ps_slice){0};
        if (i < filled && ends[2 * i] != PCRE2_UNSET)
            groups[i] =
                (struct ps_slice){subject.data + ends[2 * i], (uint32_t)(ends[2 * i + 1] - ends[2 * i])};
    }
    return true;
}

bool ps_regex_find(const struct ps_regex *regex, struct ps_regex_scratch *scratch, const char *subject,
                   size_t length, size_t start, struct ps_slice *groups, unsigned count)
{
    struct ps_slice text = well_formed(scratch, subject, length, &start);
    if (PS_UNLIKELY(text.data == NULL)) {
        give_up(scratch);
        return false;
    }
    return find_well_formed(regex, scratch, text, start, false, groups, count);
}

/* ---- Java's replacement texts (Matcher.appendReplacement, Matcher.replaceAll) ---- */

/* Literal text, followed by a group's text; `group` is -1 if there is none. */
struct piece {
    char *text;
    size_t length;
    int group;
};

struct ps_regex_replacement {
    struct piece *pieces;
    size_t count;
    unsigned groups; /* number of groups that a match must return for this text */
};

void ps_regex_replacement_destroy(struct ps_regex_replacement *replacement)
{
    if (replacement == NULL)
        return;
    for (size_t i = 0; i < replacement->count; i++)
        free(replacement->pieces[i].text);
    free(replacement->pieces);
    free(replacement);
}

/* "$12" is group 12 if it exists, else group 1 and the text "2". Returns the end of the reference, or NULL
 * with `err` set. */
static const char *read_number(const struct ps_regex *regex, const char *text, const char *p, int *group,
                               struct ps_err *err)
{
    unsigned count = ps_regex_group_count(regex);
    *group = *p++ - '0';
    if (*group > (int)count) {
        ps_err_set(err, "replacement \"%s\": at %zu: there is no group %d, the expression has %u", text,
                   (size_t)(p - text) - 2, *group, count);
        return NULL;
    }
    while (*p >= '0' && *p <= '9' && (unsigned)(*group * 10 + (*p - '0')) <= count)
        *group = *group * 10 + (*p++ - '0');
    return p;
}

/* Reads "${name}": ASCII letters and digits, the first not a digit. */
static const char *read_name(const struct ps_regex *regex, const char *text, const char *p, int *group,
                             struct ps_err *err)
{
    const char *end = p;
    while (isascii((unsigned char)*end) && isalnum((unsigned char)*end))
        end++;
    size_t length = (size_t)(end - p), at = (size_t)(p - text) - 2;
    if (*end != '}' || length == 0 || isdigit((unsigned char)*p)) {
        ps_err_set(err,
                   "replacement \"%s\": at %zu: a group's name is letters and digits, a letter first, "
                   "between braces: ${name}",
                   text, at);
        return NULL;
    }
    char *name = ps_must_alloc(1, length + 1, "a replacement");
    memcpy(name, p, length);
    *group = ps_regex_group_number(regex, name);
    free(name);
    if (*group < 0) {
        ps_err_set(err, "replacement \"%s\": at %zu: there is no group named \"%.*s\"", text, at, (int)length,
                   p);
        return NULL;
    }
    return end + 1;
}

static const char *read_reference(const struct ps_regex *regex, const char *text, const char *p, int *group,
                                  struct ps_err *err)
{
    if (*p >= '0' && *p <= '9')
        return read_number(regex, text, p, group, err);
    if (*p == '{')
        return read_name(regex, text, p + 1, group, err);
    ps_err_set(err,
               "replacement \"%s\": at %zu: \"$\" must be followed by the number or {name} of a group; "
               "write \\$ for a dollar sign",
               text, (size_t)(p - text) - 1);
    return NULL;
}

struct ps_regex_replacement *ps_regex_replacement_create(const struct ps_regex *regex, const char *text,
                                                         struct ps_err *err)
{
    struct ps_regex_replacement *made = ps_must_alloc(1, sizeof *made, "a replacement");
    size_t room = strlen(text) + 1, pieces = 1;
    for (const char *p = text; *p != '\0'; p++)
        pieces += *p == '$';
    made->pieces = ps_must_alloc(pieces, sizeof *made->pieces, "a replacement");
    for (const char *p = text; *p != '\0';) {
        struct piece *piece = &made->pieces[made->count++];
        *piece = (struct piece){.text = ps_must_alloc(1, room, "a replacement"), .group = -1};
        for (; *p != '\0' && *p != '$'; p++) {
            if (*p == '\\' && *++p == '\0') {
                ps_err_set(err, "replacement \"%s\" ends with a lone backslash; write \\\\ for one", text);
                goto failed;
            }
            piece->text[piece->length++] = *p;
        }
        if (*p == '\0')
            break;
        p = read_reference(regex, text, p + 1, &piece->group, err);
        if (p == NULL)
            goto failed;
        if (piece->group >= (int)PS_REGEX_GROUPS_MAX) {
            ps_err_set(err, "replacement \"%s\": groups above %u are not supported", text,
                       PS_REGEX_GROUPS_MAX - 1);
            goto failed;
        }
        if ((unsigned)piece->group >= made->groups)
            made->groups = (unsigned)piece->group + 1;
    }
    if (made->groups == 0)
        made->groups = 1;
    return made;
failed:
    ps_regex_replacement_destroy(made);
    return NULL;
}

struct output {
    char *to;
    size_t used, room;
};

static bool put(struct output *out, const char *data, size_t length)
{
    if (length > out->room - out->used)
        return false;
    if (length > 0)
        memcpy(out->to + out->used, data, length);
    out->used += length;
    return true;
}

static bool put_replacement(struct output *out, const struct ps_regex_replacement *replacement,
                            const struct ps_slice *groups)
{
    for (size_t i = 0; i < replacement->count; i++) {
        const struct piece *piece = &replacement->pieces[i];
        if (!put(out, piece->text, piece->length))
            return false;
        if (piece->group >= 0 && !put(out, groups[piece->group].data, groups[piece->group].length))
            return false;
    }
    return true;
}

size_t ps_regex_replace_all(const struct ps_regex *regex, struct ps_regex_scratch *scratch,
                            const struct ps_regex_replacement *replacement, const char *subject,
                            size_t length, char *out, size_t room, uint32_t *count)
{
    struct ps_slice groups[PS_REGEX_GROUPS_MAX];
    struct output output = {.to = out, .room = room};
    size_t done = 0, from = 0;
    uint32_t replaced = 0;
    bool was_empty = false;
    struct ps_slice text = well_formed(scratch, subject, length, &from);
    if (PS_UNLIKELY(text.data == NULL)) { /* the subject stays as it is */
        give_up(scratch);
        text = (struct ps_slice){subject, (uint32_t)length};
        from = length + 1;
    }
    while (from <= text.length &&
           find_well_formed(regex, scratch, text, from, was_empty, groups, replacement->groups)) {
        size_t start = (size_t)(groups[0].data - text.data), end = start + groups[0].length;
        if (!put(&output, text.data + done, start - done) || !put_replacement(&output, replacement, groups))
            return SIZE_MAX;
        replaced++;
        done = from = end;
        was_empty = start == end;
        if (was_empty) { /* after an empty match the next search begins one character later */
            from++;
            while (from < text.length && ((uint8_t)text.data[from] & 0xC0) == 0x80)
                from++;
        }
    }
    if (count != NULL)
        *count = replaced;
    return put(&output, text.data + done, text.length - done) ? output.used : SIZE_MAX;
}

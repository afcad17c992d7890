/* Finds which rules act on which events of a lease: scans all bodies once and the values of each header once,
 * then evaluates for each event the rules whose triggers were found. All conditions see the event as it was
 * received, without the changes of earlier rules.
 *
 * Nothing here changes an event, so it can be repeated. Thread: the worker. Allocates nothing. */
#include <string.h>

#include "stages/lib/rules/set_internal.h"

#define NO_SUBJECT UINT16_MAX
#define SORT_SIMPLY_MAX 24U

/* ---- single conditions ---- */

static int slices_compare(struct ps_slice a, struct ps_slice b)
{
    uint32_t shorter = a.length < b.length ? a.length : b.length;
    int order = shorter > 0 ? memcmp(a.data, b.data, shorter) : 0;
    return order != 0 ? order : a.length < b.length ? -1 : a.length > b.length;
}

static bool order_holds(enum ps_condition_operator op, int order)
{
    switch (op) {
    case PS_OPERATOR_EQUAL:
    case PS_OPERATOR_IN:
        return order == 0;
    case PS_OPERATOR_UNEQUAL:
        return order != 0;
    case PS_OPERATOR_LESS:
        return order < 0;
    case PS_OPERATOR_LESS_EQUAL:
        return order <= 0;
    case PS_OPERATOR_MORE:
        return order > 0;
    default:
        return order >= 0;
    }
}

static bool value_holds(enum ps_condition_operator op, const struct ps_rules_value *value,
                        struct ps_slice text)
{
    struct ps_slice own = value->text;
    double number;
    switch (op) {
    case PS_OPERATOR_CONTAINS:
        return own.length == 0 ||
               (text.length >= own.length && memmem(text.data, text.length, own.data, own.length) != NULL);
    case PS_OPERATOR_BEGINS:
        return own.length == 0 || (text.length >= own.length && memcmp(text.data, own.data, own.length) == 0);
    case PS_OPERATOR_ENDS:
        return own.length == 0 || (text.length >= own.length &&
                                   memcmp(text.data + text.length - own.length, own.data, own.length) == 0);
    default:
        if (value->is_number && ps_rules_number(text.data, text.length, &number))
            return order_holds(op, number < value->number ? -1 : number > value->number);
        return order_holds(op, slices_compare(text, own));
    }
}

bool ps_rules_compare(const struct ps_condition *condition, struct ps_slice text)
{
    for (size_t i = 0; i < condition->value_count; i++) {
        if (value_holds(condition->op, &condition->values[i], text))
            return true;
    }
    return false;
}

bool ps_rules_size_compare(const struct ps_condition *condition, uint32_t length)
{
    double limit = condition->values[0].number, size = length;
    return order_holds(condition->op, size < limit ? -1 : size > limit);
}

/* ---- headers, the whole lease at once ---- */

struct header_hits {
    const struct rules_header *header;
    struct rules_header_scan *scan;
};

static void header_hit(void *argument, uint32_t subject, const uint32_t *patterns, uint32_t pattern_count)
{
    const struct header_hits *hits = argument;
    uint64_t *bits = hits->scan->bits + (size_t)subject * hits->header->words;
    if (!hits->scan->any[subject])
        memset(bits, 0, hits->header->words * sizeof *bits);
    hits->scan->any[subject] = true;
    for (uint32_t i = 0; i < pattern_count; i++)
        bits[patterns[i] / 64] |= UINT64_C(1) << (patterns[i] % 64);
}

/* Collects the values of a header. Equal values in a row are collected once. */
static void values_collect(const struct rules_header *header, struct rules_header_scan *scan,
                           const struct ps_lease *lease)
{
    const struct ps_batch *batch = lease->batch;
    scan->subject_count = 0;
    struct ps_slice last = {NULL, 0};
    for (uint32_t position = 0; position < lease->count; position++) {
        struct ps_slice value;
        if (!ps_event_header(batch, ps_lease_event(lease, position), header->name, &value)) {
            scan->subject_of[position] = NO_SUBJECT;
            continue;
        }
        bool same = scan->subject_count > 0 && value.length == last.length &&
                    (value.data == last.data || value.length == 0 ||
                     memcmp(value.data, last.data, value.length) == 0);
        if (!same) {
            scan->values[scan->subject_count++] = value;
            last = value;
        }
        scan->subject_of[position] = (uint16_t)(scan->subject_count - 1);
    }
}

void ps_rules_headers_scan(const struct ps_rules_set *set, struct ps_rules_scratch *scratch,
                           const struct ps_lease *lease)
{
    const struct ps_batch *batch = lease->batch;
    for (uint32_t i = 0; i < set->header_count; i++) {
        const struct rules_header *header = &set->headers[i];
        struct rules_header_scan *scan = &scratch->headers[i];
        scan->present = ((batch->shared_mask | batch->own_mask) & header->name->mask) != 0;
        scan->last =
            (struct ps_slice){"", 0}; /* the value may belong to another batch whose bytes were reused */
        scan->last_atom =
            header->values.count > 0 ? ps_rules_values_find(&header->values, scan->last) : RULES_NONE;
        if (!scan->present || header->matcher == NULL)
            continue;
        if (batch->own_mask & header->name->mask) {
            values_collect(header, scan, lease);
        } else { /* the value is the same for all events */
            const struct ps_header *shared = ps_header_find(batch->shared, header->name);
            scan->subject_count = shared != NULL;
            if (shared != NULL)
                scan->values[0] = (struct ps_slice){shared->value, shared->value_length};
            memset(scan->subject_of, shared != NULL ? 0 : 0xFF, lease->count * sizeof *scan->subject_of);
        }
        scan->present = scan->subject_count > 0;
        if (!scan->present)
            continue;
        memset(scan->any, 0, scan->subject_count);
        struct header_hits hits = {header, scan};
        ps_matcher_scan_each(header->matcher, scan->scratch, scan->values, scan->subject_count, header_hit,
                             &hits);
    }
}

/* ---- one event ---- */

/* The event being evaluated. */
struct look {
    const struct ps_rules_set *set;
    struct ps_rules_scratch *scratch;
    const struct ps_batch *batch;
    const struct ps_event *event;
    uint32_t position;
    uint32_t bound; /* rules after this number do not act, because an earlier one ends the evaluation */
    uint32_t *rules, count;
};

static bool body_has(const struct ps_rules_scratch *scratch, uint32_t pattern)
{
    const uint32_t *patterns = scratch->patterns;
    uint32_t low = 0, high = scratch->pattern_count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (patterns[middle] < pattern)
            low = middle + 1;
        else
            high = middle;
    }
    return low < scratch->pattern_count && patterns[low] == pattern;
}

static bool header_has(const struct look *look, uint32_t header, uint32_t pattern)
{
    const struct rules_header_scan *scan = &look->scratch->headers[header];
    if (!scan->present)
        return false;
    uint32_t subject = scan->subject_of[look->position];
    if (subject == NO_SUBJECT || !scan->any[subject])
        return false;
    const uint64_t *bits = scan->bits + (size_t)subject * look->set->headers[header].words;
    return (bits[pattern / 64] >> (pattern % 64)) & 1;
}

static bool check_holds(const struct look *look, const struct rules_check *check)
{
    struct ps_slice text;
    switch (check->kind) {
    case RULES_CHECK_BODY_MATCH:
        return body_has(look->scratch, check->pattern);
    case RULES_CHECK_HEADER_MATCH:
        return header_has(look, check->header, check->pattern);
    case RULES_CHECK_EXISTS:
        return ps_event_header(look->batch, look->event, check->name, &text);
    case RULES_CHECK_SIZE:
        return ps_rules_size_compare(check->condition, look->event->body_length);
    case RULES_CHECK_COMPARE:
        if (check->name == NULL)
            text = (struct ps_slice){look->event->body, look->event->body_length};
        else if (!ps_event_header(look->batch, look->event, check->name, &text))
            return false;
        return ps_rules_compare(check->condition, text);
    default:
        return true;
    }
}

static bool rule_holds(const struct look *look, uint32_t rule)
{
    uint32_t at = look->set->rule[rule].program;
    while (at < RULES_YES) {
        const struct rules_check *check = &look->set->program[at];
        at = check_holds(look, check) ? check->yes : check->no;
    }
    return at == RULES_YES;
}

/* Considers the entries of a list up to the bound. */
static inline void entries_consider(struct look *look, const uint32_t *entry, const uint32_t *end)
{
    struct ps_rules_scratch *scratch = look->scratch;
    for (; entry < end; entry++) {
        uint32_t rule = *entry >> 2;
        if (rule >= look->bound) /* the rule `bound` itself was added already */
            return;
        if (*entry & RULES_ENTRY_REPEATED) {
            if (scratch->stamps[rule] == scratch->stamp)
                continue;
            scratch->stamps[rule] = scratch->stamp;
        }
        if ((*entry & RULES_ENTRY_UNSURE) && !rule_holds(look, rule))
            continue;
        if (look->set->rule[rule].last) {
            look->bound = rule;
            if (look->set->single) {
                look->rules[0] = rule;
                look->count = 1;
                return;
            }
        }
        look->rules[look->count++] = rule;
    }
}

static inline void atom_consider(struct look *look, uint32_t atom)
{
    const struct ps_rules_set *set = look->set;
    entries_consider(look, set->entries + set->atom_first[atom], set->entries + set->atom_first[atom + 1]);
}

/* Looks up a value. Consecutive events often have the same value, and a shared header even the same
 * pointer. */
static uint32_t value_atom(const struct rules_header *header, struct rules_header_scan *scan,
                           struct ps_slice text)
{
    if (text.data != scan->last.data || text.length != scan->last.length) {
        scan->last = text;
        scan->last_atom = ps_rules_values_find(&header->values, text);
    }
    return scan->last_atom;
}

static void header_consider(struct look *look, const struct rules_header *header,
                            struct rules_header_scan *scan)
{
    struct ps_slice text;
    if (header->values.count > 0 && ps_event_header(look->batch, look->event, header->name, &text)) {
        uint32_t atom = value_atom(header, scan, text);
        if (atom != RULES_NONE)
            atom_consider(look, atom);
    }
    if (header->matcher == NULL)
        return;
    uint32_t subject = scan->subject_of[look->position];
    if (subject == NO_SUBJECT || !scan->any[subject])
        return;
    const uint64_t *bits = scan->bits + (size_t)subject * header->words;
    for (uint32_t word = 0; word < header->words; word++) {
        for (uint64_t left = bits[word]; left != 0; left &= left - 1)
            atom_consider(look, header->atom_first + word * 64 + (uint32_t)__builtin_ctzll(left));
    }
}

/* Sorts many rule numbers with one bit per rule. */
static void rules_sort_bits(struct ps_rules_scratch *scratch, uint32_t *rules, uint32_t count)
{
    uint32_t low = UINT32_MAX, high = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t word = rules[i] / 64;
        scratch->sorting[word] |= UINT64_C(1) << (rules[i] % 64);
        low = word < low ? word : low;
        high = word > high ? word : high;
    }
    uint32_t used = 0;
    for (uint32_t word = low; word <= high; word++) {
        for (uint64_t left = scratch->sorting[word]; left != 0; left &= left - 1)
            rules[used++] = word * 64 + (uint32_t)__builtin_ctzll(left);
        scratch->sorting[word] = 0;
    }
}

static void rules_sort(struct ps_rules_scratch *scratch, uint32_t *rules, uint32_t count)
{
    if (count > SORT_SIMPLY_MAX) {
        rules_sort_bits(scratch, rules, count);
        return;
    }
    for (uint32_t i = 1; i < count; i++) {
        uint32_t rule = rules[i], at = i;
        for (; at > 0 && rules[at - 1] > rule; at--)
            rules[at] = rules[at - 1];
        rules[at] = rule;
    }
}

/* Stores the rules that act on the event at `position`, in whose body these patterns were found. Returns
 * false when the store might be too small. */
static bool position_evaluate(struct look *look, uint32_t position, const uint32_t *patterns, uint32_t count)
{
    const struct ps_rules_set *set = look->set;
    struct ps_rules_scratch *scratch = look->scratch;
    if (scratch->store_room - scratch->store_used < scratch->event_rules_max)
        return false;
    scratch->patterns = patterns;
    scratch->pattern_count = count;
    if (++scratch->stamp == 0) {
        memset(scratch->stamps, 0, set->rule_count * sizeof *scratch->stamps);
        scratch->stamp = 1;
    }
    look->position = position;
    look->event = ps_lease_event(scratch->lease, position);
    look->bound = UINT32_MAX;
    look->rules = scratch->store + scratch->store_used;
    look->count = 0;
    for (uint32_t i = 0; i < count; i++)
        atom_consider(look, patterns[i]);
    for (uint32_t i = 0; i < set->header_count; i++) {
        if (scratch->headers[i].present && set->headers[i].triggers)
            header_consider(look, &set->headers[i], &scratch->headers[i]);
    }
    entries_consider(look, set->always, set->always + set->always_count);
    if (look->count == 0)
        return true;
    if (look->count > 1) {
        rules_sort(scratch, look->rules, look->count);
        while (look->rules[look->count - 1] > look->bound)
            look->count--;
    }
    scratch->hits[scratch->hit_count++] = (struct rules_hit){scratch->store_used, look->count, position};
    scratch->store_used += look->count;
    return true;
}

/* Evaluates the events before `end` in whose bodies no pattern was found. */
static void gap_evaluate(struct look *look, uint32_t end)
{
    struct ps_rules_scratch *scratch = look->scratch;
    if (!look->set->prelude)
        return;
    for (; scratch->evaluated_to < end; scratch->evaluated_to++) {
        if (!position_evaluate(look, scratch->evaluated_to, NULL, 0)) {
            scratch->store_full = true;
            return;
        }
    }
}

static void body_hit(void *argument, uint32_t subject, const uint32_t *patterns, uint32_t pattern_count)
{
    struct look *look = argument;
    struct ps_rules_scratch *scratch = look->scratch;
    if (scratch->store_full)
        return;
    uint32_t position = scratch->scan.from + subject;
    gap_evaluate(look, position);
    if (scratch->store_full)
        return;
    scratch->evaluated_to = position;
    if (position_evaluate(look, position, patterns, pattern_count))
        scratch->evaluated_to = position + 1;
    else
        scratch->store_full = true;
}

/* Evaluates a simple set: the patterns found in the body alone decide which rule acts. */
static void body_hit_simple(void *argument, uint32_t subject, const uint32_t *patterns,
                            uint32_t pattern_count)
{
    struct ps_rules_scratch *scratch = argument;
    const uint32_t *first_rules = scratch->set->first_rules;
    uint32_t rule = first_rules[patterns[0]];
    for (uint32_t i = 1; i < pattern_count; i++) {
        uint32_t other = first_rules[patterns[i]];
        rule = other < rule ? other : rule;
    }
    if (rule == RULES_NONE)
        return;
    scratch->store[scratch->hit_count] = rule;
    scratch->hits[scratch->hit_count] =
        (struct rules_hit){scratch->hit_count, 1, scratch->scan.from + subject};
    scratch->hit_count++;
}

void ps_rules_evaluate(const struct ps_rules_set *set, struct ps_rules_scratch *scratch,
                       const struct ps_lease *lease)
{
    uint32_t from = scratch->scan.from, count = lease->count - from;
    if (count > scratch->scan.chunk)
        count = scratch->scan.chunk;
    scratch->lease = lease;
    scratch->hit_count = scratch->store_used = 0;
    scratch->evaluated_to = from;
    scratch->store_full = false;
    struct look look = {.set = set, .scratch = scratch, .batch = lease->batch};
    if (set->body != NULL) {
        for (uint32_t i = 0; i < count; i++) {
            const struct ps_event *event = ps_lease_event(lease, from + i);
            scratch->subjects[i] = (struct ps_slice){event->body, event->body_length};
        }
        if (set->simple)
            ps_matcher_scan_each(set->body, scratch->body, scratch->subjects, count, body_hit_simple,
                                 scratch);
        else
            ps_matcher_scan_each(set->body, scratch->body, scratch->subjects, count, body_hit, &look);
    }
    if (!scratch->store_full)
        gap_evaluate(&look, from + count);
    scratch->scan.to = scratch->store_full ? scratch->evaluated_to : from + count;
    /* Many rules act on each event: scan fewer events at once, so that the store is large enough. */
    if (scratch->store_full)
        scratch->scan.chunk = scratch->scan.to - from;
}

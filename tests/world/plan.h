/* What a life of a run is to be: how long it lasts and how it ends, what its peers send, and what fails. Each plan has draws of its own, which
 * follow from the seed and the number of the life, so that a life is planned as before when something is left out of another one. */
#pragma once

#include "tests/world/fault.h"
#include "tests/world/peers/supply.h"

#define PLAN_LIVES_WITH_FAULTS 4U
#define PLAN_WITHOUT_MAX 128U
#define PLAN_WORD_MAX 16

struct life_plan {
    unsigned number; /* from 1; behind the lives with faults comes the last one, in which nothing fails */
    bool is_last;
    bool calm;          /* nothing fails, and it is stopped */
    uint64_t rest_ns;   /* between the life before it and this one; its peers go on */
    uint64_t end_ns;    /* of its beginning: then it is stopped or killed */
    bool kills;         /* it is killed at that time, .. */
    uint64_t kill_call; /* .. at so many calls behind it */
    bool early;         /* .. or so many calls behind its beginning */
    bool cuts;          /* a kill is a power cut */
    uint64_t reload_ns; /* of its beginning; WORLD_NEVER */
    struct supply supply;
    bool server_faults;
    uint32_t partial_share, reset_share; /* of the net; its latency */
    uint64_t latency_ns;
    struct faults faults; /* times are those of its beginning */
};

/* What is left out of the runs, to make a bad one small. */
struct plan_limits {
    uint64_t schedule;                             /* 0: that of the seed */
    uint32_t events;                               /* of a life, at most; 0: as drawn */
    uint64_t time_ms;                              /* .. */
    char without[PLAN_WITHOUT_MAX][PLAN_WORD_MAX]; /* words: plan_words */
    unsigned without_count;
};
extern struct plan_limits plan_limits;

/* Plans a life. */
void plan_draw(struct life_plan *plan, uint64_t seed, unsigned number);
/* Returns whether this word was left out: of an agent's file, and of a plan by words such as "kill3" for the third life. */
bool plan_without(const char *word);
/* Leaves a word out; .. a list of them with commas. */
void plan_leave_out(const char *word);
void plan_leave_out_all(const char *words);
/* Calls `see` with each word that can be left out of a seed's run, the large ones first. */
void plan_words(uint64_t seed, void (*see)(void *argument, const char *word), void *argument);
/* Returns how many lives a run has, and how many faults its plans have left. */
unsigned plan_lives(void);
unsigned plan_faults(uint64_t seed);
/* Prints what is to happen in a life. */
void plan_print(const struct life_plan *plan);

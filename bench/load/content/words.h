/* English words for free text: single words for {words}, and a long text from which padding is cut. Only
 * lower-case letters and single blanks: nothing that a format must escape, nothing that looks like a stamp.
 * Thread: made once, constant afterwards. */
#pragma once

#include "core/base.h"

#define PS_WORDS_COUNT 256U
#define PS_WORD_BYTES_MIN 2U
#define PS_WORD_BYTES_MAX 7U
/* Padding is cut in pieces of up to PIECE bytes, from one of STARTS positions, 16 bytes apart. */
#define PS_WORDS_STARTS 256U
#define PS_WORDS_PIECE 4096U
#define PS_WORDS_TEXT_BYTES (PS_WORDS_STARTS * 16 + PS_WORDS_PIECE)

struct ps_words {
    char entries[PS_WORDS_COUNT][8]; /* the word and blanks */
    uint8_t lengths[PS_WORDS_COUNT]; /* with one blank */
    char text[PS_WORDS_TEXT_BYTES];
};

void ps_words_make(struct ps_words *words);

/* English words for free text: one by one for {words}, and a stretch of text to cut padding from. Only
 * lower-case letters and single blanks: nothing that a format would have to escape, nothing like a stamp.
 * Thread: made once, const from then on. */
#pragma once

#include "core/base.h"

#define PS_WORDS_COUNT 256U
#define PS_WORD_BYTES_MIN 2U
#define PS_WORD_BYTES_MAX 7U
/* Padding is cut in pieces of up to PIECE bytes, from one of STARTS places, 16 bytes apart. */
#define PS_WORDS_STARTS 256U
#define PS_WORDS_PIECE 4096U
#define PS_WORDS_TEXT_BYTES (PS_WORDS_STARTS * 16 + PS_WORDS_PIECE)

struct ps_words {
    char entries[PS_WORDS_COUNT][8]; /* the word and blanks */
    uint8_t lengths[PS_WORDS_COUNT]; /* with one blank */
    char text[PS_WORDS_TEXT_BYTES];
};

void ps_words_make(struct ps_words *words);

/* utf8.c: see utf8.h. */
#include "formats/utf8.h"

/* How many bytes the first byte announces (0: none can start so), and the range of the second byte (Unicode, table
 * 3-7), which is where overlong forms, surrogates and values beyond U+10FFFF are excluded. */
static int lead(unsigned char first, unsigned char *low, unsigned char *high) {
    *low = 0x80;
    *high = 0xbf;
    if (first < 0x80) return 1;
    if (first < 0xc2 || first > 0xf4) return 0;
    if (first < 0xe0) return 2;
    if (first == 0xe0) *low = 0xa0;
    if (first == 0xed) *high = 0x9f;
    if (first == 0xf0) *low = 0x90;
    if (first == 0xf4) *high = 0x8f;
    return first < 0xf0 ? 3 : 4;
}

/* How many of the bytes follow the rules, at most the announced length, which goes to *need. */
static int valid_prefix(const unsigned char *s, size_t length, int *need) {
    unsigned char low, high;
    *need = 0;
    if (!length) return 0;
    *need = lead(s[0], &low, &high);
    int i = 1;
    for (; i < *need && (size_t)i < length; i++) {
        if (s[i] < low || s[i] > high) return i;
        low = 0x80;
        high = 0xbf;
    }
    return i;
}

int pct_utf8_read(const char *text, size_t length, uint32_t *code) {
    const unsigned char *s = (const unsigned char *)text;
    int need;
    int have = valid_prefix(s, length, &need);
    *code = 0xfffd;
    if (!need || have < need) return 0;
    if (need == 1) {
        *code = s[0];
        return 1;
    }
    uint32_t value = s[0] & (0x7fu >> need);
    for (int i = 1; i < need; i++) value = value << 6 | (s[i] & 0x3fu);
    *code = value;
    return need;
}

bool pct_utf8_partial(const char *text, size_t length) {
    int need;
    int have = valid_prefix((const unsigned char *)text, length, &need);
    return need && (size_t)have == length && have < need;
}

int pct_utf8_write(uint32_t code, char out[4]) {
    if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) code = 0xfffd;
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xc0 | code >> 6);
        out[1] = (char)(0x80 | (code & 63));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xe0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 63));
        out[2] = (char)(0x80 | (code & 63));
        return 3;
    }
    out[0] = (char)(0xf0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 63));
    out[2] = (char)(0x80 | (code >> 6 & 63));
    out[3] = (char)(0x80 | (code & 63));
    return 4;
}

bool pct_utf8_valid(const char *text, size_t length) {
    uint32_t code;
    for (size_t i = 0; i < length;) {
        int size = pct_utf8_read(text + i, length - i, &code);
        if (!size) return false;
        i += (size_t)size;
    }
    return true;
}

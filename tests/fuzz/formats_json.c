/* formats_json.c: the pull reader on any bytes; what it accepts, jansson must accept too (wide integers apart). */
#include "formats/json.h"
#include "formats/json_reader.h"
#include "formats/utf8.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size) {
    pct_json_reader reader;
    percept_error error = {0};
    int values = 0, bom = size >= 3 && data[0] == 0xef;
    bool fancy = false; /* jansson: doubled keys, NUL in keys, numbers out of range */
    pct_json_reader_init(&reader, "fuzz", data, size);
    for (;;) {
        enum pct_json_event event = pct_json_next(&reader, &error);
        if (event == PCT_JSON_END || event == PCT_JSON_ERROR) break;
        if (event == PCT_JSON_KEY || event == PCT_JSON_STRING) {
            if (!pct_utf8_valid(reader.string, reader.length)) abort();
            for (size_t i = 0; i < reader.length; i++) fancy = fancy || !reader.string[i];
        }
        if (event == PCT_JSON_NUMBER && !reader.integer) fancy = true;
        values += reader.depth == 0;
    }
    if (pct_json_reader_status(&reader) == PERCEPT_OK && values == 1 && !bom && !fancy) {
        json_t *tree = json_loadb((const char *)data, size, JSON_DECODE_ANY, NULL);
        if (!tree) abort();
        json_decref(tree);
    }
    if (pct_json_reader_status(&reader) != PERCEPT_OK && !error.message[0]) abort();
    pct_json_reader_free(&reader);
    pct_json_reader_init(&reader, "fuzz", data, size); /* and through the helpers */
    while (pct_json_more(&reader) && pct_json_skip(&reader, &error) == PERCEPT_OK) {
    }
    pct_json_reader_free(&reader);
    return 0;
}

/* answer_json.h: pieces of JSON that answers and exports share. */
#ifndef PCT_ENGINE_ANSWER_JSON_H
#define PCT_ENGINE_ANSWER_JSON_H

#include "base/text.h"
#include "image/image.h"

/* A number with exactly 1 or 3 decimals, whatever the locale; not finite counts as 0. */
void pct_json_add_fixed(pct_text *text, double value, int decimals);
/* A score with at most 4 decimals. */
void pct_json_add_score(pct_text *text, float score);
/* Every ring of a mask, outer rings and holes (fill even-odd): [[x, y, x, y, ...], ...]. */
percept_status pct_json_add_polygons(pct_text *text, const pct_mask *mask, percept_error *error);

#endif

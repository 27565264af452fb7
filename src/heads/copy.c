#include "heads/copy.h"

#define SCALE 8.0 /* logits of words, some 1 long, that are like what is seen: well above the rest, not yet certain */

void pct_copy_build(pct_copy *copy, pct_builder *builder, int64_t width) {
    pct_linear_build(&copy->gate, builder, width, width, false, 0, "percept.copy.gate");
    copy->scale = pct_build_vector(builder, SCALE, 1, "percept.copy.scale");
}

pct_tensor *pct_copy_apply(pct_tape *tape, const pct_copy *copy, pct_tensor *states, pct_tensor *seen) {
    pct_tensor *gated = pct_op_mul(tape, pct_linear_apply(tape, &copy->gate, states), seen);
    pct_tensor *said = pct_op_scale_by(tape, pct_op_add(tape, seen, gated), &copy->scale->tensor);
    return pct_op_add(tape, states, said);
}

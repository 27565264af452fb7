/* box.h: boxes to token embeddings and back. A box is x0,y0,x1,y1 in 0..1 of the model's square.
 *
 * The plain decoder is PerceptionGPT's: an MLP on the state that predicts the object token, then a sigmoid. The
 * moments decoder also sees the object's mask as eight numbers (soft position, spread, extent) and the mask's query,
 * and corrects the mask's extent: a small language model places masks far sooner than it learns numbers.
 *
 * Names percept.box_encoder.N and percept.box_decoder.N are the released code's bbox_encoder.layers.N and
 * bbox_decoder.layers.N. */
#ifndef PCT_HEADS_BOX_H
#define PCT_HEADS_BOX_H

#include "nn/layers.h"

typedef struct pct_box_encoder {
    pct_mlp mlp;
} pct_box_encoder;
void pct_box_encoder_build(pct_box_encoder *encoder, pct_builder *builder, int64_t hidden, int64_t width);
/* (Q,4) -> (Q,width) */
pct_tensor *pct_box_encoder_apply(pct_tape *tape, const pct_box_encoder *encoder, pct_tensor *boxes);

typedef struct pct_box_decoder {
    pct_mlp mlp;
    bool moments;
} pct_box_decoder;
/* query_width: of the mask decoder's query; used with moments. */
void pct_box_decoder_build(pct_box_decoder *decoder, pct_builder *builder, bool moments, int64_t width,
                           int64_t query_width, int64_t hidden);
/* states (Q,width); with moments also query (Q,query_width) and logits (Q,m,m), else NULL -> (Q,4) in 0..1. Corners of
 * an early model may be the wrong way round. */
pct_tensor *pct_box_decoder_apply(pct_tape *tape, const pct_box_decoder *decoder, pct_tensor *states, pct_tensor *query,
                                  pct_tensor *logits);

#endif

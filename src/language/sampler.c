/* The next token: the likeliest, or a draw from the smallest set of tokens whose probability reaches top_p (nucleus
 * sampling, Holtzman et al., arXiv 1904.09751). */
#include "language/language.h"

#include <math.h>

static int32_t likeliest(const pct_real *logits, int32_t vocabulary) {
    int32_t best = 0;
    for (int32_t i = 1; i < vocabulary; i++)
        if (logits[i] > logits[best]) best = i;
    return best;
}

/* Restores the heap order (largest on top) below `root`. */
static void sift(int32_t *heap, int32_t count, int32_t root, const pct_real *key) {
    for (;;) {
        int32_t child = 2 * root + 1;
        if (child >= count) return;
        if (child + 1 < count && key[heap[child + 1]] > key[heap[child]]) child++;
        if (key[heap[root]] >= key[heap[child]]) return;
        int32_t moved = heap[root];
        heap[root] = heap[child];
        heap[child] = moved;
        root = child;
    }
}

static int32_t draw(pct_sampler *sampler, const pct_real *logits, int32_t vocabulary, int32_t best) {
    double total = 0;
    for (int32_t i = 0; i < vocabulary; i++) {
        double p = exp((double)(logits[i] - logits[best]) / (double)sampler->temperature);
        sampler->probability[i] = (pct_real)p;
        sampler->order[i] = i;
        total += p;
    }
    for (int32_t i = vocabulary / 2 - 1; i >= 0; i--) sift(sampler->order, vocabulary, i, sampler->probability);
    /* The likeliest come off the heap until they reach top_p; the draw is among them. */
    double reached = 0, wanted = sampler->top_p < 1 ? (double)sampler->top_p * total : total;
    int32_t left = vocabulary;
    while (left > 0) {
        int32_t top = sampler->order[0];
        reached += (double)sampler->probability[top];
        sampler->order[0] = sampler->order[--left];
        sampler->order[left] = top;
        sift(sampler->order, left, 0, sampler->probability);
        if (reached >= wanted) break;
    }
    double at = (double)pct_random_float(&sampler->random) * reached;
    for (int32_t i = vocabulary - 1; i > left; i--) {
        at -= (double)sampler->probability[sampler->order[i]];
        if (at < 0) return sampler->order[i];
    }
    return sampler->order[left];
}

int32_t pct_sample(pct_sampler *sampler, const pct_real *logits, int32_t vocabulary, double *log_probability) {
    int32_t best = likeliest(logits, vocabulary);
    double sum = 0;
    for (int32_t i = 0; i < vocabulary; i++) sum += exp((double)(logits[i] - logits[best]));
    int32_t id = sampler->temperature > 0 ? draw(sampler, logits, vocabulary, best) : best;
    *log_probability = (double)(logits[id] - logits[best]) - log(sum);
    return id;
}

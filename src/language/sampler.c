/* The next token: the likeliest, or a draw from what three limits leave: the k likeliest; of these the smallest set
 * whose probability reaches top_p (nucleus sampling, Holtzman et al., arXiv 1904.09751); of these, those that are
 * likely enough beside the likeliest (min-p, Nguyen et al., arXiv 2407.01082). */
#include "language/language.h"

#include <math.h>
#include <string.h>

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

/* Takes the largest off the heap of *left tokens; it lies behind the heap then, before those taken earlier. */
static int32_t take(int32_t *heap, int32_t *left, const pct_real *key) {
    const int32_t top = heap[0];
    heap[0] = heap[--*left];
    heap[*left] = top;
    sift(heap, *left, 0, key);
    return top;
}

/* Sum of exp(logit - top) over the tokens that top_k leaves; those it takes are behind the heap. */
static double sum_likeliest(const pct_sampler *sampler, const pct_real *logits, int32_t vocabulary, int32_t *left) {
    const double top = (double)logits[sampler->order[0]];
    double sum = 0;
    if (sampler->top_k <= 0 || sampler->top_k >= vocabulary) {
        for (int32_t i = 0; i < vocabulary; i++) sum += exp((double)logits[i] - top);
        return sum;
    }
    for (int32_t i = 0; i < sampler->top_k; i++) sum += exp((double)logits[take(sampler->order, left, logits)] - top);
    return sum;
}

/* Puts the tokens that the limits leave behind the heap, the likeliest last; returns where they begin. */
static int32_t limit(pct_sampler *sampler, const pct_real *logits, int32_t vocabulary) {
    int32_t *order = sampler->order, left = vocabulary;
    for (int32_t i = vocabulary / 2 - 1; i >= 0; i--) sift(order, vocabulary, i, logits);
    const double top = (double)logits[order[0]];
    const double sum = sum_likeliest(sampler, logits, vocabulary, &left);
    const double wanted = sampler->top_p < 1 ? (double)sampler->top_p * sum : INFINITY;
    const double least = sampler->min_p > 0 ? (double)sampler->min_p : 0;
    const int32_t taken = left < vocabulary ? vocabulary - left : vocabulary;
    double reached = 0;
    int32_t kept = 0;
    for (; kept < taken && (kept == 0 || reached < wanted); kept++) { /* one is left even of sums that are NaN */
        const int32_t id = left <= vocabulary - kept - 1 ? order[vocabulary - kept - 1] : take(order, &left, logits);
        const double p = exp((double)logits[id] - top);
        if (kept > 0 && p < least) break;
        reached += p;
    }
    return vocabulary - kept;
}

/* A draw at the temperature from tokens order[begin..vocabulary), the likeliest last. */
static int32_t draw_from(pct_sampler *sampler, const pct_real *logits, int32_t begin, int32_t vocabulary, double top) {
    const int32_t *order = sampler->order;
    double sum = 0;
    for (int32_t i = vocabulary - 1; i >= begin; i--)
        sum += exp(((double)logits[order[i]] - top) / (double)sampler->temperature);
    double at = (double)pct_random_float(&sampler->random) * sum;
    for (int32_t i = vocabulary - 1; i > begin; i--) {
        at -= exp(((double)logits[order[i]] - top) / (double)sampler->temperature);
        if (at < 0) return order[i];
    }
    return order[begin];
}

/* The logits with the penalty, in the caller's array; each recent token once. */
static const pct_real *penalise(const pct_sampler *sampler, const pct_real *logits, int32_t vocabulary) {
    const pct_real penalty = (pct_real)sampler->repeat_penalty;
    if (!(penalty > 0) || penalty == 1 || sampler->recent_count <= 0) return logits; /* NOLINT: exactly 1 is "none" */
    memcpy(sampler->probability, logits, (size_t)vocabulary * sizeof *logits);
    for (int32_t i = 0; i < sampler->recent_count; i++) {
        const int32_t id = sampler->recent[i];
        sampler->probability[id] = logits[id] > 0 ? logits[id] / penalty : logits[id] * penalty;
    }
    return sampler->probability;
}

double pct_log_probability(const pct_real *logits, int32_t vocabulary, int32_t id) {
    const pct_real highest = logits[likeliest(logits, vocabulary)];
    double sum = 0;
    for (int32_t i = 0; i < vocabulary; i++) sum += exp((double)(logits[i] - highest));
    return (double)(logits[id] - highest) - log(sum);
}

int32_t pct_sample(pct_sampler *sampler, const pct_real *logits, int32_t vocabulary, double *log_probability) {
    const pct_real *used = penalise(sampler, logits, vocabulary);
    int32_t id = likeliest(used, vocabulary);
    if (sampler->temperature > 0) {
        const double top = (double)used[id];
        const bool limited =
            (sampler->top_k > 0 && sampler->top_k < vocabulary) || sampler->top_p < 1 || sampler->min_p > 0;
        for (int32_t i = 0; i < vocabulary; i++) sampler->order[i] = i;
        id = draw_from(sampler, used, limited ? limit(sampler, used, vocabulary) : 0, vocabulary, top);
    }
    if (log_probability) *log_probability = pct_log_probability(logits, vocabulary, id);
    return id;
}

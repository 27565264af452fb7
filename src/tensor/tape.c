/* tape.c: nodes, gradients, and the memory that the way back reuses; see tape.h. */
#include "tensor/tape.h"

#include "base/size.h"

#include <string.h>

/* A block of memory that came back, with its header inside. */
struct pct_spare {
    struct pct_spare *next;
    size_t size;
};

void pct_tape_init(pct_tape *tape, pct_compute *compute, pct_arena *arena, bool record, pct_dtype product) {
    PCT_ASSERT(product == PCT_REAL || product == PCT_BF16);
    PCT_ASSERT(product == PCT_REAL || sizeof(pct_real) == sizeof(float));
    memset(tape, 0, sizeof *tape);
    tape->compute = compute;
    tape->arena = arena;
    tape->record = record;
    tape->product = product;
    tape->spare_smallest = 4096;
    pct_random_init(&tape->random, 0, 0, 0);
}

void pct_tape_clear(pct_tape *tape) {
    tape->last = NULL;
    tape->spare = NULL;
    tape->rotary = NULL;
    tape->status = PERCEPT_OK;
}

percept_status pct_tape_status(const pct_tape *tape, percept_error *error) {
    if (tape->status == PERCEPT_OK) return PERCEPT_OK;
    return pct_fail(error, tape->status, "out of memory: activations (%zu MB in use)", tape->arena->used >> 20);
}

/* ---- memory ------------------------------------------------------------------------------------------------------ */

static void *take(pct_tape *tape, size_t size) {
    void *data = pct_arena_take(tape->arena, size);
    if (!data) tape->status = PERCEPT_ERROR_RESOURCE;
    return data;
}

static size_t rounded(size_t size) { return (size + PCT_ARENA_ALIGN - 1) & ~(size_t)(PCT_ARENA_ALIGN - 1); }

void pct_tape_give(pct_tape *tape, void *data, size_t size) {
    size = rounded(size);
    if (!data || size < tape->spare_smallest) return;
    struct pct_spare *spare = data;
    spare->next = tape->spare;
    spare->size = size;
    tape->spare = spare;
}

/* The smallest spare block that fits, what is left of it going back; else from the arena. */
void *pct_tape_take(pct_tape *tape, size_t size) {
    if (size > SIZE_MAX / 2) {
        tape->status = PERCEPT_ERROR_RESOURCE;
        return NULL;
    }
    size = rounded(size ? size : 1);
    struct pct_spare **best = NULL;
    for (struct pct_spare **at = &tape->spare; *at; at = &(*at)->next) {
        if ((*at)->size >= size && (!best || (*at)->size < (*best)->size)) best = at;
        if (best && (*best)->size == size) break;
    }
    if (size < tape->spare_smallest || !best) return take(tape, size);
    struct pct_spare *spare = *best;
    *best = spare->next;
    if (spare->size > size) pct_tape_give(tape, (unsigned char *)spare + size, spare->size - size);
    return spare;
}

static bool bytes_of(pct_dtype type, int rank, const int64_t *dim, size_t *bytes) {
    size_t rows = 1;
    for (int i = 0; i < rank; i++) {
        if (dim[i] < 0) return false;
        if (i + 1 < rank && !pct_size_mul(rows, (size_t)dim[i], &rows)) return false;
    }
    return pct_dtype_row_bytes(type, dim[rank - 1], bytes) && pct_size_mul(*bytes, rows, bytes);
}

static pct_tensor *header(pct_tape *tape, pct_dtype type, int rank, const int64_t *dim) {
    PCT_ASSERT(rank >= 1 && rank <= PCT_MAX_RANK);
    pct_tensor filled = {.type = type, .rank = rank};
    for (int i = 0; i < rank; i++) filled.dim[i] = dim[i]; /* before the dummy is written: dim may be its own */
    pct_tensor *tensor = take(tape, sizeof *tensor);
    if (!tensor) tensor = &tape->dummy;
    *tensor = filled;
    return tensor;
}

pct_tensor *pct_tape_tensor(pct_tape *tape, pct_dtype type, int rank, const int64_t *dim) {
    pct_tensor *tensor = header(tape, type, rank, dim);
    size_t bytes;
    if (pct_tape_failed(tape)) return tensor;
    if (!bytes_of(type, rank, dim, &bytes)) {
        tape->status = PERCEPT_ERROR_RESOURCE;
        return tensor;
    }
    tensor->data = pct_tape_take(tape, bytes);
    tensor->owned = true;
    return tensor;
}

pct_tensor *pct_tape_half(pct_tape *tape, int rank, const int64_t *dim) {
    pct_tensor *tensor = header(tape, PCT_REAL, rank, dim);
    size_t bytes;
    PCT_ASSERT(pct_tape_halves(tape));
    if (pct_tape_failed(tape)) return tensor;
    if (!bytes_of(PCT_BF16, rank, dim, &bytes)) {
        tape->status = PERCEPT_ERROR_RESOURCE;
        return tensor;
    }
    tensor->twin = pct_tape_take(tape, bytes);
    tensor->owned = true;
    return tensor;
}

pct_tensor *pct_tape_zeros(pct_tape *tape, int rank, const int64_t *dim) {
    pct_tensor *tensor = pct_tape_tensor(tape, PCT_REAL, rank, dim);
    if (tensor->data) memset(tensor->data, 0, (size_t)pct_tensor_count(tensor) * sizeof(pct_real));
    return tensor;
}

pct_tensor *pct_tape_input(pct_tape *tape, pct_dtype type, int rank, const int64_t *dim, const void *data) {
    pct_tensor *tensor = header(tape, type, rank, dim);
    tensor->data = (void *)(uintptr_t)data; /* operations never write to their inputs' data */
    return tensor;
}

/* The tensor whose data, gradient and twin a view shows. */
static pct_tensor *root_of(pct_tensor *tensor) { return tensor->base ? tensor->base : tensor; }

pct_tensor *pct_tape_view(pct_tape *tape, pct_tensor *x, int rank, const int64_t *dim) {
    pct_tensor *view = header(tape, x->type, rank, dim);
    if (pct_tape_failed(tape)) return view;
    view->base = root_of(x);
    view->data = x->data;
    view->needs_grad = x->needs_grad;
    PCT_ASSERT(pct_tensor_count(view) == pct_tensor_count(x));
    return view;
}

void pct_tape_done(pct_tape *tape, pct_tensor *tensor) {
    pct_tensor *root = root_of(tensor);
    size_t bytes;
    if (pct_tape_failed(tape) || !root->owned || !bytes_of(root->type, root->rank, root->dim, &bytes)) return;
    if (bytes < tape->spare_smallest) return;
    if (!root->keeps) {
        pct_tape_give(tape, root->data, bytes);
        root->data = NULL;
        tensor->data = NULL;
    }
    if (!root->twin_keeps) {
        pct_tape_give(tape, root->twin, (size_t)pct_tensor_count(root) * sizeof *root->twin);
        root->twin = NULL;
    }
}

/* ---- gradients --------------------------------------------------------------------------------------------------- */

static size_t grad_bytes(const pct_tensor *tensor) { return (size_t)pct_tensor_count(tensor) * sizeof(pct_real); }

pct_real *pct_tape_grad_fresh(pct_tape *tape, pct_tensor *tensor, bool *fresh) {
    pct_tensor *root = root_of(tensor);
    *fresh = !root->grad;
    if (!root->grad) {
        PCT_ASSERT(!root->parameter || root->parameter->trainable);
        root->grad = pct_tape_take(tape, grad_bytes(root));
    }
    tensor->grad = root->grad;
    return root->grad;
}

pct_real *pct_tape_grad(pct_tape *tape, pct_tensor *tensor) {
    bool fresh;
    pct_real *grad = pct_tape_grad_fresh(tape, tensor, &fresh);
    if (grad && fresh) memset(grad, 0, grad_bytes(tensor));
    return grad;
}

pct_real *pct_tape_grad_onto(pct_tape *tape, pct_tensor *tensor, bool *fresh) {
    pct_tensor *root = root_of(tensor);
    if (tape->recycle && root->owned && root->keeps == 1 && !root->grad) {
        root->grad = root->data;
        root->data = NULL;
        tensor->grad = root->grad;
        *fresh = true;
        return root->grad;
    }
    return pct_tape_grad_fresh(tape, tensor, fresh);
}

bool pct_tape_grad_pass(pct_tape *tape, pct_tensor *from, pct_tensor *to) {
    (void)tape;
    pct_tensor *root = root_of(to);
    PCT_ASSERT(pct_tensor_count(from) == pct_tensor_count(root));
    if (root->grad || from->base || root == from) return false;
    root->grad = from->grad;
    to->grad = from->grad;
    from->grad = NULL;
    return true;
}

/* ---- other forms of a tensor's values -----------------------------------------------------------------------------
 */

typedef struct twin_job {
    const pct_kernels *kernels;
    const pct_real *x;
    uint16_t *y;
} twin_job;

static void make_twin(void *context, int64_t begin, int64_t end, int worker) {
    const twin_job *job = context;
    (void)worker;
    job->kernels->to_bf16(job->y + begin, job->x + begin, end - begin);
}

const uint16_t *pct_tape_twin(pct_tape *tape, pct_tensor *tensor) {
    pct_tensor *root = root_of(tensor);
    if (root->parameter) {
        const uint16_t *twin = pct_parameter_twin(root->parameter, tape->compute);
        if (!twin) tape->status = PERCEPT_ERROR_RESOURCE;
        return twin;
    }
    if (root->type == PCT_BF16) return root->data;
    PCT_ASSERT(root->type == PCT_REAL);
    if (root->twin) return root->twin;
    PCT_ASSERT(root->data);
    int64_t count = pct_tensor_count(root);
    root->twin = pct_tape_take(tape, (size_t)count * sizeof(uint16_t));
    if (!root->twin) return NULL;
    twin_job job = {&tape->compute->kernels, root->data, root->twin};
    pct_parallel_for(tape->compute->pool, count, 16384, make_twin, &job);
    return root->twin;
}

const pct_real *pct_tape_plain(pct_tape *tape, pct_tensor *tensor) {
    if (tensor->type == PCT_REAL) return tensor->data;
    pct_parameter *parameter = root_of(tensor)->parameter;
    PCT_ASSERT(parameter);
    const pct_real *plain = pct_parameter_plain(parameter, tape->compute);
    if (!plain) tape->status = PERCEPT_ERROR_RESOURCE;
    return plain;
}

/* ---- nodes ------------------------------------------------------------------------------------------------------- */

pct_node *pct_tape_record(pct_tape *tape, const char *operation, void (*back)(pct_tape *, pct_node *),
                          pct_tensor *output, pct_tensor *const *inputs, int count, size_t saved_size) {
    if (!tape->record || pct_tape_failed(tape)) return NULL;
    bool needed = false;
    for (int i = 0; i < count; i++) needed |= inputs[i] && inputs[i]->needs_grad;
    if (!needed) return NULL;
    pct_node *node = take(tape, sizeof *node);
    pct_tensor **list = node ? take(tape, (size_t)count * sizeof *list) : NULL;
    void *saved = list && saved_size ? pct_arena_take_zeroed(tape->arena, 1, saved_size) : NULL;
    if (!list || (saved_size && !saved)) {
        tape->status = PERCEPT_ERROR_RESOURCE;
        return NULL;
    }
    for (int i = 0; i < count; i++) list[i] = inputs[i];
    *node = (pct_node){operation, back, tape->last, output, list, count, saved};
    tape->last = node;
    output->maker = node;
    output->needs_grad = true;
    return node;
}

/* Nothing that is still to come reads the node's output: its consumers were made after it. */
static void retire(pct_tape *tape, pct_node *node) {
    pct_tensor *output = node->output;
    int64_t count = pct_tensor_count(output);
    size_t bytes = (size_t)count * sizeof(pct_real);
    if (output->grad) pct_tape_give(tape, output->grad, bytes);
    output->grad = NULL;
    if (!tape->recycle || bytes < tape->spare_smallest) return;
    pct_tape_give(tape, output->data, bytes);
    if (output->twin) pct_tape_give(tape, output->twin, (size_t)count * sizeof(uint16_t));
    output->data = NULL;
    output->twin = NULL;
}

void pct_tape_back(pct_tape *tape, pct_tensor *loss) {
    if (pct_tape_failed(tape) || !loss->needs_grad) return;
    PCT_ASSERT(tape->record && pct_tensor_count(loss) == 1);
    pct_real *seed = pct_tape_grad(tape, loss);
    if (!seed) return;
    seed[0] += 1;
    for (pct_node *node = tape->last; node; node = node->previous) {
        if (node->output->grad) node->back(tape, node);
        if (pct_tape_failed(tape)) return;
        retire(tape, node);
    }
}

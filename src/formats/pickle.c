/* pickle.c: see pickle.h. Opcodes as in CPython's pickletools, protocols 2 to 4 as far as torch.save uses them. */
#include "formats/pickle.h"

#include "base/cursor.h"
#include "base/size.h"
#include "formats/safetensors.h" /* its limits */

#include <stdlib.h>
#include <string.h>

#define MAX_SIZE  ((size_t)8 << 20) /* a byte may cost 72; a model's pickle has some 100 a tensor */
#define MAX_STACK 1048576
#define BLOCK     256
#define ITEMS     1024 /* pointers to values that are taken at once */
#define MEND      "save its state_dict again with torch.save"

typedef struct machine {
    pct_cursor at;
    pct_arena *arena;
    percept_error *error;
    pct_pickle_value **stack;
    int64_t depth, stack_room;
    int64_t *marks;
    int64_t mark_count, mark_room;
    pct_pickle_value **memo; /* by number; NULL: not set */
    int64_t memo_count, memo_room;
    pct_pickle_value *block; /* values not used yet: an arena's own alignment would double them */
    int64_t left;
    pct_pickle_value **items; /* pointers not used yet, for the same reason */
    int64_t items_left;
} machine;

static percept_status bad(const machine *m, const char *what) {
    return pct_fail(m->error, PERCEPT_ERROR_MODEL, "its pickle is damaged or no checkpoint's (%s at byte %zu): %s",
                    what, m->at.offset, MEND);
}

/* Room for one more element of `size` bytes. */
static bool grow(void **list, int64_t count, int64_t *room, size_t size) {
    if (count < *room) return true;
    const int64_t more = *room ? 2 * *room : 64;
    void *larger = realloc(*list, (size_t)more * size);
    if (!larger) return false;
    *list = larger;
    *room = more;
    return true;
}

static percept_status push(machine *m, pct_pickle_value *value) {
    if (m->depth == MAX_STACK) return bad(m, "a stack too deep");
    if (!value || !grow((void **)&m->stack, m->depth, &m->stack_room, sizeof(pct_pickle_value *)))
        return pct_fail_memory(m->error, "pickle");
    m->stack[m->depth++] = value;
    return PERCEPT_OK;
}

static pct_pickle_value *make(machine *m, enum pct_pickle_kind kind) {
    if (m->left == 0) {
        m->block = pct_arena_take_zeroed(m->arena, BLOCK, sizeof *m->block);
        if (!m->block) return NULL;
        m->left = BLOCK;
    }
    pct_pickle_value *value = &m->block[BLOCK - m->left--];
    value->kind = kind;
    return value;
}

static percept_status push_kind(machine *m, enum pct_pickle_kind kind) { return push(m, make(m, kind)); }

static percept_status push_integer(machine *m, enum pct_pickle_kind kind, int64_t integer) {
    pct_pickle_value *value = make(m, kind);
    if (value) value->integer = integer;
    return push(m, value);
}

static percept_status push_text(machine *m, enum pct_pickle_kind kind, const unsigned char *bytes, uint64_t length) {
    if (!bytes) return bad(m, "cut off");
    if (memchr(bytes, 0, (size_t)length)) return bad(m, "a NUL in a string");
    pct_pickle_value *value = make(m, kind);
    if (value) value->text = pct_arena_text(m->arena, (const char *)bytes, (size_t)length);
    return push(m, value && value->text ? value : NULL);
}

static percept_status push_string(machine *m, uint64_t length) {
    if (length > pct_cursor_left(&m->at)) return bad(m, "a string longer than the file");
    return push_text(m, PCT_PICKLE_STRING, pct_cursor_take(&m->at, (size_t)length), length);
}

/* Values above the last mark; everything where there is none is an error. */
static bool floor_of(const machine *m, int64_t *floor) {
    *floor = m->mark_count > 0 ? m->marks[m->mark_count - 1] : 0;
    return m->depth >= *floor;
}

/* The top value, taken off; NULL: none above the last mark. */
static pct_pickle_value *pop(machine *m) {
    int64_t floor;
    return floor_of(m, &floor) && m->depth > floor ? m->stack[--m->depth] : NULL;
}

/* Room for so many items; NULL: out of memory. */
static pct_pickle_value **take_items(machine *m, int64_t count) {
    if (count > ITEMS / 16) return pct_arena_take(m->arena, (size_t)count * sizeof *m->items);
    if (m->items_left < count) {
        m->items = pct_arena_take(m->arena, ITEMS * sizeof *m->items);
        if (!m->items) return NULL;
        m->items_left = ITEMS;
    }
    m->items_left -= count;
    return m->items + m->items_left;
}

static percept_status append(machine *m, pct_pickle_value *to, pct_pickle_value *item) {
    if (to->count == to->capacity) {
        const int64_t more = to->capacity ? 2 * to->capacity : 4;
        pct_pickle_value **items = take_items(m, more);
        if (!items) return pct_fail_memory(m->error, "pickle");
        if (to->count) memcpy(items, to->items, (size_t)to->count * sizeof *items);
        to->items = items;
        to->capacity = more;
    }
    to->items[to->count++] = item;
    return PERCEPT_OK;
}

/* The values above the last mark, which goes too: *items is valid until the next push. */
static percept_status pop_marked(machine *m, pct_pickle_value ***items, int64_t *count) {
    if (m->mark_count == 0) return bad(m, "no mark");
    const int64_t floor = m->marks[--m->mark_count];
    if (floor > m->depth) return bad(m, "a mark above the stack");
    *items = m->stack + floor;
    *count = m->depth - floor;
    m->depth = floor;
    return PERCEPT_OK;
}

static percept_status tuple_of(machine *m, pct_pickle_value **items, int64_t count) {
    pct_pickle_value *tuple = make(m, PCT_PICKLE_TUPLE);
    if (tuple && count > 0) tuple->items = take_items(m, count);
    if (!tuple || (count > 0 && !tuple->items)) return pct_fail_memory(m->error, "pickle");
    if (count > 0) memcpy(tuple->items, items, (size_t)count * sizeof *items);
    tuple->count = tuple->capacity = count;
    return push(m, tuple);
}

static percept_status tuple_of_top(machine *m, int64_t count) {
    int64_t floor;
    if (!floor_of(m, &floor) || m->depth - floor < count) return bad(m, "a tuple of too few values");
    m->depth -= count;
    return tuple_of(m, m->stack + m->depth, count);
}

static percept_status marked_tuple(machine *m) {
    pct_pickle_value **items = NULL;
    int64_t count = 0;
    PCT_TRY(pop_marked(m, &items, &count));
    return tuple_of(m, items, count);
}

/* The value on top that takes items; NULL: none of that kind. */
static pct_pickle_value *taker(machine *m, enum pct_pickle_kind kind) {
    int64_t floor;
    if (!floor_of(m, &floor) || m->depth == floor) return NULL;
    pct_pickle_value *top = m->stack[m->depth - 1];
    return top->kind == kind ? top : NULL;
}

/* SETITEM(S), APPEND(S): the values above the mark, or the last `count`, go into the container below them. */
static percept_status put_items(machine *m, enum pct_pickle_kind kind, int64_t count) {
    pct_pickle_value **items;
    if (count == 0) {
        PCT_TRY(pop_marked(m, &items, &count));
    } else {
        int64_t floor;
        if (!floor_of(m, &floor) || m->depth - floor < count) return bad(m, "too few items");
        m->depth -= count;
        items = m->stack + m->depth;
    }
    pct_pickle_value *to = taker(m, kind);
    if (!to) return bad(m, "items for no container");
    if (kind == PCT_PICKLE_DICT && count % 2) return bad(m, "a key without a value");
    for (int64_t i = 0; i < count; i++) PCT_TRY(append(m, to, items[i]));
    return PERCEPT_OK;
}

/* ---- globals and calls ------------------------------------------------------------------------------------------ */

static const char *const storages[] = {"DoubleStorage", "FloatStorage", "HalfStorage",  "BFloat16Storage",
                                       "LongStorage",   "IntStorage",   "ShortStorage", "CharStorage",
                                       "ByteStorage",   "BoolStorage"};

static bool allowed(const char *module, const char *name) {
    if (!strcmp(module, "collections")) return !strcmp(name, "OrderedDict");
    if (!strcmp(module, "torch._utils"))
        return !strcmp(name, "_rebuild_tensor_v2") || !strcmp(name, "_rebuild_parameter");
    if (strcmp(module, "torch") != 0) return false;
    if (!strcmp(name, "Size")) return true;
    for (size_t i = 0; i < PCT_COUNT(storages); i++)
        if (!strcmp(name, storages[i])) return true;
    return false;
}

static percept_status push_global(machine *m, const char *module, const char *name) {
    if (!allowed(module, name))
        return pct_fail(m->error, PERCEPT_ERROR_MODEL, "it asks for %.100s.%.100s, which percept does not run: %s",
                        module, name, MEND);
    pct_pickle_value *value = make(m, PCT_PICKLE_GLOBAL);
    if (value) value->text = pct_arena_text(m->arena, name, strlen(name)); /* unique without its module */
    return push(m, value && value->text ? value : NULL);
}

/* Two lines: module and name. */
static percept_status read_global(machine *m) {
    const char *word[2];
    for (int i = 0; i < 2; i++) {
        const size_t left = pct_cursor_left(&m->at);
        const unsigned char *begin = m->at.data + m->at.offset, *end = left ? memchr(begin, '\n', left) : NULL;
        if (!end || memchr(begin, 0, (size_t)(end - begin))) return bad(m, "a name without its end");
        word[i] = pct_arena_text(m->arena, (const char *)begin, (size_t)(end - begin));
        if (!word[i]) return pct_fail_memory(m->error, "pickle");
        pct_cursor_skip(&m->at, (size_t)(end - begin) + 1);
    }
    return push_global(m, word[0], word[1]);
}

static percept_status stack_global(machine *m) {
    const pct_pickle_value *name = pop(m), *module = pop(m);
    if (!name || !module || name->kind != PCT_PICKLE_STRING || module->kind != PCT_PICKLE_STRING)
        return bad(m, "a global without its names");
    return push_global(m, module->text, name->text);
}

/* A shape or strides. One long tuple that the memo gives to many calls must not be read by each of them. */
static bool is_integers(const pct_pickle_value *value) {
    if (value->kind != PCT_PICKLE_TUPLE && value->kind != PCT_PICKLE_LIST) return false;
    if (value->count > PCT_SAFETENSORS_MAX_DIMS) return false;
    for (int64_t i = 0; i < value->count; i++)
        if (value->items[i]->kind != PCT_PICKLE_INT) return false;
    return true;
}

/* _rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks[, metadata]) */
static percept_status rebuild_tensor(machine *m, const pct_pickle_value *with) {
    if (with->count < 4 || with->items[0]->kind != PCT_PICKLE_STORAGE || with->items[1]->kind != PCT_PICKLE_INT ||
        !is_integers(with->items[2]) || !is_integers(with->items[3]))
        return bad(m, "a tensor's parts");
    pct_pickle_value *tensor = make(m, PCT_PICKLE_TENSOR);
    for (int i = 0; tensor && i < 4; i++) PCT_TRY(append(m, tensor, with->items[i]));
    return push(m, tensor);
}

static percept_status call(machine *m) {
    const pct_pickle_value *with = pop(m), *function = pop(m);
    if (!with || !function || with->kind != PCT_PICKLE_TUPLE || function->kind != PCT_PICKLE_GLOBAL)
        return bad(m, "a call of no function");
    if (!strcmp(function->text, "_rebuild_tensor_v2")) return rebuild_tensor(m, with);
    if (!strcmp(function->text, "_rebuild_parameter")) {
        if (with->count < 1 || with->items[0]->kind != PCT_PICKLE_TENSOR)
            return bad(m, "a parameter without its tensor");
        return push(m, with->items[0]);
    }
    if (!strcmp(function->text, "OrderedDict") && with->count == 0) return push_kind(m, PCT_PICKLE_DICT);
    if (!strcmp(function->text, "Size") && with->count == 1 && is_integers(with->items[0]))
        return push(m, with->items[0]);
    return bad(m, "a call with other values than torch.save writes");
}

/* ("storage", class, key, device, elements) */
static percept_status persistent(machine *m) {
    const pct_pickle_value *id = pop(m);
    if (!id || id->kind != PCT_PICKLE_TUPLE || id->count != 5 || id->items[0]->kind != PCT_PICKLE_STRING ||
        strcmp(id->items[0]->text, "storage") != 0 || id->items[1]->kind != PCT_PICKLE_GLOBAL ||
        id->items[2]->kind != PCT_PICKLE_STRING || id->items[4]->kind != PCT_PICKLE_INT)
        return bad(m, "an unknown persistent object");
    pct_pickle_value *storage = make(m, PCT_PICKLE_STORAGE);
    for (int i = 1; storage && i < 5; i++) PCT_TRY(append(m, storage, id->items[i]));
    return push(m, storage);
}

/* BUILD: the state of an object; a state_dict's _metadata says nothing about weights. */
static percept_status build(machine *m) {
    return pop(m) && m->depth > 0 ? PERCEPT_OK : bad(m, "a state for no object");
}

/* ---- memo ------------------------------------------------------------------------------------------------------- */

static percept_status memo_put(machine *m, uint64_t number) {
    int64_t floor;
    if (!floor_of(m, &floor) || m->depth == 0) return bad(m, "nothing to remember");
    if (number > m->at.size) return bad(m, "a memo's number"); /* every entry costs a byte at least */
    while ((int64_t)number >= m->memo_count) {
        if (!grow((void **)&m->memo, m->memo_count, &m->memo_room, sizeof *m->memo))
            return pct_fail_memory(m->error, "pickle");
        m->memo[m->memo_count++] = NULL;
    }
    m->memo[number] = m->stack[m->depth - 1];
    return PERCEPT_OK;
}

static percept_status memo_get(machine *m, uint64_t number) {
    if (number >= (uint64_t)m->memo_count || !m->memo[number]) return bad(m, "nothing remembered");
    return push(m, m->memo[number]);
}

static percept_status push_mark(machine *m) {
    if (!grow((void **)&m->marks, m->mark_count, &m->mark_room, sizeof *m->marks))
        return pct_fail_memory(m->error, "pickle");
    m->marks[m->mark_count++] = m->depth;
    return PERCEPT_OK;
}

/* A whole number of `size` bytes, of at most 8. */
static percept_status push_long(machine *m, uint64_t size) {
    const unsigned char *bytes = size <= 8 ? pct_cursor_take(&m->at, (size_t)size) : NULL;
    if (!bytes) return bad(m, "a number of more than 8 bytes");
    uint64_t value = size > 0 && bytes[size - 1] & 0x80 ? UINT64_MAX : 0;
    for (uint64_t i = size; i-- > 0;) value = value << 8 | bytes[i];
    return push_integer(m, PCT_PICKLE_INT, (int64_t)value);
}

/* ---- opcodes ---------------------------------------------------------------------------------------------------- */

static percept_status step(machine *m, int opcode) {
    switch (opcode) {
    case 0x80: /* PROTO */
        return pct_cursor_u8(&m->at) <= 5 ? PERCEPT_OK : bad(m, "an unknown protocol");
    case 0x95: /* FRAME */
        pct_cursor_u64(&m->at);
        return PERCEPT_OK;
    case '(':
        return push_mark(m);
    case '0':
        return pop(m) ? PERCEPT_OK : bad(m, "nothing to drop");
    case 'N':
        return push_kind(m, PCT_PICKLE_NONE);
    case 0x88: /* NEWTRUE */
    case 0x89: /* NEWFALSE */
        return push_integer(m, PCT_PICKLE_BOOL, opcode == 0x88);
    case 'J':
        return push_integer(m, PCT_PICKLE_INT, (int32_t)pct_cursor_u32(&m->at));
    case 'K':
        return push_integer(m, PCT_PICKLE_INT, pct_cursor_u8(&m->at));
    case 'M':
        return push_integer(m, PCT_PICKLE_INT, pct_cursor_u16(&m->at));
    case 0x8a: /* LONG1 */
        return push_long(m, pct_cursor_u8(&m->at));
    case 0x8b: /* LONG4 */
        return push_long(m, pct_cursor_u32(&m->at));
    case 'G': /* BINFLOAT, whose value nobody asks for */
        pct_cursor_u64(&m->at);
        return push_kind(m, PCT_PICKLE_FLOAT);
    case 'U':  /* SHORT_BINSTRING */
    case 0x8c: /* SHORT_BINUNICODE */
        return push_string(m, pct_cursor_u8(&m->at));
    case 'T': /* BINSTRING */
    case 'X': /* BINUNICODE */
        return push_string(m, pct_cursor_u32(&m->at));
    case ')':
        return push_kind(m, PCT_PICKLE_TUPLE);
    case 't':
        return marked_tuple(m);
    case 0x85: /* TUPLE1, 2, 3 */
    case 0x86:
    case 0x87:
        return tuple_of_top(m, opcode - 0x84);
    case ']':
        return push_kind(m, PCT_PICKLE_LIST);
    case '}':
        return push_kind(m, PCT_PICKLE_DICT);
    case 'a':
        return put_items(m, PCT_PICKLE_LIST, 1);
    case 'e':
        return put_items(m, PCT_PICKLE_LIST, 0);
    case 's':
        return put_items(m, PCT_PICKLE_DICT, 2);
    case 'u':
        return put_items(m, PCT_PICKLE_DICT, 0);
    case 'c':
        return read_global(m);
    case 0x93: /* STACK_GLOBAL */
        return stack_global(m);
    case 'R':
        return call(m);
    case 'Q':
        return persistent(m);
    case 'b':
        return build(m);
    case 'q':
        return memo_put(m, pct_cursor_u8(&m->at));
    case 'r':
        return memo_put(m, pct_cursor_u32(&m->at));
    case 0x94: /* MEMOIZE */
        return memo_put(m, (uint64_t)m->memo_count);
    case 'h':
        return memo_get(m, pct_cursor_u8(&m->at));
    case 'j':
        return memo_get(m, pct_cursor_u32(&m->at));
    default:
        return pct_fail(m->error, PERCEPT_ERROR_MODEL,
                        "its pickle has opcode 0x%02x at byte %zu, which no state_dict needs: %s", opcode,
                        m->at.offset - 1, MEND);
    }
}

static percept_status run(machine *m, pct_pickle_value **out) {
    for (;;) {
        const int opcode = pct_cursor_u8(&m->at);
        if (m->at.failed) return bad(m, "cut off");
        if (opcode == '.') break;
        PCT_TRY(step(m, opcode));
        if (m->at.failed) return bad(m, "cut off");
    }
    if (m->depth != 1 || m->mark_count != 0) return bad(m, "not one value at its end");
    *out = m->stack[0];
    return PERCEPT_OK;
}

percept_status pct_pickle_read(const void *data, size_t size, pct_arena *arena, pct_pickle_value **out,
                               percept_error *error) {
    if (size > MAX_SIZE)
        return pct_fail(error, PERCEPT_ERROR_MODEL, "a pickle of %zu bytes; %zu are allowed: %s", size, MAX_SIZE, MEND);
    machine m = {.at = pct_cursor_over(data, size), .arena = arena, .error = error};
    percept_status status = run(&m, out);
    free(m.stack);
    free(m.marks);
    free(m.memo);
    return status;
}

/* spm_model.c: SentencePiece's tokenizer.model, a protocol buffer, read with a bounded cursor. Field numbers are those
 * of sentencepiece_model.proto; fields that do not change ids are passed over. */
#include "tokenizer/draft.h"

#include "base/cursor.h"
#include "formats/utf8.h"

#include <math.h>
#include <string.h>

enum wire { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 };

struct field {
    uint32_t number;
    enum wire wire;
    uint64_t value; /* VARINT */
    float real;     /* FIXED32 */
    pct_cursor bytes;
};

struct reader {
    pct_draft draft;
    int64_t model;         /* 1 unigram, 2 BPE, 3 words, 4 characters */
    bool suffix, charsmap; /* blanks as suffixes; a table of normalisation */
    bool dummy, squeeze, escape;
    char normaliser[32];
    percept_error *error;
};

static uint64_t read_varint(pct_cursor *cursor) {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
        const uint8_t byte = pct_cursor_u8(cursor);
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) return value;
    }
    cursor->failed = true;
    return 0;
}

/* The next field; false at the end and when the bytes are no field (the cursor has failed then). */
static bool next_field(pct_cursor *cursor, struct field *field) {
    if (!pct_cursor_left(cursor)) return false;
    const uint64_t key = read_varint(cursor);
    *field = (struct field){.number = (uint32_t)(key >> 3), .wire = (enum wire)(key & 7)};
    if (key >> 3 == 0 || key >> 32) cursor->failed = true;
    switch (field->wire) {
    case VARINT:
        field->value = read_varint(cursor);
        break;
    case FIXED64:
        pct_cursor_u64(cursor);
        break;
    case FIXED32:
        field->real = pct_cursor_f32(cursor);
        break;
    case BYTES: {
        const uint64_t size = read_varint(cursor);
        const unsigned char *data = size <= pct_cursor_left(cursor) ? pct_cursor_take(cursor, (size_t)size) : NULL;
        if (!data) cursor->failed = true;
        field->bytes = pct_cursor_over(data ? (const void *)data : "", data ? (size_t)size : 0);
        break;
    }
    default:
        cursor->failed = true;
    }
    return !cursor->failed;
}

static percept_status damaged(const struct reader *reader) {
    return pct_draft_fail(&reader->draft, reader->error,
                          "is not a SentencePiece model, or is cut off; fetch the file again");
}

static percept_status read_piece(struct reader *reader, pct_cursor cursor) {
    struct field field;
    pct_draft_token token = {.kind = PCT_TOKEN_NORMAL, .id = (int64_t)reader->draft.tokens.count};
    pct_cursor text = pct_cursor_over("", 0);
    while (next_field(&cursor, &field)) {
        if (field.number == 1 && field.wire == BYTES) text = field.bytes;
        if (field.number == 2 && field.wire == FIXED32) token.score = field.real;
        if (field.number == 3 && field.wire == VARINT) {
            if (field.value < PCT_TOKEN_NORMAL || field.value > PCT_TOKEN_BYTE)
                return pct_draft_fail(&reader->draft, reader->error, "piece %lld has the unknown type %llu",
                                      (long long)token.id, (unsigned long long)field.value);
            token.kind = (enum pct_token_kind)field.value;
        }
    }
    if (cursor.failed) return damaged(reader);
    if (!isfinite(token.score))
        return pct_draft_fail(&reader->draft, reader->error, "piece %lld has no finite score", (long long)token.id);
    if (!pct_utf8_valid((const char *)text.data, text.size))
        return pct_draft_fail(&reader->draft, reader->error, "piece %lld is not UTF-8", (long long)token.id);
    if (token.kind == PCT_TOKEN_USER) token.rules = PCT_TOKEN_JOINS | PCT_TOKEN_NORMALISED;
    if (token.kind == PCT_TOKEN_CONTROL || token.kind == PCT_TOKEN_UNKNOWN)
        token.rules = PCT_TOKEN_STRIPS_LEFT | PCT_TOKEN_STRIPS_RIGHT;
    return pct_draft_add(&reader->draft, &reader->draft.tokens, (const char *)text.data, text.size, token,
                         reader->error);
}

/* Ids are int32 in the file: negative ones come as ten bytes. */
static int64_t mark_id(uint64_t value) { return (int32_t)(uint32_t)value; }

static percept_status read_trainer(struct reader *reader, pct_cursor cursor) {
    struct field field;
    while (next_field(&cursor, &field)) {
        if (field.wire != VARINT) continue;
        switch (field.number) {
        case 3:
            reader->model = (int64_t)field.value;
            break;
        case 24:
            reader->suffix = field.value != 0;
            break;
        case 35:
            reader->draft.byte_tokens = field.value != 0;
            break;
        case 40:
            reader->draft.mark_ids[PCT_DRAFT_UNKNOWN] = mark_id(field.value);
            break;
        case 41:
            reader->draft.mark_ids[PCT_DRAFT_BOS] = mark_id(field.value);
            break;
        case 42:
            reader->draft.mark_ids[PCT_DRAFT_EOS] = mark_id(field.value);
            break;
        case 43:
            reader->draft.mark_ids[PCT_DRAFT_PAD] = mark_id(field.value);
            break;
        default:
            break;
        }
    }
    return cursor.failed ? damaged(reader) : PERCEPT_OK;
}

static percept_status read_normaliser(struct reader *reader, pct_cursor cursor) {
    struct field field;
    while (next_field(&cursor, &field)) {
        if (field.number == 1 && field.wire == BYTES) {
            const size_t size =
                field.bytes.size < sizeof reader->normaliser - 1 ? field.bytes.size : sizeof reader->normaliser - 1;
            memcpy(reader->normaliser, field.bytes.data, size);
            reader->normaliser[size] = 0;
        }
        if (field.number == 2 && field.wire == BYTES) reader->charsmap = field.bytes.size > 0;
        if (field.number == 3 && field.wire == VARINT) reader->dummy = field.value != 0;
        if (field.number == 4 && field.wire == VARINT) reader->squeeze = field.value != 0;
        if (field.number == 5 && field.wire == VARINT) reader->escape = field.value != 0;
    }
    return cursor.failed ? damaged(reader) : PERCEPT_OK;
}

static percept_status read_all(struct reader *reader, pct_cursor cursor) {
    struct field field;
    while (next_field(&cursor, &field)) {
        if (field.wire != BYTES) continue;
        if (field.number == 1) PCT_TRY(read_piece(reader, field.bytes));
        if (field.number == 2) PCT_TRY(read_trainer(reader, field.bytes));
        if (field.number == 3) PCT_TRY(read_normaliser(reader, field.bytes));
    }
    if (cursor.failed || !reader->draft.tokens.count) return damaged(reader);
    return PERCEPT_OK;
}

static percept_status check(const struct reader *reader) {
    static const char *const models[] = {"?", "unigram", "BPE", "words", "characters"};
    if (reader->model != 2)
        return pct_draft_fail(&reader->draft, reader->error, "SentencePiece's model '%s' is not supported (BPE is)",
                              models[reader->model >= 1 && reader->model <= 4 ? reader->model : 0]);
    if (reader->charsmap)
        return pct_draft_fail(&reader->draft, reader->error,
                              "SentencePiece's normalisation '%s' is not supported "
                              "(identity is); give a tokenizer.json",
                              reader->normaliser);
    if (reader->suffix || !reader->escape)
        return pct_draft_fail(&reader->draft, reader->error,
                              "SentencePiece's blanks as suffixes, or unescaped, are not supported");
    return PERCEPT_OK;
}

static percept_status load(struct reader *reader, pct_cursor cursor, const pct_hf_extras *extras, pct_tokenizer **out) {
    PCT_TRY(read_all(reader, cursor));
    PCT_TRY(check(reader));
    pct_bpe_parts *parts = &reader->draft.parts;
    /* The Python class LlamaTokenizer in its newer form puts the blank only before the first stretch. */
    const json_t *legacy = extras ? json_object_get(extras->config, "legacy") : NULL;
    parts->prefix = !reader->dummy ? PCT_PREFIX_NEVER : json_is_false(legacy) ? PCT_PREFIX_FIRST : PCT_PREFIX_ALWAYS;
    parts->squeeze_blanks = reader->squeeze;
    parts->unknowns = PCT_UNKNOWN_TOKEN;
    parts->fuse_unknown = true;
    parts->add_bos = true;
    /* LLaMA's rule for added tokens whose files do not say more: white space on both sides goes. */
    if (extras)
        PCT_TRY(pct_hf_extras_apply(extras, &reader->draft, PCT_TOKEN_STRIPS_LEFT | PCT_TOKEN_STRIPS_RIGHT, false,
                                    reader->error));
    return pct_draft_build(&reader->draft, out, reader->error);
}

percept_status pct_spm_model_read(pct_tokenizer **out, const char *name, const void *data, size_t size,
                                  const pct_hf_extras *extras, percept_error *error) {
    *out = NULL;
    /* Defaults of sentencepiece_model.proto. */
    struct reader reader = {
        .draft = {.name = name, .form = PCT_DRAFT_SCORES, .has_mark_ids = true, .mark_ids = {1, 2, -1, 0}},
        .model = 1,
        .dummy = true,
        .squeeze = true,
        .escape = true,
        .error = error};
    const percept_status status = load(&reader, pct_cursor_over(data, size), extras, out);
    pct_draft_free(&reader.draft);
    return status;
}

/* replay.c: `replay SCENES.pack OUT.pack [QUALITY]`: the small pack of old names that `percept teach` rehearses
 * (share/teach/replay.pack), out of the large one that `./dev data` makes.
 *
 * Takes the Noto emoji alone (emoji-datasource-google, Apache-2.0), at their own 64 pixels, coded; never one that the
 * large pack holds out for testing. All names come along, so that a taught thing is told from those without an emoji
 * too. Of the relations only those that the words do not say: the reader finds the others itself. */
#include "data/pack.h"
#include "data/scene.h"

#include <stdio.h>
#include <stdlib.h>

/* Level 0 without its border, colours divided by alpha. */
static percept_status plain(const pct_sprite *sprite, pct_image *out, percept_error *error) {
    PCT_TRY(pct_image_new(out, sprite->width, sprite->height, 4, error));
    for (int y = 0; y < sprite->height; y++) {
        const unsigned char *from = pct_image_row(&sprite->level[0], y + 1) + 4;
        unsigned char *to = pct_image_row(out, y);
        for (int x = 0; x < sprite->width; x++, from += 4, to += 4) {
            int alpha = from[3];
            for (int c = 0; c < 3; c++) {
                int value = alpha ? (from[c] * 255 + alpha / 2) / alpha : 0;
                to[c] = (unsigned char)(value > 255 ? 255 : value);
            }
            to[3] = (unsigned char)alpha;
        }
    }
    return PERCEPT_OK;
}

static percept_status write_cutouts(const pct_pack *pack, const pct_scene_source *source, pct_pack_writer *writer,
                                    int quality, int32_t *kept, percept_error *error) {
    for (int32_t i = 0; i < pack->cutout_count; i++) {
        const pct_pack_cutout *cutout = &pack->cutouts[i];
        if (cutout->style != PCT_STYLE_NOTO || pct_scene_held_out(source, i)) continue;
        pct_image picture = {0};
        PCT_TRY(plain(&cutout->sprite, &picture, error));
        percept_status status = pct_pack_writer_coded(writer, cutout, &picture, quality, error);
        pct_image_free(&picture);
        if (status != PERCEPT_OK) return status;
        ++*kept;
    }
    return PERCEPT_OK;
}

static percept_status write_pack(const char *in, const char *out, int quality, percept_error *error) {
    pct_pack pack = {0};
    pct_pack_writer *writer = NULL;
    pct_scene_source *source = NULL;
    pct_scene_options options;
    int32_t kept = 0, relations = 0;
    pct_scene_options_default(&options);
    options.pack = in;
    percept_status status = pct_scene_source_open(&source, &options, error);
    if (status == PERCEPT_OK) status = pct_pack_open(&pack, in, error);
    if (status == PERCEPT_OK) status = pct_pack_writer_open(&writer, out, error);
    for (int32_t i = 0; i < pack.name_count && status == PERCEPT_OK; i++)
        status = pct_pack_writer_name(writer, &pack.names[i], error);
    if (status == PERCEPT_OK) status = write_cutouts(&pack, source, writer, quality, &kept, error);
    for (int32_t i = 0; i < pack.relation_count && status == PERCEPT_OK; i++) {
        const pct_pack_relation *one = &pack.relations[i];
        unsigned words = pct_names_related_by_words(pack.names[one->a].text, pack.names[one->b].text);
        if ((one->relation & ~words) == 0) continue;
        status = pct_pack_writer_relation(writer, one, error);
        relations++;
    }
    if (status == PERCEPT_OK) status = pct_pack_writer_finish(&writer, error);
    if (status == PERCEPT_OK)
        printf("%s: %d names, %d cut-outs, %d relations\n", out, pack.name_count, kept, relations);
    pct_pack_writer_abort(&writer);
    pct_scene_source_close(&source);
    pct_pack_close(&pack);
    return status;
}

int main(int argc, char **argv) {
    percept_error error = {0};
    if (argc < 3 || argc > 4) {
        fprintf(stderr, "replay SCENES.pack OUT.pack [QUALITY]\n");
        return 2;
    }
    if (write_pack(argv[1], argv[2], argc > 3 ? atoi(argv[3]) : 80, &error) == PERCEPT_OK) return 0;
    fprintf(stderr, "replay: %s\n", error.message);
    return 3;
}

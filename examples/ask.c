/* ask.c: asks a model about a picture. Build: cc ask.c $(pkg-config --cflags --libs percept) */
#include <percept/percept.h>
#include <stdio.h>

int main(int argc, char **argv) {
    if (argc != 4) {
        fprintf(stderr, "usage: %s MODEL.gguf PICTURE QUESTION\n", argv[0]);
        return 2;
    }
    percept_engine *engine = NULL;
    percept_session *session = NULL;
    percept_answer *answer = NULL;
    percept_error error = {0};
    if (percept_engine_open(&engine, argv[1], NULL, &error) == PERCEPT_OK &&
        percept_session_new(&session, engine, &error) == PERCEPT_OK &&
        percept_session_load_image(session, argv[2], NULL, &error) == PERCEPT_OK &&
        percept_session_ask(session, argv[3], NULL, &answer, &error) == PERCEPT_OK) {
        printf("%s\n", percept_answer_text(answer));
        for (size_t i = 0; i < percept_answer_object_count(answer); i++) {
            const percept_object *object = percept_answer_object(answer, i);
            printf("%s: %.1f,%.1f to %.1f,%.1f (%.0f%%)\n", object->phrase ? object->phrase : "region",
                   (double)object->box.x0, (double)object->box.y0, (double)object->box.x1, (double)object->box.y1,
                   (double)object->score * 100);
        }
    }
    if (error.status) fprintf(stderr, "%s\n", error.message);
    percept_answer_free(&answer);
    percept_session_free(&session);
    percept_engine_close(&engine);
    return error.status ? 1 : 0;
}

/* talk.h: questions to a language model alone: what percept_session_ask_many does for a session of one. */
#ifndef PCT_ENGINE_TALK_H
#define PCT_ENGINE_TALK_H

#include "engine/engine_private.h"

/* `options` are checked. Answers one question after the other; each may go on with another answer's dialogue, of which
 * only what the session has not read is read. All or nothing, as percept_session_ask_many. */
percept_status pct_talk_ask(percept_session *session, const percept_question *questions, size_t count,
                            const percept_ask_options *options, double deadline, percept_answer **answers,
                            percept_error *error);

#endif

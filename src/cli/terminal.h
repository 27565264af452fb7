/* terminal.h: what goes to stderr beside errors: progress, warnings; and Ctrl-C on its way to the library.
 *
 * Progress is a bar where stderr is a terminal, else now and then a plain line. */
#ifndef PCT_CLI_TERMINAL_H
#define PCT_CLI_TERMINAL_H

#include "cli/options.h"

#include <stdio.h>

/* Reads the settings and the environment (NO_COLOR, TERM) once; installs the handlers: the first SIGINT or SIGTERM asks
 * the work to stop, the second kills; SIGPIPE is ignored, so that a closed pipe is an error of writing. */
void pct_cli_terminal_start(const pct_cli_settings *settings);
bool pct_cli_interrupted(void);
/* For talk with a person: forgets a signal that has been obeyed. The next one is only noted (pct_cli_interrupted) and
 * ends the reading of input; one more cancels the session. */
void pct_cli_interrupt_again(void);
/* The session that a signal cancels; NULL: none. */
void pct_cli_cancel_on_signal(percept_session *session);

/* Text that came from a file or a model, tamed (pct_cli_tame). */
void pct_cli_put(FILE *file, const char *text);
/* A piece of what a model says: to a terminal tamed, else as it is. */
void pct_cli_say(const char *text);
/* A line on stderr; nothing with --quiet. */
void pct_cli_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A percept_progress_fn. True after a signal. */
bool pct_cli_progress(void *context, const percept_progress *progress);
/* The same for work that shows itself: only the question whether to stop. */
bool pct_cli_stopped(void *context, const percept_progress *progress);
/* Ends a bar that is on the terminal. Call before other output and at the end of a job. */
void pct_cli_progress_end(void);
/* A percept_log_fn: warnings unless --quiet, the rest with --verbose. */
void pct_cli_log(void *context, percept_log_level level, const char *message);

/* Flushes stdout. PERCEPT_OK also when the reader of a pipe has gone (there is nobody to tell); RESOURCE when what was
 * printed could not be written. */
percept_status pct_cli_flush(percept_error *error);
/* True when stdout cannot take more: stop working for it. */
bool pct_cli_output_closed(void);

#endif

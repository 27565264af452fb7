/* terminal.c: see terminal.h. */
#include "cli/terminal.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* The one place of the program with state of its own: a process has one terminal and one Ctrl-C. */
static struct {
    bool quiet, verbose, bar;
    bool bar_shown;
    time_t line_time;
    const char *line_stage;
    atomic_bool interrupted, gentle; /* gentle: the first signal is only noted */
    _Atomic(percept_session *) session;
} terminal;

static void on_signal(int number) {
    const bool again = atomic_exchange(&terminal.interrupted, true);
    if (atomic_load(&terminal.gentle) && !again) return;
    percept_session *session = atomic_load(&terminal.session);
    if (session) percept_session_cancel(session);
    signal(number, SIG_DFL);
}

void pct_cli_terminal_start(const pct_cli_settings *settings) {
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
    bool dumb = !term || strcmp(term, "dumb") == 0;
    terminal.quiet = settings->quiet;
    terminal.verbose = settings->verbose;
    terminal.bar = !settings->no_color && !(no_color && *no_color) && !dumb && isatty(STDERR_FILENO);
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

void pct_cli_interrupt_again(void) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    atomic_store(&terminal.gentle, true);
    atomic_store(&terminal.interrupted, false);
    sigaction(SIGINT, &action, NULL);
}

bool pct_cli_interrupted(void) { return atomic_load(&terminal.interrupted); }

void pct_cli_cancel_on_signal(percept_session *session) {
    atomic_store(&terminal.session, session);
    if (session && pct_cli_interrupted()) percept_session_cancel(session);
}

void pct_cli_put(FILE *file, const char *text) {
    char part[1024];
    while (*text) { /* in parts that end between characters */
        size_t length = strnlen(text, sizeof part - 1);
        while (text[length] && length > 1 && ((unsigned char)text[length] & 0xc0) == 0x80) length--;
        memcpy(part, text, length);
        part[length] = 0;
        pct_cli_tame(part, true);
        fputs(part, file);
        text += length;
    }
}

void pct_cli_say(const char *text) {
    if (isatty(STDOUT_FILENO))
        pct_cli_put(stdout, text);
    else
        fputs(text, stdout);
    fflush(stdout);
}

void pct_cli_warn(const char *format, ...) {
    if (terminal.quiet) return;
    pct_cli_progress_end();
    char text[1200];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    pct_cli_tame(text, false);
    fprintf(stderr, "percept: %s\n", text);
}

void pct_cli_log(void *context, percept_log_level level, const char *message) {
    (void)context;
    if (level == PERCEPT_LOG_WARNING ? terminal.quiet : !terminal.verbose) return;
    pct_cli_progress_end();
    fputs("percept: ", stderr);
    pct_cli_put(stderr, message);
    fputc('\n', stderr);
}

/* "1:02:03", "4:05" */
static void format_time(char *out, size_t size, double seconds) {
    long whole = seconds > 0 && seconds < 1e8 ? (long)(seconds + 0.5) : 0;
    if (whole >= 3600)
        snprintf(out, size, "%ld:%02ld:%02ld", whole / 3600, whole / 60 % 60, whole % 60);
    else
        snprintf(out, size, "%ld:%02ld", whole / 60, whole % 60);
}

/* "train 120/5000 step, 3.2/s, 25:10 left" */
static void format_progress(char *out, size_t size, const percept_progress *p) {
    char left[32];
    int length = snprintf(out, size, "%s %lld", p->stage, (long long)p->done);
    if (p->total > 0) length += snprintf(out + length, size - (size_t)length, "/%lld", (long long)p->total);
    length += snprintf(out + length, size - (size_t)length, " %s", p->unit);
    if (p->rate > 0) length += snprintf(out + length, size - (size_t)length, ", %.*f/s", p->rate < 10 ? 2 : 0, p->rate);
    if (p->seconds_left >= 0 && p->total > 0) {
        format_time(left, sizeof left, p->seconds_left);
        snprintf(out + length, size - (size_t)length, ", %s left", left);
    }
}

static void show_bar(const percept_progress *p) {
    enum { cells = 24 };
    char text[200], bar[cells + 1];
    format_progress(text, sizeof text, p);
    int full = p->total > 0 ? (int)(p->done * cells / p->total) : 0;
    for (int i = 0; i < cells; i++) bar[i] = i < full ? '#' : '.';
    bar[cells] = 0;
    if (p->message) {
        fputs("\r\033[K", stderr);
        pct_cli_put(stderr, p->message);
        fputc('\n', stderr);
    }
    fprintf(stderr, "\r\033[K[%s] %s", bar, text);
    fflush(stderr);
    terminal.bar_shown = true;
}

/* A line for every message, else at most one in ten seconds, and one at the end. */
static void show_line(const percept_progress *p) {
    char text[200];
    time_t now = time(NULL);
    bool ended = p->total > 0 && p->done == p->total;
    bool same = terminal.line_stage && strcmp(terminal.line_stage, p->stage) == 0;
    if (!p->message && !ended && same && now - terminal.line_time < 10) return;
    terminal.line_time = now;
    terminal.line_stage = p->stage;
    format_progress(text, sizeof text, p);
    fputs(text, stderr);
    if (p->message) fputs(": ", stderr);
    if (p->message) pct_cli_put(stderr, p->message);
    fputc('\n', stderr);
}

bool pct_cli_progress(void *context, const percept_progress *progress) {
    (void)context;
    if (!terminal.quiet) {
        if (terminal.bar)
            show_bar(progress);
        else
            show_line(progress);
    }
    return pct_cli_interrupted();
}

bool pct_cli_stopped(void *context, const percept_progress *progress) {
    (void)context;
    (void)progress;
    return pct_cli_interrupted();
}

void pct_cli_progress_end(void) {
    if (!terminal.bar_shown) return;
    fputc('\n', stderr);
    terminal.bar_shown = false;
}

bool pct_cli_output_closed(void) { return ferror(stdout) != 0; }

percept_status pct_cli_flush(percept_error *error) {
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout)) return PERCEPT_OK;
    if (errno == EPIPE) return PERCEPT_OK;
    /* an earlier write may have failed with errno long gone: a pipe tells again */
    if (errno == 0 && fputc('\n', stdout) != EOF) fflush(stdout);
    if (errno == EPIPE) return PERCEPT_OK;
    return pct_cli_fail(error, PERCEPT_ERROR_RESOURCE, "standard output: cannot be written: %s",
                        strerror(errno ? errno : EIO));
}

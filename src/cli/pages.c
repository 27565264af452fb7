/* pages.c: the manual page and the shell completion, made of the tables that help is made of. */
#include "cli/command.h"

#include <stdio.h>

/* ---- manual page: roff with the man macros ---------------------------------------------------------------------- */

/* Text as it reads: no escapes, no macro at the beginning of a line, hyphens that can be copied as such. */
static void put_roff(const char *text, bool at_start) {
    for (; *text; text++) {
        if (at_start && (*text == '.' || *text == '\'')) fputs("\\&", stdout);
        if (*text == '\\')
            fputs("\\e", stdout);
        else if (*text == '-')
            fputs("\\-", stdout);
        else
            putchar(*text);
        at_start = *text == '\n';
    }
}

static void put_line(const char *text) {
    put_roff(text, true);
    putchar('\n');
}

static void put_option(pct_cli_option option) {
    const pct_cli_option_text row = pct_cli_get_option(option);
    fputs(".TP\n", stdout);
    if (row.letter) printf("\\fB\\-%c\\fR, ", row.letter);
    fputs("\\fB\\-\\-", stdout);
    put_roff(row.name, false);
    fputs("\\fR", stdout);
    if (row.value) {
        fputs(" \\fI", stdout);
        put_roff(row.value, false);
        fputs("\\fR", stdout);
    }
    putchar('\n');
    put_line(row.help);
}

static void put_options(uint64_t options) {
    for (int i = 0; i < PCT_CLI_OPTION_COUNT; i++)
        if (options & PCT_CLI_BIT(i)) put_option((pct_cli_option)i);
}

/* Details keep their lines: they hold examples. */
static void put_command(const pct_cli_command *command) {
    printf(".SS \"percept %s\"\n.B percept ", command->name);
    put_roff(command->name, false);
    putchar(' ');
    put_line(command->arguments);
    fputs(".PP\n", stdout);
    put_line(command->summary);
    if (command->details) {
        fputs(".PP\n.nf\n", stdout);
        put_line(command->details);
        fputs(".fi\n", stdout);
    }
    if (command->takes_config) {
        put_line("Any key of the config can be given as an option: --section.key VALUE.");
    }
    put_options(command->options & ~PCT_CLI_GENERAL);
}

void pct_cli_print_manual(void) {
    static const struct {
        int code;
        const char *meaning;
    } exits[] = {{PCT_EXIT_DONE, "done, also when nothing was found"},
                 {PCT_EXIT_EMPTY, "nothing was found, under --fail-empty"},
                 {PCT_EXIT_USAGE, "wrong usage"},
                 {PCT_EXIT_INPUT, "an input is missing or cannot be read, or a picture, data or a config is malformed"},
                 {PCT_EXIT_MODEL, "a model file is malformed or not for this program"},
                 {PCT_EXIT_RESOURCE, "out of memory or disk, or an output cannot be written"},
                 {PCT_EXIT_WORK, "the work itself failed: a training diverged, a processor is not supported"},
                 {PCT_EXIT_INTERRUPTED, "interrupted"}};
    printf(".TH PERCEPT 1 \"\" \"percept %s\" \"User Commands\"\n", percept_version());
    fputs(".SH NAME\npercept \\- points at what words mean in a picture\n.SH SYNOPSIS\n"
          ".B percept\n.I COMMAND\n[options] [arguments]\n.SH DESCRIPTION\n",
          stdout);
    put_line("Asks a vision-language model about pictures; answers have words, boxes and masks.\n"
             "Trains, fine-tunes and evaluates such models as well.");
    fputs(".PP\nExample:\n.PP\n.nf\n", stdout);
    put_line("    percept ask photo.jpg \"where is the red cup?\" --overlay seen.png");
    fputs(".fi\n.SH COMMANDS\n", stdout);
    for (const pct_cli_command *const *at = pct_cli_commands; *at; at++) put_command(*at);
    fputs(".SH \"OPTIONS OF ALL COMMANDS\"\n", stdout);
    put_options(PCT_CLI_GENERAL);
    fputs(".SH ENVIRONMENT\n", stdout);
    put_line(PCT_CLI_ENVIRONMENT);
    fputs(".SH \"EXIT STATUS\"\n", stdout);
    for (size_t i = 0; i < sizeof exits / sizeof *exits; i++) {
        printf(".TP\n%d\n", exits[i].code);
        put_line(exits[i].meaning);
    }
}

/* ---- completion ---------------------------------------------------------------------------------------------------
 */

static void put_choices(void) {
    for (int i = 0; i < PCT_CLI_OPTION_COUNT; i++) {
        const pct_cli_option_text row = pct_cli_get_option((pct_cli_option)i);
        if (!row.choices) continue;
        printf("    --%s) COMPREPLY=($(compgen -W '", row.name);
        for (const char *const *at = row.choices; *at; at++) printf("%s%s", at == row.choices ? "" : " ", *at);
        puts("' -- \"$word\")); return ;;");
    }
}

void pct_cli_print_completion(void) {
    puts("# percept's completion for bash, printed by: percept help bash\n"
         "_percept() {\n"
         "  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} options=\n"
         "  COMPREPLY=()\n"
         "  case $before in");
    put_choices();
    fputs("  esac\n  local commands='", stdout);
    for (const pct_cli_command *const *at = pct_cli_commands; *at; at++)
        printf("%s%s", at == pct_cli_commands ? "" : " ", (*at)->name);
    puts("'\n"
         "  if [ \"$COMP_CWORD\" = 1 ]; then\n"
         "    COMPREPLY=($(compgen -W \"$commands\" -- \"$word\"))\n"
         "    return\n"
         "  fi\n"
         "  case ${COMP_WORDS[1]} in\n"
         "    help) COMPREPLY=($(compgen -W \"$commands man bash\" -- \"$word\")); return ;;");
    for (const pct_cli_command *const *at = pct_cli_commands; *at; at++) {
        printf("    %s) options='", (*at)->name);
        const uint64_t options = (*at)->options | PCT_CLI_GENERAL;
        bool first = true;
        for (int i = 0; i < PCT_CLI_OPTION_COUNT; i++) {
            if (!(options & PCT_CLI_BIT(i))) continue;
            printf("%s--%s", first ? "" : " ", pct_cli_get_option((pct_cli_option)i).name);
            first = false;
        }
        puts("' ;;");
    }
    puts("  esac\n"
         "  [[ $word == -* ]] && COMPREPLY=($(compgen -W \"$options\" -- \"$word\"))\n"
         "}\n"
         "complete -o default -F _percept percept");
}

/* bench_report.c: the speed measurement as JSON and as a table. See bench.h and docs/interface.md. */
#include "base/cpu.h"
#include "engine/bench.h"
#include "formats/json.h"

#include <math.h>

static void add_number(pct_text *text, const char *key, double value) {
    pct_text_printf(text, "\"%s\": ", key);
    pct_text_number(text, rint(value * 1e4) / 1e4);
}

static void add_peak(pct_text *text, const char *key, double flops) {
    if (flops > 0)
        add_number(text, key, flops * 1e-9);
    else
        pct_text_printf(text, "\"%s\": null", key);
    pct_text_puts(text, ", ");
}

static void add_stage(pct_text *text, const pct_bench_result *r) {
    add_number(text, "ms", r->ms);
    pct_text_puts(text, ", ");
    add_number(text, "rate", r->rate);
    pct_text_printf(text, ", \"unit\": \"%s\", ", r->unit);
    add_number(text, "gflop", r->flop * 1e-9);
    pct_text_puts(text, ", ");
    add_number(text, "gflops", r->flop / r->ms * 1e-6);
    pct_text_puts(text, ", ");
    add_number(text, "gbytes", r->bytes * 1e-9);
    pct_text_printf(text, ", \"bound\": \"%s\", ", r->memory_bound ? "memory" : "compute");
    add_number(text, "share", r->share);
}

void pct_bench_json(const pct_bench *b, pct_text *text) {
    pct_text_puts(text, "{\"schema\": 1, \"model\": ");
    pct_json_add_text(text, b->model ? pct_model_get_card(b->model)->name : b->shape->name);
    pct_text_printf(text, ", \"parameters\": %lld, \"threads\": %d, \"cpu\": \"%s\", \"peak\": {",
                    (long long)b->work.parameters, pct_pool_threads(b->pool),
                    pct_cpu_flags_text(b->compute->kernels.cpu_flags));
    add_number(text, "gflops_f32", b->peak.f32 * 1e-9);
    pct_text_puts(text, ", ");
    add_peak(text, "gflops_bf16", b->peak.bf16);
    add_peak(text, "gflops_int8", b->peak.int8);
    add_number(text, "memory_gbytes_s", b->peak.memory * 1e-9);
    pct_text_puts(text, ", ");
    add_number(text, "cached_gbytes_s", b->peak.cached * 1e-9);
    pct_text_puts(text, "}, \"stages\": {");
    bool first = true;
    for (int i = 0, n = pct_bench_stage_count(b->shape); i < n; i++) {
        const pct_bench_result *r = &b->results[i];
        if (r->ms <= 0) continue;
        pct_text_printf(text, "%s\"%s\": {", first ? "" : ", ", b->shape->stages[i].name);
        add_stage(text, r);
        pct_text_puts(text, "}");
        first = false;
    }
    pct_text_puts(text, "}, \"peak_resident_mb\": ");
    pct_text_number(text, rint((double)b->resident * 1e-5) / 10);
    pct_text_puts(text, "}");
}

void pct_bench_table(const pct_bench *b, pct_text *text) {
    pct_text_printf(text, "%d threads, %s; peak: ", pct_pool_threads(b->pool),
                    pct_cpu_flags_text(b->compute->kernels.cpu_flags));
    if (b->peak.int8 > 0) pct_text_printf(text, "%.0f GFLOP/s in INT8, ", b->peak.int8 * 1e-9);
    if (b->peak.bf16 > 0) pct_text_printf(text, "%.0f GFLOP/s in BF16, ", b->peak.bf16 * 1e-9);
    pct_text_printf(text, "%.0f GFLOP/s in F32; reading %.1f GB/s, %.1f what is cached\n", b->peak.f32 * 1e-9,
                    b->peak.memory * 1e-9, b->peak.cached * 1e-9);
    bool any = false;
    for (int i = 0, n = pct_bench_stage_count(b->shape); i < n; i++) {
        const pct_bench_result *r = &b->results[i];
        if (r->ms <= 0) continue;
        if (!any)
            pct_text_printf(text, "%-11s%10s%10s%11s%9s  %-17s%22s  %s\n", "stage", "ms", "GFLOP", "GFLOP/s", "MB",
                            "of the peak", "rate", "what");
        any = true;
        pct_text_printf(text, "%-11s%10.2f%10.3f%11.1f%9.1f  %3.0f%% of %-9s%10.1f %-11s  %s\n",
                        b->shape->stages[i].name, r->ms, r->flop * 1e-9, r->flop / r->ms * 1e-6, r->bytes * 1e-6,
                        r->share * 100, r->memory_bound ? "reading" : "computing", r->rate, r->unit,
                        b->shape->stages[i].what);
    }
    pct_text_printf(text, "largest memory %.1f MB\n", (double)b->resident * 1e-6);
}

// What Python calls. Each gives 0, or 1 if there was not the memory.
#pragma once
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("ira-region=all")  // or sums are kept in memory inside the innermost loops, where registers are free
#endif
#include <algorithm>
#include <cstring>
#include <new>
#include <vector>
#include "backward.h"
#include "forward.h"
#include "team.h"

#define EXPORT extern "C" __attribute__((visibility("default")))

EXPORT int64_t call_size() { return sizeof(Call); }

static Packed layout(const Call& c, bool heavy, P* memory) {
    Packed packed{memory, nullptr, HALVES && (heavy || REGISTERS < 32) && c.batch > MOST_ROWS ? 2 : GATES};
    packed.projection = memory + panels_of(c) * packed.panel_size(c);
    return packed;
}
static int64_t weights_of(const Call& c) { return panels_of(c) * LANES * GATES * panel_rows(c); }
// Whether the input product is made for several steps at once: where the weights of both would not stay near the core, or the rows of
// one step are too few to be worth reading them.
static bool inputs_apart(const Call& c) {
    const int64_t bytes = weights_of(c) * int64_t(sizeof(P));
    return c.input * 8 > c.hidden && (bytes > (1 << 20) || (c.batch <= 4 && bytes > (1 << 15)));
}
static Plan forward_plan(const Call& c) {
    return plan(c, panels_of(c) * LANES * GATES * (read_width(c) + (inputs_apart(c) ? 0 : c.input)));
}

EXPORT int64_t packed_size(const Call* c) {
    return weights_of(*c) + (c->weight_projection ? ceil_div(c->output, LANES) * LANES * in_pairs(c->hidden) : 0);
}
EXPORT int pack(const Call* c) {
    const Packed packed = layout(*c, forward_plan(*c).heavy, c->packed);
    packed.pack(*c, {0, panels_of(*c)});
    if (c->weight_projection) packed.pack_projection(*c, {0, ceil_div(c->output, LANES)});
    return 0;
}

EXPORT int forward(const Call* given) try {
    const Widened widened(*given);
    const Call& c = widened.call;
    if (!c.batch) return 0;
    const Plan planned = forward_plan(c);
    const bool by_dots = !c.packed && c.time * c.batch <= 3;
    const int64_t rows_at_once = 192;  // enough for the input's weights to be worth the way
    const bool apart = !by_dots && c.time > 1 && inputs_apart(c);
    const int64_t steps = apart ? std::max<int64_t>(1, std::min(c.time, rows_at_once / c.batch)) : 0;
    const int64_t of_packed = c.packed ? 0 : room(packed_size(given));
    Scratch scratch(of_packed + (apart && !c.saves ? steps * c.batch * GATES * c.hidden : 0));
    const Forward work{c, layout(c, planned.heavy, c.packed ? c.packed : (P*)scratch.get()), {steps, c.saves ? nullptr : scratch.get() + of_packed}, by_dots};
    const std::vector<int32_t> rows = longest_first(c);
    Barrier barrier;
    together(c.pool, planned.threads, [&](int id, int size) {
        work.run(part_of(c, rows, planned.by_units, id, size), planned.by_units, id, size, barrier);
    });
    keep_last(c);
    return 0;
} catch (const std::bad_alloc&) {
    return 1;
}

EXPORT int backward(const Call* given) try {
    const Widened widened(*given);
    const Call& c = widened.call;
    const int64_t columns = read_width(c), products = GATES * c.hidden;
    const Plan planned = plan(c, products * std::max<int64_t>(columns, 1));
    const int64_t rows_at_once = 96;  // enough for the sums over them to be worth the way; longer ones would gather more roundings
    const int64_t chunk = rows_at_once * (planned.by_units ? 1 : planned.threads) / std::max<int64_t>(c.batch, 1);
    const int64_t steps = c.grad_preactivations ? c.time : std::max<int64_t>(1, std::min(c.time, chunk));
    Backward work{c, {}, {c.weight_x, c.input, c.input, products, 1, {0}, products * c.input * int64_t(sizeof(P)) > (3 << 19), nullptr},
                  {c.weight_projection, c.hidden, c.hidden, c.output, 1, {0}, false, nullptr}, steps, nullptr, nullptr, nullptr, nullptr};
    int64_t column = 0, total = 0;
    for (int q = 0; q < SOURCES; ++q) {
        const int64_t width = width_of(c, Cell::source[q]);
        Spread& one = work.recurrent[q];
        one = {c.weight_h + column, columns, width, c.hidden, GATES, {}, planned.heavy, nullptr};
        for (int g = 0; g < GATES; ++g) one.segment[g] = Cell::u_preactivation[g] * c.hidden;
        column += width;
        total += room(one.size());
    }
    const int64_t of_input = c.grad_x ? room(work.input.size()) : 0, of_projection = c.weight_projection ? room(work.projection.size()) : 0;
    const int64_t of_preactivations = c.grad_preactivations ? 0 : room(steps * c.batch * PREACTIVATIONS * c.hidden);
    const int64_t of_output = c.weight_projection && !c.grad_preactivations ? room(steps * c.batch * c.output) : 0;
    Scratch scratch(total + of_input + of_projection + of_preactivations + of_output + c.batch * c.hidden + work.sums_size(planned.by_units) * planned.threads);
    T* place = scratch.get();
    for (int q = 0; q < SOURCES; ++q) work.recurrent[q].packed = (P*)place, place += room(work.recurrent[q].size());
    work.input.packed = (P*)place, place += of_input;
    work.projection.packed = (P*)place, place += of_projection;
    work.preactivations = c.grad_preactivations ? c.grad_preactivations : (P*)place, place += of_preactivations;
    work.projected = c.grad_preactivations ? c.grad_projected : (P*)place, place += of_output;
    work.by_output = place, place += c.batch * c.hidden;
    work.sums = place;
    const std::vector<int32_t> rows = longest_first(c);
    Barrier barrier;
    together(c.pool, planned.threads, [&](int id, int size) {
        work.run(part_of(c, rows, planned.by_units, id, size), planned.by_units, id, size, barrier);
    });
    return 0;
} catch (const std::bad_alloc&) {
    return 1;
}

// Every value of every step, out of what a forward call kept. to: for each site (time, batch, hidden).
EXPORT int sites(const Call* given, T* const* to) try {
    const Widened widened(*given);
    const Call& c = widened.call;
    together(c.pool, plan(c, 64 * c.hidden).threads, [&](int id, int size) {
        const Range places = share(c.time * c.batch, id, size);
        for (int64_t place = places.begin; place < places.end; ++place) {
            const int64_t t = place / c.batch, row = place % c.batch;
            if (c.lengths && t >= c.lengths[row]) continue;
            for (int64_t unit = 0; unit < c.hidden; unit += LANES) {
                const int64_t left = c.hidden - unit;
                V s[STATES], p[PARAMETERS + 1], k[PREACTIVATIONS], seen[Cell::sites_count];
                for (int i = 0; i < PREACTIVATIONS; ++i) k[i] = load(c.saved + ((step_at(c, t) + row) * PREACTIVATIONS + i) * c.hidden + unit, left);
                for (int i = 0; i < STATES; ++i) s[i] = Cell::sites_reads[i] ? load(before(c, i, t, row) + unit, left) : V{};
                for (int i = 0; i < PARAMETERS; ++i) p[i] = parameter_at(c, i, t, row, unit);
                Cell::sites(k, s, p, seen);
                for (int i = 0; i < Cell::sites_count; ++i) store(to[i] + place * c.hidden + unit, seen[i], left);
            }
        }
    });
    return 0;
} catch (const std::bad_alloc&) {
    return 1;
}

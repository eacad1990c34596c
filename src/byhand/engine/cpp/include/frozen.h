// A forward pass over weights that were packed once, in low precision: products of words, sums and states as in kernel.h.
#pragma once
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("ira-region=all")  // or sums are kept in memory inside the innermost loops, where registers are free
#endif
#include <cstring>
#include <new>
#include <vector>
#include "forward.h"
#include "team.h"
#include "words.h"

#define EXPORT extern "C" __attribute__((visibility("default")))

EXPORT int64_t call_size() { return sizeof(Call); }

static INLINE int64_t words_of(int64_t count) { return ceil_div(count, MANY); }
static INLINE int64_t read_words(const Call& c) { return SOURCES ? words_of(c.output) : 0; }

// Of one product, W·x or U·h, for LANES units: of each gate the scales and what is to be taken off the sums; then the words, [k][gate][lane].
struct Half {
    static constexpr int64_t HEAD = 2 * GATES * LANES;
    const int32_t* place;
    V scale(int g) const { return *(const Loose*)(place + g * LANES); }
    M off(int g) const { return *(LooseWords*)(place + (GATES + g) * LANES); }
    const int32_t* words() const { return place + HEAD; }
    static int64_t size(int64_t words) { return HEAD + words * GATES * LANES; }
};
static int64_t panel_size(const Call& c) { return Half::size(words_of(c.input)) + Half::size(read_words(c)); }
static Half input_half(const Call& c, const int32_t* packed, int64_t panel) { return {packed + panel * panel_size(c)}; }
static Half state_half(const Call& c, const int32_t* packed, int64_t panel) {
    return {packed + panel * panel_size(c) + Half::size(words_of(c.input))};
}

static void pack_half(const Call& c, const T* weights, int64_t columns, int64_t panel, int32_t* place) {
    const int64_t words = words_of(columns);
    std::vector<int32_t> row(words + 1);
    for (int g = 0; g < GATES; ++g)
        for (int lane = 0; lane < LANES; ++lane) {
            const int64_t unit = panel * LANES + lane;
            int32_t total = 0;
            T scale = 0;
            std::fill(row.begin(), row.end(), 0);
            if (unit < c.hidden) scale = write_words(weights + (g * c.hidden + unit) * columns, columns, row.data(), 0, &total);
            ((T*)place)[g * LANES + lane] = scale;
            place[(GATES + g) * LANES + lane] = total * OFFSET;
            for (int64_t k = 0; k < words; ++k) place[Half::HEAD + (k * GATES + g) * LANES + lane] = row[k];
        }
}

EXPORT int64_t packed_size(const Call* c) { return panels_of(*c) * panel_size(*c); }
EXPORT int pack(const Call* c) try {
    int32_t* packed = (int32_t*)c->packed;
    for (int64_t panel = 0; panel < panels_of(*c); ++panel) {
        pack_half(*c, c->weight_x, c->input, panel, (int32_t*)input_half(*c, packed, panel).place);
        if (SOURCES) pack_half(*c, c->weight_h, c->output, panel, (int32_t*)state_half(*c, packed, panel).place);
    }
    return 0;
} catch (const std::bad_alloc&) {
    return 1;
}

// Rows in words, with their scales.
struct Rows {
    int64_t words;
    std::vector<int32_t> memory;
    std::vector<T> scales;
    void reserve(int64_t count) { memory.resize(count * words), scales.resize(count); }
    void put(int64_t index, const T* from, int64_t count) { scales[index] = write_words(from, count, memory.data() + index * words, OFFSET); }
    const int32_t* row(int64_t index) const { return memory.data() + index * words; }
};

// The products of some rows with PANELS panels, in numbers: to(r, panel, gate, value).
template <int ROWS, int PANELS, class To>
static INLINE void multiply_words(const Rows& rows, int64_t first, int there, Half half, int64_t stride, To&& to) {
    Sum acc[ROWS][PANELS][GATES] = {};
    const int32_t *from[ROWS], *weights = half.words();
    UNROLL
    for (int r = 0; r < ROWS; ++r) from[r] = rows.row(first + std::min(r, there - 1));
    for (int64_t k = 0; k < rows.words; ++k, weights += GATES * LANES) {
        M value[ROWS];
        UNROLL
        for (int r = 0; r < ROWS; ++r) value[r] = spread_word(from[r][k]);
        UNROLL
        for (int p = 0; p < PANELS; ++p)
            UNROLL
            for (int g = 0; g < GATES; ++g) {
                const M weight = *(LooseWords*)(weights + p * stride + g * LANES);
                UNROLL
                for (int r = 0; r < ROWS; ++r) add_words(acc[r][p][g], weight, value[r]);
            }
    }
    UNROLL
    for (int p = 0; p < PANELS; ++p) {
        const Half at{half.place + p * stride};
        UNROLL
        for (int g = 0; g < GATES; ++g) {
            UNROLL
            for (int r = 0; r < ROWS; ++r) {
#ifdef FROZEN_INT8
                const V value = __builtin_convertvector(acc[r][p][g] - at.off(g), V) * (at.scale(g) * rows.scales[first + std::min(r, there - 1)]);
#else
                const V value = acc[r][p][g];
#endif
                if (r < there) to(r, p, g, value);
            }
        }
    }
}

constexpr int ROWS_AT_ONCE = GATES > 12 ? 1 : 24 / GATES;

struct Frozen {
    const Call& c;
    const int32_t* packed;
    int64_t steps;  // whose input products are made at once
    T* products;    // (steps · batch, gates · hidden): W·x and its bias

    T* products_of(int64_t step, int64_t row) const { return products + (step % steps * c.batch + row) * GATES * c.hidden; }

    void run(const Part& part, bool by_units, int id, int size, Barrier& barrier) const {
        Rows inputs{words_of(c.input), {}, {}}, states{read_words(c), {}, {}};
        inputs.reserve(part.rows.size() * steps), states.reserve(part.rows.size());
        std::vector<T*> places;
        const Range projecting = by_units ? share(ceil_div(c.output, LANES), id, size) : Range{0, ceil_div(c.output, LANES)};
        for (int64_t step = 0; step < c.time; ++step) {
            const int64_t t = c.reverse ? c.time - 1 - step : step, count = part.going_on(c, t);
            if (step % steps == 0) multiply_inputs(part, step, inputs, places);
            for (int64_t r = 0; r < count && SOURCES; ++r) states.put(r, before(c, 0, t, part.rows[r]), c.output);
            in_blocks_of_panels(part, count, [&](auto panels, int64_t panel, auto rows, int64_t first, int there) {
                make_states<rows(), panels()>(step, t, panel, states, part.rows.data(), first, there);
            });
            if (c.weight_projection) {
                if (by_units) barrier.meet(size);
                for (int64_t panel = projecting.begin; panel < projecting.end; ++panel) project(t, panel, part.rows, count);
            }
            if (by_units) barrier.meet(size);
        }
    }

  private:
    // A few rows with several panels at a time, many with one: enough sums to keep the processor busy.
    template <class Function>
    void in_blocks_of_panels(const Part& part, int64_t count, Function&& function) const {
        int64_t panel = part.begin;
        const auto with = [&](auto panels, auto most) {
            for (; panel + panels() <= part.end; panel += panels())
                in_blocks<most()>(count, [&](int there, int64_t first) {
                    with_rows<most(), 1>(there, [&](auto rows) { function(panels, panel, rows, first, there); });
                });
        };
        using std::integral_constant;
        if (GATES <= 6 && count <= 1) with(integral_constant<int, 4>(), integral_constant<int, 1>());
        if (GATES <= 6 && count <= 2) with(integral_constant<int, 2>(), integral_constant<int, 2>());
        with(integral_constant<int, 1>(), integral_constant<int, ROWS_AT_ONCE>());
    }

    void multiply_inputs(const Part& part, int64_t step, Rows& inputs, std::vector<T*>& places) const {
        places.clear();
        for (int64_t next = step; next < std::min(c.time, step + steps); ++next) {
            const int64_t t = c.reverse ? c.time - 1 - next : next, count = part.going_on(c, t);
            for (int64_t r = 0; r < count; ++r) {
                inputs.put(int64_t(places.size()), c.x + (step_at(c, t) + part.rows[r]) * c.input, c.input);
                places.push_back(products_of(next, part.rows[r]));
            }
        }
        in_blocks_of_panels(part, int64_t(places.size()), [&](auto panels, int64_t panel, auto rows, int64_t first, int there) {
            multiply_words<rows(), panels()>(inputs, first, there, input_half(c, packed, panel), panel_size(c), [&](int r, int p, int g, V value) {
                const int64_t unit = (panel + p) * LANES;
                store(places[first + r] + g * c.hidden + unit, value + bias_of(c, g, unit, true, true), c.hidden - unit);
            });
        });
    }

    template <int ROWS, int PANELS>
    void make_states(int64_t step, int64_t t, int64_t panel, const Rows& states, const int32_t* rows, int64_t first, int there) const {
        V preactivations[PANELS][ROWS * PREACTIVATIONS];
        for (int p = 0; p < PANELS; ++p) {
            const int64_t unit = (panel + p) * LANES;
            for (int r = 0; r < there; ++r) {
                const T* made = products_of(step, rows[first + r]) + unit;
                V* to = preactivations[p] + r * PREACTIVATIONS;
                UNROLL
                for (int s = 0; s < PREACTIVATIONS; ++s) to[s] = s < GATES ? load(made + s * c.hidden, c.hidden - unit) : bias_of(c, s, unit, false, true);
            }
        }
        if constexpr (SOURCES > 0)
            multiply_words<ROWS, PANELS>(states, first, there, state_half(c, packed, panel), panel_size(c), [&](int r, int p, int g, V value) {
                preactivations[p][r * PREACTIVATIONS + Cell::u_preactivation[g]] += value;
            });
        for (int p = 0; p < PANELS; ++p) step_rows(c, t, (panel + p) * LANES, rows + first, there, preactivations[p]);
    }

    // The projection stays as it is, in float.
    void project(int64_t t, int64_t panel, const std::vector<int32_t>& rows, int64_t count) const {
        for (int64_t r = 0; r < count; ++r) {
            const int64_t place = step_at(c, t) + rows[r];
            for (int64_t j = panel * LANES; j < std::min(c.output, (panel + 1) * LANES); ++j)
                history_at(c, 0, t)[rows[r] * c.output + j] = dot(c.weight_projection + j * c.hidden, c.unprojected + place * c.hidden, c.hidden);
        }
    }
};

static Plan frozen_plan(const Call& c) {
    const int64_t words = panels_of(c) * LANES * GATES * (words_of(c.input) + read_words(c)), step_work = words * c.batch;
    const int threads = int(std::max<int64_t>(1, std::min<int64_t>(c.threads, step_work * c.time / 50000)));
    const bool heavy = words * 4 > (1 << 19);
    if (threads > 1 && panels_of(c) >= threads && (heavy || c.batch < 4 * threads) && step_work > 8192 * threads) return {threads, true, heavy};
    return {int(std::max<int64_t>(1, std::min<int64_t>(threads, c.batch))), false, heavy};
}

EXPORT int forward(const Call* given) try {
    const Call& c = *given;
    if (!c.batch) return 0;
    const Plan planned = frozen_plan(c);
    const int64_t rows_at_once = 96;  // enough for the input's weights to be worth the way
    const int64_t steps = std::max<int64_t>(1, std::min(c.time, rows_at_once / c.batch));
    Scratch scratch(steps * c.batch * GATES * c.hidden);
    const Frozen work{c, (const int32_t*)c.packed, steps, scratch.get()};
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

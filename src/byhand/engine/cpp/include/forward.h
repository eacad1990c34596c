// Forward: the products that lead to LANES units' preactivations, and the step on them.
#pragma once
#include <algorithm>
#include <cstring>
#include <vector>
#include "products.h"
#include "team.h"

// Weights that come from afar are read two gates at a time, for twelve rows, where else it is all gates at a time for six. With half the
// registers it is two gates for six rows, and all for three.
constexpr bool HALVES = GATES == PREACTIVATIONS && GATES >= 4 && GATES % 2 == 0;
constexpr int MOST_ROWS = PREACTIVATIONS > SUMS / 2 ? 1 : PREACTIVATIONS > 2 ? SUMS / PREACTIVATIONS : SUMS / 2;

// How the input product is made: with the recurrent one, step by step; or, so that its weights are not fetched anew each step, for
// some steps at once.
struct Chunk {
    int64_t steps;  // 0: step by step
    T* products;    // (steps · batch, gates · hidden); 0: they go where they will be kept
    int64_t place(const Call& c, int64_t t, int64_t row) const {
        return products ? ((t % steps) * c.batch + row) * GATES * c.hidden : (step_at(c, t) + row) * PREACTIVATIONS * c.hidden;
    }
    T* base(const Call& c) const { return products ? products : c.saved; }
};

// The rows of a panel: those of the input, and of each state that the recurrent product reads.
static INLINE int64_t panel_rows(const Call& c) {
    int64_t total = in_pairs(c.input);
    for (int q = 0; q < SOURCES; ++q) total += in_pairs(width_of(c, Cell::source[q]));
    return total;
}

struct Packed {
    P *gates, *projection;
    int width;  // gates read at a time
    int64_t rows(const Call& c) const { return panel_rows(c); }
    int64_t panel_size(const Call& c) const { return rows(c) * GATES * LANES; }
    P* panel(const Call& c, int64_t index) const { return gates + index * panel_size(c); }
    // Of a panel: [gates / width][k][width][lane], k first over the input, then over what is read; pairs of k as one.
    void pack(const Call& c, Range range) const {
        const int64_t columns = read_width(c), stride = width * LANES;
        for (int64_t index = range.begin; index < range.end; ++index)
            for (int g = 0; g < GATES; ++g) {
                const int64_t unit = index * LANES, left = c.hidden - unit, row = g * c.hidden + unit;
                P* to = panel(c, index) + g / width * rows(c) * stride + g % width * LANES * PAIR;
                transpose(c.weight_x + row * c.input, c.input, std::min<int64_t>(left, LANES), c.input, to, stride);
                const P* from = c.weight_h + row * columns;
                to += in_pairs(c.input) * stride;
                for (int q = 0; q < SOURCES; ++q) {
                    const int64_t read = width_of(c, Cell::source[q]);
                    transpose(from, columns, std::min<int64_t>(left, LANES), read, to, stride);
                    from += read, to += in_pairs(read) * stride;
                }
            }
    }
    void pack_projection(const Call& c, Range range) const {
        for (int64_t index = range.begin; index < range.end; ++index)
            transpose(c.weight_projection + index * LANES * c.hidden, c.hidden, std::min<int64_t>(LANES, c.output - index * LANES), c.hidden,
                      projection + index * in_pairs(c.hidden) * LANES, LANES);
    }
};

// The step of some rows, for LANES units: preactivations -> new states.
static __attribute__((noinline)) void step_rows(const Call& c, int64_t t, int64_t unit, const int32_t* rows, int count, const V* preactivations) {
    const int64_t left = c.hidden - unit, base = step_at(c, t);
    T* history[STATES];
    UNROLL
    for (int i = 0; i < STATES; ++i) history[i] = history_at(c, i, t) + unit;
    for (int r = 0; r < count; ++r) {
        const int64_t row = rows[r], place = base + row;
        V s[STATES], p[PARAMETERS + 1], n[STATES], k[PREACTIVATIONS];
        UNROLL
        for (int i = 0; i < STATES; ++i)
            if (Cell::forward_reads[i]) s[i] = load(before(c, i, t, row) + unit, left);
        UNROLL
        for (int i = 0; i < PARAMETERS; ++i) p[i] = parameter_at(c, i, t, row, unit);
        Cell::forward(preactivations + r * PREACTIVATIONS, s, p, n, k);
        if (c.saves) {
            UNROLL
            for (int i = 0; i < PREACTIVATIONS; ++i) store(c.saved + (place * PREACTIVATIONS + i) * c.hidden + unit, k[i], left);
        }
        UNROLL
        for (int i = 0; i < STATES; ++i) {
            if (i == 0 && c.weight_projection)
                store(c.unprojected + place * c.hidden + unit, n[i], left);
            else
                store(history[i] + row * width_of(c, i), n[i], left);
            if (PAIR > 1 && c.rounded[i]) store(c.rounded[i] + place * width_of(c, i) + unit, n[i], left);
        }
    }
}

// The biases of preactivation s, of W·x, of U·h or of both.
static INLINE V bias_of(const Call& c, int s, int64_t unit, bool of_x, bool of_h) {
    V bias = {};
    UNROLL
    for (int g = 0; g < GATES; ++g) {
        if (of_x && Cell::x_preactivation[g] == s && c.bias_x) bias += load(c.bias_x + g * c.hidden + unit, c.hidden - unit);
        if (of_h && SOURCES && Cell::u_preactivation[g] == s && c.bias_h) bias += load(c.bias_h + g * c.hidden + unit, c.hidden - unit);
    }
    return bias;
}

// WIDTH gates from `first` on of LANES units, for some rows of step t. whole: all products; else those of the input are already there.
// Goes to preactivations[row][preactivation].
template <int ROWS, int WIDTH, int AHEAD>
static INLINE void gates_block(const Call& c, const Chunk& chunk, int64_t t, const P* panel, int first, int64_t unit, const int32_t* rows, int there,
                               V* preactivations) {
    constexpr bool all = WIDTH == GATES;  // then with preactivations for U·h alone, if there are any
    constexpr int count = all ? PREACTIVATIONS : WIDTH;
    int x_slot[WIDTH], u_slot[WIDTH];
    UNROLL
    for (int g = 0; g < WIDTH; ++g) x_slot[g] = all ? Cell::x_preactivation[g] : g, u_slot[g] = all && SOURCES ? Cell::u_preactivation[g] : g;
    V acc[ROWS][count];
    const bool made = chunk.steps;
    UNROLL
    for (int s = 0; s < count; ++s) {
        const V bias = bias_of(c, first + s, unit, !made, !made || first + s >= GATES);
        UNROLL
        for (int r = 0; r < ROWS; ++r) acc[r][s] = bias;
    }
    const P* from[ROWS];
    if (made) {
        panel += in_pairs(c.input) * WIDTH * LANES;
        UNROLL
        for (int r = 0; r < ROWS; ++r) {
            const T* at = chunk.base(c) + chunk.place(c, t, rows[std::min(r, there - 1)]) + unit;
            UNROLL
            for (int g = 0; g < WIDTH; ++g) acc[r][g] += load(at + (first + g) * c.hidden, c.hidden - unit);
        }
    } else {
        const P* x = c.x + step_at(c, t) * c.input;
        UNROLL
        for (int r = 0; r < ROWS; ++r) from[r] = x + rows[std::min(r, there - 1)] * c.input;
        multiply_in_pieces<AHEAD>(acc, x_slot, from, c.input, panel);
    }
    for (int q = 0; q < SOURCES; ++q) {
        const int64_t width = width_of(c, Cell::source[q]);
        const P* shared = shared_operand(c, Cell::source[q], t);
        UNROLL
        for (int r = 0; r < ROWS; ++r) {
            const int64_t row = rows[std::min(r, there - 1)];
            from[r] = shared ? shared + row * width : operand(c, Cell::source[q], t, row);
        }
        multiply_in_pieces<AHEAD>(acc, u_slot, from, width_of(c, Cell::source[q]), panel);
    }
    UNROLL
    for (int r = 0; r < ROWS; ++r)
        UNROLL
        for (int s = 0; s < count; ++s) preactivations[r * PREACTIVATIONS + first + s] = acc[r][s];
}

template <int ROWS, int WIDTH, int AHEAD>
static __attribute__((noinline)) void forward_block(const Call& c, const Chunk& chunk, int64_t t, const P* panel, int64_t unit, const int32_t* rows,
                                                    int there) {
    V preactivations[ROWS * PREACTIVATIONS];
    const int64_t pass = panel_rows(c) * WIDTH * LANES;
    for (int first = 0; first < GATES; first += WIDTH)
        gates_block<ROWS, WIDTH, AHEAD>(c, chunk, t, panel + first / WIDTH * pass, first, unit, rows, there, preactivations);
    step_rows(c, t, unit, rows, there, preactivations);
}

// W·x + b of LANES units and WIDTH gates from `first` on, for some places, that is steps and rows: (from, to) in values.
struct Place {
    int64_t from, to;
};
template <int ROWS, int WIDTH, int AHEAD>
static __attribute__((noinline)) void input_block(const Call& c, T* base, const P* panel, int first, int64_t unit, const Place* places, int there) {
    int preactivation[WIDTH];
    V acc[ROWS][WIDTH];
    UNROLL
    for (int g = 0; g < WIDTH; ++g) {
        const V bias = bias_of(c, first + g, unit, true, true);
        preactivation[g] = g;
        UNROLL
        for (int r = 0; r < ROWS; ++r) acc[r][g] = bias;
    }
    const P* from[ROWS];
    UNROLL
    for (int r = 0; r < ROWS; ++r) from[r] = c.x + places[std::min(r, there - 1)].from;
    multiply_in_pieces<AHEAD>(acc, preactivation, from, c.input, panel);
    UNROLL
    for (int r = 0; r < ROWS; ++r) {
        if (r >= there) break;
        UNROLL
        for (int g = 0; g < WIDTH; ++g) store(base + places[r].to + (first + g) * c.hidden + unit, acc[r][g], c.hidden - unit);
    }
}

// For next to no rows packing does not pay: the products as sums along the rows of the weights as they are.
static T dot(const P* a, const P* b, int64_t count) {
    constexpr int MANY = LANES * PAIR;
    V even = {}, odd = {};
    int64_t k = 0;
    for (; k + 2 * MANY <= count; k += 2 * MANY) {
        add_product(even, load_operand(a + k), load_operand(b + k));
        add_product(odd, load_operand(a + k + MANY), load_operand(b + k + MANY));
    }
    for (; k < count; k += MANY) add_product(even, load_operand(a + k, count - k), load_operand(b + k, count - k));
    return sum(even + odd);
}
static void dots(const Call& c, int64_t t, int64_t unit, int32_t row) {
    V preactivations[PREACTIVATIONS] = {};
    const int64_t columns = read_width(c);
    const P* read[SOURCES + 1];
    for (int q = 0; q < SOURCES; ++q) read[q] = operand(c, Cell::source[q], t, row);
    for (int g = 0; g < GATES; ++g)
        for (int lane = 0; lane < LANES && unit + lane < c.hidden; ++lane) {
            const int64_t j = g * c.hidden + unit + lane;
            const P* weight = c.weight_h + j * columns;
            T u = c.bias_h && SOURCES ? T(c.bias_h[j]) : T(0);
            for (int q = 0; q < SOURCES; ++q) {
                u += dot(weight, read[q], width_of(c, Cell::source[q]));
                weight += width_of(c, Cell::source[q]);
            }
            preactivations[Cell::x_preactivation[g]][lane] += (c.bias_x ? T(c.bias_x[j]) : T(0)) + dot(c.weight_x + j * c.input, c.x + (step_at(c, t) + row) * c.input, c.input);
            if (SOURCES) preactivations[Cell::u_preactivation[g]][lane] += u;
        }
    step_rows(c, t, unit, &row, 1, preactivations);
}

struct Forward {
    const Call& c;
    Packed packed;
    Chunk chunk;
    bool by_dots;

    void run(const Part& part, bool by_units, int id, int size, Barrier& barrier) const {
        const int64_t projected = c.weight_projection ? ceil_div(c.output, LANES) : 0;
        const Range projecting = by_units ? share(projected, id, size) : Range{0, projected};
        if (!c.packed) {
            if (!by_dots) packed.pack(c, share(panels_of(c), id, size));
            packed.pack_projection(c, share(projected, id, size));
            if (!by_units) barrier.meet(size);
        }
        std::vector<Place> places;
        for (int64_t step = 0; step < c.time; ++step) {
            const int64_t t = c.reverse ? c.time - 1 - step : step, count = part.going_on(c, t);
            if (chunk.steps && step % chunk.steps == 0) make_inputs(part, step, places);
            for (int64_t panel = part.begin; panel < part.end; ++panel) {
                if (by_dots)
                    for (int64_t r = 0; r < count; ++r) dots(c, t, panel * LANES, part.rows[r]);
                else
                    make_panel(t, panel, part.rows.data(), count);
            }
            if (projected && by_units) barrier.meet(size);
            for (int64_t panel = projecting.begin; panel < projecting.end; ++panel) project(t, panel, part.rows.data(), count);
            if (by_units) barrier.meet(size);
        }
    }

  private:
    void make_panel(int64_t t, int64_t panel, const int32_t* rows, int64_t count) const {
        const P* weights = packed.panel(c, panel);
        if constexpr (HALVES) {
            if (packed.width == 2)
                return in_blocks<SUMS / 2>(count, [&](int size, int64_t first) {
                    with_rows<SUMS / 2, REGISTERS / 16>(size, [&](auto known) {
                        forward_block<known(), 2, 16>(c, chunk, t, weights, panel * LANES, rows + first, size);
                    });
                });
        }
        in_blocks<MOST_ROWS>(count, [&](int size, int64_t first) {
            with_rows<MOST_ROWS, 1>(size, [&](auto known) {
                forward_block<known(), GATES, 0>(c, chunk, t, weights, panel * LANES, rows + first, size);
            });
        });
    }

    void make_inputs(const Part& part, int64_t step, std::vector<Place>& places) const {
        places.clear();
        for (int64_t next = step; next < std::min(c.time, step + chunk.steps); ++next) {
            const int64_t t = c.reverse ? c.time - 1 - next : next, count = part.going_on(c, t);
            for (int64_t r = 0; r < count; ++r)
                places.push_back({(step_at(c, t) + part.rows[r]) * c.input, chunk.place(c, t, part.rows[r])});
        }
        for (int64_t panel = part.begin; panel < part.end; ++panel) {
            if constexpr (HALVES) {
                if (packed.width == 2) {
                    for (int first = 0; first < GATES; first += 2)
                        in_blocks<SUMS / 2>(int64_t(places.size()), [&](int size, int64_t at) {
                            with_rows<SUMS / 2, SUMS / 2>(size, [&](auto known) {
                                input_block<known(), 2, 16>(c, chunk.base(c), packed.panel(c, panel) + first / 2 * packed.rows(c) * 2 * LANES, first,
                                                            panel * LANES, places.data() + at, size);
                            });
                        });
                    continue;
                }
            }
            constexpr int most = std::max(1, std::min(SUMS / 2, SUMS / GATES));
            in_blocks<most>(int64_t(places.size()), [&](int size, int64_t at) {
                with_rows<most, most>(size, [&](auto known) {
                    input_block<known(), GATES, 8>(c, chunk.base(c), packed.panel(c, panel), 0, panel * LANES, places.data() + at, size);
                });
            });
        }
    }

    void project(int64_t t, int64_t panel, const int32_t* rows, int64_t count) const {
        constexpr int64_t whole[1] = {0};
        in_blocks<12>(count, [&](int size, int64_t first) {
            with_rows<12, 4>(size, [&](auto known) {
                spread_block<known(), 1, 0>(c.unprojected + step_at(c, t) * c.hidden, c.hidden, 1, whole, c.hidden,
                                            packed.projection + panel * in_pairs(c.hidden) * LANES, history_at(c, 0, t) + panel * LANES, c.output,
                                            c.output - panel * LANES, false, rows + first, rows + first, size);
            });
        });
    }
};

// The states after each sequence's last step, out of the histories.
static void keep_last(const Call& c) {
    for (int i = 0; i < STATES; ++i)
        for (int64_t row = 0; row < c.batch && (PAIR > 1 || c.history_time[i]); ++row) {
            const int64_t width = width_of(c, i), t = c.reverse ? 0 : (c.lengths ? c.lengths[row] : c.time) - 1;
            const T* from = history_at(c, i, t) + row * width;
            if (PAIR == 1) std::memcpy(c.last[i] + row * width, from, width * sizeof(T));
            for (int64_t k = 0; k < width && PAIR > 1; k += LANES) store(c.last_given[i] + row * width + k, load(from + k, width - k), width - k);
        }
}

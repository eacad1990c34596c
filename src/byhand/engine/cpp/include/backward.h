// Backward: the derivative of the steps from the last to the first, and what flows back through the recurrent product. After every few
// steps, while their gradients by the preactivations are at hand, come the gradients by input and weights.
#pragma once
#include <algorithm>
#include <cstring>
#include <vector>
#include "products.h"
#include "team.h"

struct Backward {
    const Call& c;
    Spread recurrent[SOURCES + 1];
    Spread input, projection;
    int64_t steps;     // in a chunk
    P* preactivations;  // (steps · batch, preactivations · hidden): gradients by the preactivations of a chunk
    P* projected;      // (steps · batch, output): by the projected outputs
    T* by_output;      // (batch, hidden): by the step's output, where that is then projected
    T* sums;           // for each thread: by biases (preactivations · hidden), by parameters, and by the weights but for the first thread
    static constexpr int SUMS = PREACTIVATIONS + PARAMETERS;

    // A thread's own sums. Where threads share out the units, all write into the results, each its own part.
    struct Weights {
        T *x, *h, *projection;
    };
    int64_t sums_size(bool by_units) const {
        return SUMS * c.hidden + (by_units ? 0 : weights_size());
    }
    int64_t weights_size() const {
        return GATES * c.hidden * (c.input + read_width(c)) + (c.weight_projection ? c.output * c.hidden : 0);
    }
    Weights weights(int id, bool by_units) const {
        if (id == 0 || by_units) return {c.grad_weight_x, c.grad_weight_h, c.grad_weight_projection};
        T* place = sums + id * sums_size(by_units) + SUMS * c.hidden;
        T* h = place + GATES * c.hidden * c.input;
        return {c.grad_weight_x ? place : nullptr, c.grad_weight_h ? h : nullptr,
                c.grad_weight_projection ? h + GATES * c.hidden * read_width(c) : nullptr};
    }

    void run(const Part& part, bool by_units, int id, int size, Barrier& barrier) const {
        const auto mine = [&](const Spread& one) { return by_units ? share(one.panels(), id, size) : Range{0, one.panels()}; };
        const auto packing = [&](const Spread& one) { return by_units ? mine(one) : share(one.panels(), id, size, 4); };
        const bool flows = SOURCES && !Cell::truncated;
        T* sum = sums + id * sums_size(by_units);
        std::memset(sum, 0, SUMS * c.hidden * sizeof(T));
        for (int q = 0; q < SOURCES && flows; ++q) recurrent[q].pack(packing(recurrent[q]));
        if (c.weight_projection) projection.pack(packing(projection));
        if (c.grad_x) input.pack(share(input.panels(), id, size, 4));
        barrier.meet(size);
        const int32_t* rows = part.rows.data();
        Chunk chunk;
        for (int64_t step = 0; step < c.time; ++step) {
            const int64_t t = c.reverse ? step : c.time - 1 - step, count = part.going_on(c, t);
            const int64_t base = c.grad_preactivations ? step_at(c, t) : step % steps * c.batch;
            if (c.weight_projection) {
                const Range columns = by_units ? share(ceil_div(c.output, LANES), id, size) : Range{0, ceil_div(c.output, LANES)};
                gather_projected(t, base, rows, count, columns);
                if (by_units) barrier.meet(size);
                projection.run(projected + base * c.output, c.output, by_output, {part.begin, part.end}, false, rows, count);
            }
            for (int64_t panel = part.begin; panel < part.end; ++panel) derive(t, base, panel * LANES, rows, count, sum);
            if (by_units) barrier.meet(size);
            for (int q = 0; q < SOURCES && flows && (step < c.time - 1 || c.wants_first); ++q) {
                const int state = Cell::source[q];
                recurrent[q].run(preactivations + base * PREACTIVATIONS * c.hidden, PREACTIVATIONS * c.hidden, c.grad_state[state], mine(recurrent[q]),
                                 Cell::carries[state] || (state == 0 && c.weight_projection), rows, count);
            }
            if (c.cut) part_at_cuts(part, by_units, id, size, t, rows, count);
            if (c.grad_preactivations) continue;
            chunk.add(*this, t, base, rows, count);
            if (step % steps == steps - 1 || step == c.time - 1) {
                finish_chunk(chunk, part, by_units, id, size, step < steps);
                if (by_units) barrier.meet(size);  // before the gradients of the next chunk are written over these
            }
        }
        barrier.meet(size);
        add_up(share(sums_size(by_units), id, size), by_units, size);
    }

  private:
    // Where the values of the chunk's steps and rows are.
    struct Chunk {
        std::vector<const P*> preactivations, x, read[SOURCES + 1], projected, unprojected;
        std::vector<int32_t> from, to;  // the same as places in the chunk and in the sequence
        void add(const Backward& b, int64_t t, int64_t base, const int32_t* rows, int64_t count) {
            const Call& c = b.c;
            for (int64_t r = 0; r < count; ++r) {
                const int64_t here = base + rows[r], there = step_at(c, t) + rows[r];
                from.push_back(int32_t(here));
                to.push_back(int32_t(there));
                preactivations.push_back(b.preactivations + here * PREACTIVATIONS * c.hidden);
                x.push_back(c.x + there * c.input);
                for (int q = 0; q < SOURCES; ++q) read[q].push_back(operand(c, Cell::source[q], t, rows[r]));
                if (c.weight_projection) projected.push_back(b.projected + here * c.output), unprojected.push_back(c.unprojected + there * c.hidden);
            }
        }
        Paired paired_preactivations, paired_x, paired_read[SOURCES + 1], paired_projected, paired_unprojected;
        // Makes what the sums over rows read ready; of the preactivations for some units.
        void pair(const Call& c, Range units) {
            for (int i = 0; i < PREACTIVATIONS; ++i)
                paired_preactivations.add(preactivations, i * c.hidden + units.begin, units.end - units.begin, PREACTIVATIONS * c.hidden);
            paired_x.add(x, 0, c.input, c.input);
            for (int q = 0; q < SOURCES; ++q) paired_read[q].add(read[q], 0, width_of(c, Cell::source[q]), width_of(c, Cell::source[q]));
            if (!c.weight_projection) return;
            paired_projected.add(projected, 0, c.output, c.output);
            paired_unprojected.add(unprojected, 0, c.hidden, c.hidden);
        }
        void clear() {
            for (auto* one : {&preactivations, &x, &projected, &unprojected}) one->clear();
            for (auto& one : read) one.clear();
            from.clear(), to.clear();
        }
    };

    // Gradients by input and weights, of a chunk of steps.
    void finish_chunk(Chunk& chunk, const Part& part, bool by_units, int id, int size, bool first) const {
        const int64_t rows_count = int64_t(chunk.preactivations.size());
        const Weights to = weights(id, by_units);
        const Range units{part.begin * LANES, std::min(part.end * LANES, c.hidden)};
        if (c.grad_x) {
            const Range rows = by_units ? share(rows_count, id, size) : Range{0, rows_count};
            input.run(preactivations, PREACTIVATIONS * c.hidden, c.grad_x, {0, input.panels()}, false, chunk.from.data() + rows.begin, rows.end - rows.begin,
                      chunk.to.data() + rows.begin);
        }
        chunk.pair(c, units);
        const P* const* by = chunk.paired_preactivations.rows();
        const int64_t count = chunk.paired_preactivations.count();
        for (int g = 0; g < GATES; ++g) {
            if (to.x) {
                const int64_t preactivation = Cell::x_preactivation[g] * c.hidden;
                outer(by, {preactivation + units.begin, preactivation + units.end}, chunk.paired_x.rows(), c.input, count, to.x + (g * c.hidden - preactivation) * c.input, !first);
            }
            int64_t column = 0;
            for (int q = 0; q < SOURCES && to.h; ++q) {
                const int64_t preactivation = Cell::u_preactivation[g] * c.hidden, width = width_of(c, Cell::source[q]);
                outer(by, {preactivation + units.begin, preactivation + units.end}, chunk.paired_read[q].rows(), width, count,
                      to.h + (g * c.hidden - preactivation) * read_width(c) + column, !first, read_width(c));
                column += width;
            }
        }
        if (to.projection) {
            const Range rows = by_units ? share(c.output, id, size) : Range{0, c.output};
            outer(chunk.paired_projected.rows(), rows, chunk.paired_unprojected.rows(), c.hidden, count, to.projection, !first);
        }
        chunk.clear();
    }

    // The derivative of step t for some rows and LANES units: gradients by preactivations, states and parameters.
    void derive(int64_t t, int64_t base, int64_t unit, const int32_t* rows, int64_t count, T* sum) const {
        const int64_t left = c.hidden - unit, at = step_at(c, t);
        V bias_sum[PREACTIVATIONS] = {}, parameter_sum[PARAMETERS + 1] = {};
        for (int64_t r = 0; r < count; ++r) {
            const int64_t row = rows[r], place = at + row;
            V s[STATES], p[PARAMETERS + 1], d[STATES], k[PREACTIVATIONS], da[PREACTIVATIONS], ds[STATES], dp[PARAMETERS + 1];
            UNROLL
            for (int i = 0; i < PREACTIVATIONS; ++i) k[i] = load(c.saved + (place * PREACTIVATIONS + i) * c.hidden + unit, left);
            UNROLL
            for (int i = 0; i < PARAMETERS; ++i) p[i] = parameter_at(c, i, t, row, unit);
            UNROLL
            for (int i = 0; i < STATES; ++i) {
                if (Cell::backward_reads[i]) s[i] = load(before(c, i, t, row) + unit, left);
                const bool projected = i == 0 && c.weight_projection;
                d[i] = load(projected ? by_output + row * c.hidden + unit : c.grad_state[i] + row * width_of(c, i) + unit, left);
                if (i == 0 && !projected && c.grad_output) d[i] += load(c.grad_output + place * c.hidden + unit, left);
                if (c.grad_history[i]) store(c.grad_history[i] + place * c.hidden + unit, d[i], left);
            }
            Cell::backward(k, s, p, d, da, ds, dp);
            UNROLL
            for (int i = 0; i < PREACTIVATIONS; ++i) {
                store(preactivations + ((base + row) * PREACTIVATIONS + i) * c.hidden + unit, da[i], left);
                bias_sum[i] += da[i];
            }
            UNROLL
            for (int i = 0; i < PARAMETERS; ++i) parameter_sum[i] += dp[i];
            UNROLL
            for (int i = 0; i < STATES; ++i)
                if (!(i == 0 && c.weight_projection)) store(c.grad_state[i] + row * width_of(c, i) + unit, ds[i], left);
        }
        UNROLL
        for (int i = 0; i < SUMS; ++i) {
            T* total = sum + i * c.hidden + unit;
            if (i < PREACTIVATIONS || c.grad_parameter[i - PREACTIVATIONS]) store(total, load(total, left) + (i < PREACTIVATIONS ? bias_sum[i % PREACTIVATIONS] : parameter_sum[i - PREACTIVATIONS]), left);
        }
    }

    // Where a sequence starts again at step t, what has reached the states before it goes to restart, and nothing to the step before.
    void part_at_cuts(const Part& part, bool by_units, int id, int size, int64_t t, const int32_t* rows, int64_t count) const {
        for (int i = 0; i < STATES; ++i) {
            const int64_t width = width_of(c, i);
            Range columns{0, width};
            if (by_units) {
                const Range panels = width == c.hidden ? Range{part.begin, part.end} : share(ceil_div(width, LANES), id, size);
                columns = {panels.begin * LANES, std::min(panels.end * LANES, width)};
            }
            for (int64_t r = 0; r < count; ++r) {
                if (!c.cut[t * c.batch + rows[r]]) continue;
                T* carried = c.grad_state[i] + rows[r] * width;
                T* to = c.grad_restart[i] ? c.grad_restart[i] + rows[r] * width : nullptr;
                for (int64_t column = columns.begin; column < columns.end; ++column) {
                    if (to) to[column] += carried[column];
                    carried[column] = 0;
                }
            }
        }
    }

    // What reaches the projected outputs of step t, from the steps after it and from outside.
    void gather_projected(int64_t t, int64_t base, const int32_t* rows, int64_t count, Range panels) const {
        for (int64_t r = 0; r < count; ++r) {
            const int64_t place = (step_at(c, t) + rows[r]) * c.output;
            P* to = projected + (base + rows[r]) * c.output;
            T* carried = c.grad_state[0] + rows[r] * c.output;
            for (int64_t column = panels.begin * LANES; column < std::min(panels.end * LANES, c.output); ++column) {
                to[column] = carried[column] + (c.grad_output ? T(c.grad_output[place + column]) : T(0));
                carried[column] = 0;
            }
        }
    }

    // The threads' sums together, always in the same order.
    void add_up(Range range, bool by_units, int size) const {
        const int64_t of_x = GATES * c.hidden * c.input, of_h = GATES * c.hidden * read_width(c);
        for (int64_t place = range.begin; place < range.end; ++place) {
            const int64_t kind = place / c.hidden, unit = place % c.hidden, at = place - SUMS * c.hidden;
            if (kind < SUMS) {
                T total = 0;
                for (int thread = 0; thread < size; ++thread) total += sums[thread * sums_size(by_units) + place];
                if (kind < PREACTIVATIONS)
                    c.grad_bias[place] = total;
                else if (c.grad_parameter[kind - PREACTIVATIONS])
                    c.grad_parameter[kind - PREACTIVATIONS][unit] = total;
                continue;
            }
            if (by_units || size == 1) break;
            T* to = at < of_x ? c.grad_weight_x : at < of_x + of_h ? c.grad_weight_h : c.grad_weight_projection;
            if (!to) continue;
            T& total = to[at < of_x ? at : at < of_x + of_h ? at - of_x : at - of_x - of_h];
            for (int thread = 1; thread < size; ++thread) total += sums[thread * sums_size(by_units) + place];
        }
    }
};

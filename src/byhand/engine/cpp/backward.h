// Backward: the derivative of the steps from the last to the first, and what flows back through the recurrent product. Gradients by
// weights are products over all steps at once and made afterwards, by torch.

struct Backward {
    const Call& c;
    Spread recurrent[SOURCES + 1];
    Spread projection;
    T* by_output;  // (batch, hidden): gradient by the step's output, where that is then projected
    T* sums;       // for each thread: by biases (slots · hidden), then by parameters
    static constexpr int SUMS = SLOTS + PARAMETERS;

    void run(const Part& part, bool by_units, int id, int size, Barrier& barrier) const {
        const auto mine = [&](const Spread& one) { return by_units ? share(one.panels(), id, size) : Range{0, one.panels()}; };
        const auto packing = [&](const Spread& one) { return by_units ? mine(one) : share(one.panels(), id, size, 4); };
        const bool flows = SOURCES && !Cell::truncated;
        T* sum = sums + id * SUMS * c.hidden;
        std::memset(sum, 0, SUMS * c.hidden * sizeof(T));
        for (int q = 0; q < SOURCES && flows; ++q) recurrent[q].pack(packing(recurrent[q]));
        if (c.weight_projection) projection.pack(packing(projection));
        if (!by_units) barrier.meet(size);
        const int32_t* rows = part.rows.data();
        for (int64_t step = 0; step < c.time; ++step) {
            const int64_t t = c.reverse ? step : c.time - 1 - step, count = part.going_on(c, t);
            if (c.weight_projection) {
                const Range columns = by_units ? share(ceil_div(c.output, LANES), id, size) : Range{0, ceil_div(c.output, LANES)};
                gather_projected(t, rows, count, columns);
                if (by_units) barrier.meet(size);
                projection.run(c.grad_projected + t * c.batch * c.output, c.output, by_output, {part.begin, part.end}, false, rows, count);
            }
            for (int64_t panel = part.begin; panel < part.end; ++panel) derive(t, panel * LANES, rows, count, sum);
            if (by_units) barrier.meet(size);
            if (!flows || (step == c.time - 1 && !c.wants_first)) continue;
            for (int q = 0; q < SOURCES; ++q) {
                const int state = Cell::source[q];
                recurrent[q].run(c.grad_slots + t * c.batch * SLOTS * c.hidden, SLOTS * c.hidden, c.grad_state[state], mine(recurrent[q]),
                                 Cell::carries[state] || (state == 0 && c.weight_projection), rows, count);
            }
        }
        barrier.meet(size);
        add_up(share(SUMS * c.hidden, id, size), size);
    }

  private:
    // The derivative of step t for some rows and LANES units: gradients by slots, states and parameters.
    void derive(int64_t t, int64_t unit, const int32_t* rows, int64_t count, T* sum) const {
        const int64_t left = c.hidden - unit;
        V bias_sum[SLOTS] = {}, parameter_sum[PARAMETERS + 1] = {};
        for (int64_t r = 0; r < count; ++r) {
            const int64_t row = rows[r], place = t * c.batch + row;
            V s[STATES], p[PARAMETERS + 1], d[STATES], k[SLOTS], da[SLOTS], ds[STATES], dp[PARAMETERS + 1];
            UNROLL
            for (int i = 0; i < SLOTS; ++i) k[i] = load(c.kept + (place * SLOTS + i) * c.hidden + unit, left);
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
            for (int i = 0; i < SLOTS; ++i) {
                store(c.grad_slots + (place * SLOTS + i) * c.hidden + unit, da[i], left);
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
            T* at = sum + i * c.hidden + unit;
            if (i < SLOTS || c.grad_parameter[i - SLOTS]) store(at, load(at, left) + (i < SLOTS ? bias_sum[i % SLOTS] : parameter_sum[i - SLOTS]), left);
        }
    }

    // What reaches the projected outputs of step t, from the steps after it and from outside.
    void gather_projected(int64_t t, const int32_t* rows, int64_t count, Range panels) const {
        for (int64_t r = 0; r < count; ++r) {
            const int64_t place = (t * c.batch + rows[r]) * c.output;
            T* carried = c.grad_state[0] + rows[r] * c.output;
            for (int64_t column = panels.begin * LANES; column < std::min(panels.end * LANES, c.output); ++column) {
                c.grad_projected[place + column] = carried[column] + (c.grad_output ? c.grad_output[place + column] : T(0));
                carried[column] = 0;
            }
        }
    }

    // The threads' sums together, always in the same order.
    void add_up(Range range, int size) const {
        for (int64_t place = range.begin; place < range.end; ++place) {
            T total = 0;
            for (int thread = 0; thread < size; ++thread) total += sums[thread * SUMS * c.hidden + place];
            const int64_t kind = place / c.hidden;
            if (kind < SLOTS)
                c.grad_bias[place] = total;
            else if (c.grad_parameter[kind - SLOTS])
                c.grad_parameter[kind - SLOTS][place % c.hidden] = total;
        }
    }
};

// Behind the text of a kernel: calls it as kernel.py does, with memory of exactly the right size, for the shapes that are named as
// arguments: time,batch,input,hidden,projected,threads,reverse,ragged. What a kernel must write is filled with NaN beforehand, and
// must hold none afterwards. A kernel of frozen weights has no derivative and no sites, and its weights are packed at every call.
#include <cstdio>
#include <memory>
#if defined(FROZEN_INT8) || defined(FROZEN_BFLOAT16)
#define FROZEN
#endif

struct Shape {
    int time, batch, input, hidden, projected, threads, reverse, ragged;
};

// Memory with nothing to spare on either side.
class Store {
    std::vector<std::unique_ptr<void, void (*)(void*)>> all;
    uint32_t seed = 1;

  public:
    T* filled(int64_t count, T value) {
        T* place = (T*)std::malloc(count * sizeof(T));
        all.emplace_back(place, std::free);
        std::fill(place, place + count, value);
        return place;
    }
    T* blank(int64_t count) { return filled(count, std::numeric_limits<T>::quiet_NaN()); }
    T* random(int64_t count) {
        T* place = blank(count);
        for (int64_t k = 0; k < count; ++k) {
            seed = seed * 1664525u + 1013904223u;
            place[k] = T(seed >> 8) / T(1 << 24) - T(0.5);
        }
        return place;
    }
    int64_t* lengths(const Shape& shape) {
        int64_t* place = (int64_t*)std::malloc(shape.batch * sizeof(int64_t));
        all.emplace_back(place, std::free);
        for (int row = 0; row < shape.batch; ++row) place[row] = 1 + (7 * row + shape.time - 1) % shape.time;
        return place;
    }
};

struct Variant {
    bool keeps, bias, packs, first, outputs, apart;  // apart: the gradients by weights are made by others
};

static void check(const char* what, const T* values, int64_t count) {
    for (int64_t k = 0; values && k < count; ++k)
        if (values[k] != values[k]) {
            std::printf("%s: value %lld of %lld was not written\n", what, (long long)k, (long long)count);
            std::exit(2);
        }
}

static void run(const Shape& shape, const Variant& variant) {
    Store store;
    Call c{};
    c.time = shape.time, c.batch = shape.batch, c.input = shape.input, c.hidden = shape.hidden;
    c.output = shape.projected ? shape.projected : shape.hidden;
    c.reverse = shape.reverse, c.threads = shape.threads, c.wants_first = variant.first, c.saves = variant.keeps;
    const int64_t places = c.time * c.batch, rows = GATES * c.hidden, columns = read_width(c);
    const auto result = [&](int64_t count) { return shape.ragged ? store.filled(count, 0) : store.blank(count); };
    c.lengths = shape.ragged ? store.lengths(shape) : nullptr;
    c.x = store.random(places * c.input);
    c.weight_x = store.random(rows * c.input);
    c.weight_h = SOURCES ? store.random(rows * columns) : nullptr;
    c.bias_x = variant.bias ? store.random(rows) : nullptr;
    c.bias_h = variant.bias && SOURCES ? store.random(rows) : nullptr;
    if (shape.projected) c.weight_projection = store.random(c.output * c.hidden), c.unprojected = result(places * c.hidden);
    if (variant.keeps) c.saved = store.blank(places * PREACTIVATIONS * c.hidden);
    for (int i = 0; i < STATES; ++i) {
        const int64_t width = width_of(c, i);
        const bool read = std::count(Cell::source, Cell::source + SOURCES, i);
        c.first[i] = store.random(c.batch * width);
        c.last[i] = store.blank(c.batch * width);
        const bool whole = i == 0 || read || variant.keeps;
        c.history[i] = whole ? result(places * width) : c.last[i];
        c.history_time[i] = whole ? c.batch * width : 0;
    }
    for (int i = 0; i < PARAMETERS; ++i) c.parameter[i] = store.random(c.hidden);
    if (variant.packs) c.packed = (T*)std::aligned_alloc(64, size_t(ceil_div(packed_size(&c) * sizeof(T), 64) * 64)), pack(&c);

    if (forward(&c)) std::exit(3);
    check("output", c.history[0], places * c.output);
    for (int i = 0; i < STATES; ++i) check("last", c.last[i], c.batch * width_of(c, i));
    if (variant.packs) std::free(c.packed);
    c.packed = nullptr;
#ifndef FROZEN
    if (!variant.keeps) return;

    T* seen[Cell::sites_count];
    for (T*& site : seen) site = result(places * c.hidden);
    sites(&c, seen);
    for (T* site : seen) check("site", site, places * c.hidden);

    c.grad_output = variant.outputs ? store.random(places * c.output) : nullptr;
    for (int i = 0; i < STATES; ++i) {
        c.grad_state[i] = store.random(c.batch * width_of(c, i));
        c.grad_history[i] = variant.outputs ? result(places * c.hidden) : nullptr;
    }
    for (int i = 0; i < PARAMETERS; ++i) c.grad_parameter[i] = store.blank(c.hidden);
    c.grad_bias = store.blank(PREACTIVATIONS * c.hidden);
    if (variant.apart) {
        c.grad_preactivations = result(places * PREACTIVATIONS * c.hidden);
        c.grad_projected = shape.projected ? result(places * c.output) : nullptr;
    } else {
        c.grad_x = variant.first ? result(places * c.input) : nullptr;
        c.grad_weight_x = store.blank(rows * c.input);
        c.grad_weight_h = SOURCES ? store.blank(rows * columns) : nullptr;
        c.grad_weight_projection = shape.projected ? store.blank(c.output * c.hidden) : nullptr;
    }
    if (backward(&c)) std::exit(3);
    check("gradient by biases", c.grad_bias, PREACTIVATIONS * c.hidden);
    check("gradient by pre-activations", c.grad_preactivations, places * PREACTIVATIONS * c.hidden);
    check("gradient by projected", c.grad_projected, places * c.output);
    check("gradient by input", c.grad_x, places * c.input);
    check("gradient by input weights", c.grad_weight_x, rows * c.input);
    check("gradient by recurrent weights", c.grad_weight_h, rows * columns);
    check("gradient by projection", c.grad_weight_projection, c.output * c.hidden);
    for (int i = 0; i < PARAMETERS; ++i) check("gradient by parameter", c.grad_parameter[i], c.hidden);
    for (int i = 0; i < STATES && variant.outputs; ++i) check("gradient by new state", c.grad_history[i], places * c.hidden);
    for (int i = 0; i < STATES && variant.first; ++i) check("gradient by first state", c.grad_state[i], c.batch * width_of(c, i));
#endif
}

int main(int count, char** arguments) {
#ifdef FROZEN
    const Variant variants[] = {{false, true, true, false, false, false}, {false, false, true, false, false, false}};
#else
    const Variant variants[] = {
        {false, true, false, false, false, false}, {false, false, true, false, false, false}, {true, true, false, true, true, false},
        {true, false, true, false, false, false},  {true, true, false, true, true, true},
    };
#endif
    for (int k = 1; k < count; ++k) {
        Shape s{};
        const int read = std::sscanf(arguments[k], "%d,%d,%d,%d,%d,%d,%d,%d", &s.time, &s.batch, &s.input, &s.hidden, &s.projected,
                                     &s.threads, &s.reverse, &s.ragged);
        if (read != 8) return 4;
        for (const Variant& variant : variants) run(s, variant);
    }
    std::printf("%d shapes\n", count - 1);
    return 0;
}

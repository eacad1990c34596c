// Matrix products over packed weights: small blocks of rows against panels that stay near the core, all sums in registers.
#pragma once
#include <algorithm>
#include <type_traits>
#include "call.h"
#include "operands.h"

// One k, or pair of them, of multiply(). WHOLE: else it is the last of an odd number.
template <bool WHOLE, int AHEAD, int ROWS, int WIDTH, int ALL>
static INLINE void multiply_one(V (&acc)[ROWS][ALL], const int (&preactivation)[WIDTH], const P* const (&from)[ROWS], int64_t k, const P* panel) {
    if constexpr (AHEAD > 0) {
        UNROLL
        for (int g = 0; g < WIDTH; ++g) __builtin_prefetch(panel + (AHEAD * WIDTH + g) * LANES * PAIR);
    }
    W w[WIDTH];
    UNROLL
    for (int g = 0; g < WIDTH; ++g) w[g] = in_register<(ROWS > 1 && (ROWS + 1) * WIDTH < REGISTERS)>(*(const W*)(panel + g * LANES * PAIR));
    UNROLL
    for (int r = 0; r < ROWS; ++r) {
        const W value = spread<WHOLE>(from[r] + k);
        UNROLL
        for (int g = 0; g < WIDTH; ++g) add_product(acc[r][preactivation[g]], w[g], value);
    }
}

// acc[r][preactivation] += Σ_k from[r][k] · panel[k][·], WIDTH vectors a row; moves the panel on. AHEAD: for weights that come from afar, how
// many rows of the panel to fetch beforehand.
template <int AHEAD, int ROWS, int WIDTH, int ALL>
static INLINE void multiply(V (&acc)[ROWS][ALL], const int (&preactivation)[WIDTH], const P* const (&from)[ROWS], int64_t count, const P*& panel) {
    int64_t k = 0;
    UNROLL_PRODUCTS
    for (; k + PAIR <= count; k += PAIR, panel += WIDTH * LANES * PAIR) multiply_one<true, AHEAD>(acc, preactivation, from, k, panel);
    if (PAIR > 1 && k < count) multiply_one<false, 0>(acc, preactivation, from, k, panel), panel += WIDTH * LANES * PAIR;
}

// The same in pieces of at most 64 that are then added up: a long sum of roundings grows with its length.
template <int AHEAD, int ROWS, int WIDTH, int ALL>
static INLINE void multiply_in_pieces(V (&total)[ROWS][ALL], const int (&preactivation)[WIDTH], const P* const (&from)[ROWS], int64_t count, const P*& panel) {
    if constexpr (PAIR > 1) return multiply<AHEAD>(total, preactivation, from, count, panel);  // what is multiplied is rounded far more
    const int64_t pieces = ceil_div(count, 64);
    for (int64_t piece = 0, k = 0; piece < pieces; ++piece) {
        const int64_t size = count * (piece + 1) / pieces - k;
        V acc[ROWS][ALL] = {};
        const P* at[ROWS];
        UNROLL
        for (int r = 0; r < ROWS; ++r) at[r] = from[r] + k;
        multiply<AHEAD>(acc, preactivation, at, size, panel);
        UNROLL
        for (int r = 0; r < ROWS; ++r)
            UNROLL
            for (int s = 0; s < WIDTH; ++s) total[r][preactivation[s]] += acc[r][preactivation[s]];
        k += size;
    }
}

// Rows in blocks of at most MOST, as even as can be: 16 rows are 6, 5, 5.
template <int MOST, class Block>
static INLINE void in_blocks(int64_t count, Block&& block) {
    const int64_t blocks = ceil_div(count, MOST);
    for (int64_t b = 0, row = 0; b < blocks; ++b) {
        const int64_t size = count * (b + 1) / blocks - row;
        block(int(size), row);
        row += size;
    }
}

// Calls function with the number of rows as a constant, rounded up to a multiple of EACH.
template <int ROWS, int EACH, class Function>
static INLINE void with_rows(int rows, Function&& function) {
    if constexpr (ROWS > EACH) {
        if (rows <= ROWS - EACH) return with_rows<ROWS - EACH, EACH>(rows, function);
    }
    function(std::integral_constant<int, ROWS>());
}

// Columns in groups of 4, 2 and 1 vectors.
template <class Function>
static INLINE void in_groups(int64_t begin, int64_t end, Function&& function) {
    while (begin < end) {
        const int width = end - begin >= 4 ? 4 : end - begin >= 2 ? 2 : 1;
        function(begin, width);
        begin += width;
    }
}

// `count` rows of a matrix, transposed, pairs of neighbours as one: to[k · stride + lane · PAIR] = from[lane · ld + k].
static void transpose(const P* from, int64_t ld, int64_t count, int64_t columns, P* to, int64_t stride) {
    int64_t k = 0;
    if (count >= LANES)
        for (; k + LANES * PAIR <= columns; k += LANES * PAIR) {
            V v[LANES];
            UNROLL
            for (int lane = 0; lane < LANES; ++lane) v[lane] = load_pairs(from + lane * ld + k);
            UNROLL
            for (int d = 1; d < LANES; d *= 2) {  // squares of 2, of 4, … change their corners
                UNROLL
                for (int lane = 0; lane < LANES; ++lane)
                    if (!(lane & d)) exchange(v[lane], v[lane + d], d);
            }
            UNROLL
            for (int lane = 0; lane < LANES; ++lane) *(V*)(to + (k + lane * PAIR) * stride) = v[lane];
        }
    for (; k < columns; k += PAIR)
        for (int lane = 0; lane < LANES; ++lane)
            for (int i = 0; i < PAIR; ++i) to[k * stride + lane * PAIR + i] = lane < count && k + i < columns ? from[lane * ld + k + i] : P(0);
}

// to[row][·] (+)= Σ_k from[row][k] · panel[k][·] for WIDTH vectors of columns; k runs through `segments` pieces of `count`, which lie
// apart. There may be fewer rows than ROWS: the last is then computed several times.
template <int ROWS, int WIDTH, int AHEAD>
static __attribute__((noinline)) void spread_block(const P* from, int64_t ld_from, int segments, const int64_t* segment, int64_t count,
                                                   const P* panel, T* to, int64_t ld_to, int64_t left, bool adds, const int32_t* rows, const int32_t* goals, int there) {
    constexpr int every[4] = {0, 1, 2, 3};
    int preactivation[WIDTH];
    UNROLL
    for (int v = 0; v < WIDTH; ++v) preactivation[v] = every[v];
    V acc[ROWS][WIDTH] = {};
    if (adds) {
        UNROLL
        for (int r = 0; r < ROWS; ++r)
            UNROLL
            for (int v = 0; v < WIDTH; ++v)
                if (left > v * LANES) acc[r][v] = load(to + goals[std::min(r, there - 1)] * ld_to + v * LANES, left - v * LANES);
    }
    for (int g = 0; g < segments; ++g) {
        const P* at[ROWS];
        UNROLL
        for (int r = 0; r < ROWS; ++r) at[r] = from + rows[std::min(r, there - 1)] * ld_from + segment[g];
        multiply_in_pieces<AHEAD>(acc, preactivation, at, count, panel);
    }
    UNROLL
    for (int r = 0; r < ROWS; ++r) {
        if (r >= there) break;
        UNROLL
        for (int v = 0; v < WIDTH; ++v)
            if (left > v * LANES) store(to + goals[r] * ld_to + v * LANES, acc[r][v], left - v * LANES);
    }
}

// A matrix (segments · count, columns) packed for products from the left, and the product itself. heavy: it does not stay near the
// core, so that fewer vectors at a time for more rows are better.
struct Spread {
    const P* matrix;
    int64_t ld, columns, count;  // count: of each segment
    int segments;
    int64_t segment[GATES];
    bool heavy;
    P* packed;

    int64_t height() const { return segments * in_pairs(count); }
    int64_t panels() const { return ceil_div(columns, LANES); }
    int64_t size() const { return panels() * LANES * height(); }
    void pack(Range range) const {
        groups(range, [&](int64_t panel, int width) {
            P* to = packed + panel * LANES * height();
            for (int g = 0; g < segments; ++g)
                for (int64_t k = 0; k < count; k += PAIR)
                    for (int v = 0; v < width; ++v, to += LANES * PAIR) {
                        const int64_t column = (panel + v) * LANES;
                        const P* row = matrix + (g * count + k) * ld + column;
                        *(W*)to = joined(row, k + PAIR <= count ? row + ld : nullptr, columns - column);
                    }
        });
    }
    // rows: of `from`; goals: of `to`, the same if not given.
    void run(const P* from, int64_t ld_from, T* to, Range range, bool adds, const int32_t* rows, int64_t row_count,
             const int32_t* goals = nullptr) const {
        if (!goals) goals = rows;
        groups(range, [&](int64_t panel, int width) {
            if constexpr (REGISTERS >= 32) {
                if (width == 4) group<4, SUMS / 4, 1, 0>(from, ld_from, to, panel, adds, rows, goals, row_count);
            }
            if (width == 2) group<2, SUMS / 2, REGISTERS / 16, 16>(from, ld_from, to, panel, adds, rows, goals, row_count);
            if (width == 1) group<1, 12, 4, 0>(from, ld_from, to, panel, adds, rows, goals, row_count);
        });
    }

  private:
    template <class Function>
    void groups(Range range, Function&& function) const {
        in_groups(range.begin, range.end, [&](int64_t panel, int width) {
            if (width == 4 && (heavy || REGISTERS < 32)) return function(panel, 2), function(panel + 2, 2);
            function(panel, width);
        });
    }
    template <int WIDTH, int MOST, int EACH, int AHEAD>
    void group(const P* from, int64_t ld_from, T* to, int64_t panel, bool adds, const int32_t* rows, const int32_t* goals, int64_t row_count) const {
        in_blocks<MOST>(row_count, [&](int size, int64_t first) {
            with_rows<MOST, EACH>(size, [&](auto known) {
                spread_block<known(), WIDTH, AHEAD>(from, ld_from, segments, segment, count, packed + panel * LANES * height(),
                                                    to + panel * LANES, columns, columns - panel * LANES, adds, rows + first, goals + first, size);
            });
        });
    }
};

// The rows of a matrix as sums over them read them: pair by pair side by side where PAIR is 2, else as they are.
class Paired {
    std::vector<P> memory;
    std::vector<const P*> places;

  public:
    // Makes `width` numbers from `column` on ready, of rows of `all` numbers.
    void add(const std::vector<const P*>& rows, int64_t column, int64_t width, int64_t all) {
        if (PAIR == 1) {
            places = rows;
            return;
        }
        const int64_t count = ceil_div(int64_t(rows.size()), PAIR), row_size = (ceil_div(all, LANES) + 1) * LANES * PAIR;
        memory.resize(count * row_size);
        places.resize(count);
        for (int64_t k = 0; k < count; ++k) {
            P* to = memory.data() + k * row_size;
            const P *first = rows[k * PAIR], *second = k * PAIR + 1 < int64_t(rows.size()) ? rows[k * PAIR + 1] : nullptr;
            for (int64_t i = 0; i < width; i += LANES)
                *(Moved*)(to + (column + i) * PAIR) = joined(first + column + i, second ? second + column + i : nullptr, width - i);
            places[k] = to;
        }
    }
    const P* const* rows() const { return places.data(); }
    int64_t count() const { return int64_t(places.size()); }
};

// Sums of outer products, to[j][i] (+)= Σ_k a[k][j] · b[k][i], for ROWS of j and WIDTH vectors of i. Of a and b, PAIR rows are as one.
template <int ROWS, int WIDTH>
static __attribute__((noinline)) void outer_block(const P* const* a, int64_t j, const P* const* b, int64_t i, int64_t count, T* to, int64_t ld,
                                                  int64_t columns, bool adds) {
    const int64_t left = columns - i;
    V acc[ROWS][WIDTH] = {};
    UNROLL_PRODUCTS
    for (int64_t k = 0; k < count; ++k) {
        W w[WIDTH];
        UNROLL
        for (int v = 0; v < WIDTH; ++v)
            w[v] = WIDTH > 1 ? load_operand(b[k] + (i + v * LANES) * PAIR) : load_operand(b[k] + i * PAIR, left * PAIR);
        UNROLL
        for (int r = 0; r < ROWS; ++r) {
            const W value = spread<true>(a[k] + (j + r) * PAIR);
            UNROLL
            for (int v = 0; v < WIDTH; ++v) add_product(acc[r][v], w[v], value);
        }
    }
    UNROLL
    for (int r = 0; r < ROWS; ++r)
        UNROLL
        for (int v = 0; v < WIDTH; ++v) {
            T* at = to + (j + r) * ld + i + v * LANES;
            store(at, adds ? acc[r][v] + load(at, left - v * LANES) : acc[r][v], left - v * LANES);
        }
}
// ROWS of j at a time, then what is left of them by four and one.
template <int ROWS, int WIDTH>
static void outer_columns(const P* const* a, Range rows, const P* const* b, int64_t i, int64_t columns, int64_t count, T* to, bool adds, int64_t ld) {
    int64_t j = rows.begin;
    for (; rows.end - j >= ROWS; j += ROWS) outer_block<ROWS, WIDTH>(a, j, b, i, count, to, ld, columns, adds);
    for (; rows.end - j >= 4; j += 4) outer_block<4, WIDTH>(a, j, b, i, count, to, ld, columns, adds);
    for (; j < rows.end; ++j) outer_block<1, WIDTH>(a, j, b, i, count, to, ld, columns, adds);
}
static void outer(const P* const* a, Range rows, const P* const* b, int64_t columns, int64_t count, T* to, bool adds, int64_t ld = 0) {
    if (!ld) ld = columns;
    for (int64_t i = 0; i < columns;) {
        const int64_t left = (columns - i) / LANES;
        if (left >= 4 && REGISTERS >= 32) outer_columns<6, 4>(a, rows, b, i, columns, count, to, adds, ld), i += 4 * LANES;
        else if (left >= 2) outer_columns<(REGISTERS >= 32 ? 8 : 6), 2>(a, rows, b, i, columns, count, to, adds, ld), i += 2 * LANES;
        else outer_columns<8, 1>(a, rows, b, i, columns, count, to, adds, ld), i += LANES;
    }
}

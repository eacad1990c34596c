// What a kernel is asked, and how the work is shared out.
#pragma once
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <vector>
#if defined(__linux__)
#include <sys/mman.h>
#endif
#include "arguments.h"
#include "cell.h"
#include "operands.h"
#include "vector.h"

static INLINE int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
static INLINE int64_t width_of(const Call& c, int state) { return state == 0 ? c.output : c.hidden; }
static INLINE int64_t panels_of(const Call& c) { return ceil_div(c.hidden, LANES); }
static INLINE int64_t read_width(const Call& c) {  // of all that the recurrent product reads
    int64_t total = 0;
    for (int s = 0; s < SOURCES; ++s) total += width_of(c, Cell::source[s]);
    return total;
}

// Where the rows of step t begin among all rows: every `batch` rows, or, packed, after those of the steps before.
static INLINE int64_t step_at(const Call& c, int64_t t) { return c.offsets ? c.offsets[t] : t * c.batch; }
// Where a state of all rows is kept that step t gives.
static INLINE T* history_at(const Call& c, int state, int64_t t) {
    return c.history[state] + (c.history_time[state] ? step_at(c, t) * width_of(c, state) : 0);
}

static INLINE bool is_first(const Call& c, int64_t t, int64_t row) {
    return c.reverse ? t == (c.lengths ? c.lengths[row] : c.time) - 1 : t == 0;
}
// Where a row's state is before step t: the first one, the one to start again from, or that of the step before.
static INLINE const T* before(const Call& c, int state, int64_t t, int64_t row) {
    const int64_t width = width_of(c, state);
    if (c.cut && c.cut[t * c.batch + row]) return c.restart[state] + row * width;
    if (is_first(c, t, row)) return c.first[state] + row * width;
    return history_at(c, state, c.reverse ? t + 1 : t - 1) + row * width;
}
// The same as the recurrent product reads it, rounded where P is narrower than T: for a row, and for all rows, one row after the other; 0
// where that differs by row.
static INLINE const P* operand(const Call& c, int state, int64_t t, int64_t row) {
    if (PAIR == 1) return (const P*)before(c, state, t, row);
    const int64_t width = width_of(c, state);
    if (is_first(c, t, row)) return c.first_given[state] + row * width;
    return c.rounded[state] + (step_at(c, c.reverse ? t + 1 : t - 1) + row) * width;
}
static INLINE const P* shared_operand(const Call& c, int state, int64_t t) {
    if (c.cut || (c.reverse && c.lengths)) return nullptr;
    return operand(c, state, t, 0);
}

static INLINE V parameter_at(const Call& c, int i, int64_t t, int64_t row, int64_t unit) {
    return load(c.parameter[i] + t * c.parameter_time[i] + row * c.parameter_batch[i] + unit, c.hidden - unit);
}

// Memory of one call. The last piece is kept for the next call, for new pages cost more than many a step; in large pages if the system
// has them, so that packed weights are found without a search for each four kilobytes.
class Scratch {
    struct Head {
        size_t bytes;
        char rest[56];
    };
    static constexpr size_t KEPT = size_t(64) << 20, LARGE_PAGE = size_t(2) << 20;
    inline static std::atomic<Head*> kept{nullptr};
    Head* head;

  public:
    explicit Scratch(int64_t count) : head(kept.exchange(nullptr)) {
        size_t bytes = sizeof(Head) + size_t(count) * sizeof(T);
        if (head && head->bytes >= bytes) return;
        std::free(head);
        const size_t page = bytes >= LARGE_PAGE ? LARGE_PAGE : 64;
        bytes = (bytes + page - 1) / page * page;
        head = (Head*)std::aligned_alloc(page, bytes);
        if (!head) throw std::bad_alloc();
#if defined(__linux__)
        if (page == LARGE_PAGE) madvise(head, bytes, MADV_HUGEPAGE);
#endif
        head->bytes = bytes;
    }
    ~Scratch() {
        if (head->bytes <= KEPT) head = kept.exchange(head);
        std::free(head);
    }
    Scratch(const Scratch&) = delete;
    T* get() const { return (T*)(head + 1); }
};

// What `count` of P take, in T, so that what follows is at a multiple of 64 bytes.
static INLINE int64_t room(int64_t count) { return ceil_div(count, 16 * PAIR) * 16; }

// The call with its states in T, where they are given in P: the first ones widened, memory for those that are overwritten.
class Widened {
    std::unique_ptr<T[]> memory;

  public:
    Call call;
    explicit Widened(const Call& given) : call(given) {
        if (PAIR == 1) return;
        int64_t size = 0;
        for (int i = 0; i < STATES; ++i) size += 2 * given.batch * width_of(given, i);
        memory.reset(new T[size]);
        T* place = memory.get();
        for (int i = 0; i < STATES; ++i) {
            const int64_t count = given.batch * width_of(given, i);
            for (int64_t k = 0; k < count; k += LANES) store(place + k, load(given.first_given[i] + k, count - k), count - k);
            call.first[i] = place, place += count;
            if (!call.history[i]) call.history[i] = place;
            place += count;
        }
    }
};

// Shares of `count` for thread `id`, in whole units.
struct Range {
    int64_t begin, end;
};
static INLINE Range share(int64_t count, int id, int size, int64_t unit = 1) {
    const int64_t units = ceil_div(count, unit);
    return {std::min(count, units * id / size * unit), std::min(count, units * (id + 1) / size * unit)};
}

// Threads share out the rows, that is the sequences, which needs no waiting; or the units, meeting after each step: where the weights are
// more than a core keeps at hand, where the rows are few, and where weights that another core has just packed are more than what the
// steps give each other.
struct Plan {
    int threads;
    bool by_units, heavy;
};
static Plan plan(const Call& c, int64_t weights) {
    const int64_t step_work = weights * c.batch;
    const bool heavy = weights * int64_t(sizeof(P)) > (3 << 19), few = c.batch < 4 * c.threads;
    const int threads = int(std::max<int64_t>(1, std::min<int64_t>(c.threads, step_work * c.time / 100000)));
    const bool fresh = !c.packed && weights > c.time * c.batch * c.hidden;
    if (threads > 1 && panels_of(c) >= threads && (heavy || few || fresh) && step_work > 16384 * threads) return {threads, true, heavy};
    return {int(std::max<int64_t>(1, std::min<int64_t>(threads, c.batch))), false, heavy};
}

// What one thread does: which rows, and which panels of LANES units.
struct Part {
    std::vector<int32_t> rows;  // the longest sequences first, so that those that go on are always the first
    int64_t begin, end;         // panels
    int64_t going_on(const Call& c, int64_t t) const {
        if (!c.lengths) return int64_t(rows.size());
        return std::partition_point(rows.begin(), rows.end(), [&](int32_t row) { return c.lengths[row] > t; }) - rows.begin();
    }
};

static std::vector<int32_t> longest_first(const Call& c) {
    std::vector<int32_t> rows(c.batch);
    for (int64_t row = 0; row < c.batch; ++row) rows[row] = int32_t(row);
    if (c.lengths)
        std::stable_sort(rows.begin(), rows.end(), [&](int32_t a, int32_t b) { return c.lengths[a] > c.lengths[b]; });
    return rows;
}

static Part part_of(const Call& c, const std::vector<int32_t>& rows, bool by_units, int id, int size) {
    if (by_units) {
        const Range units = share(panels_of(c), id, size);
        return {rows, units.begin, units.end};
    }
    Part part{{}, 0, panels_of(c)};
    if (c.lengths)  // dealt out like cards: long and short ones to everyone
        for (size_t place = id; place < rows.size(); place += size) part.rows.push_back(rows[place]);
    else
        part.rows.assign(rows.begin() + rows.size() * id / size, rows.begin() + rows.size() * (id + 1) / size);
    return part;
}

// Threads that run one function together, on the pool that torch itself uses where it can be had: two pools would fight for the cores.
#pragma once
#include <atomic>
#include <system_error>
#include <thread>
#include <vector>
#if defined(__x86_64__)
#include <immintrin.h>
#endif
#include "vector.h"

using Body = void (*)(void*);
struct Pool {  // addresses in the OpenMP library that torch has loaded; 0 if there is none
    void (*parallel)(Body, void*, unsigned, unsigned);
    int (*thread)();
    int (*threads)();
};

// A meeting point. Waits spinning, for a step takes microseconds; after a while lets others run, in case there are fewer cores.
class Barrier {
    std::atomic<int> arrived{0}, round{0};

  public:
    void meet(int size) {
        if (size == 1) return;
        const int now = round.load(std::memory_order_relaxed);
        if (arrived.fetch_add(1, std::memory_order_acq_rel) + 1 == size) {
            arrived.store(0, std::memory_order_relaxed);
            round.store(now + 1, std::memory_order_release);
            return;
        }
        for (int spins = 0; round.load(std::memory_order_acquire) == now; ++spins) {
#if defined(__x86_64__)
            _mm_pause();
#endif
            if (spins > 4000) std::this_thread::yield();
        }
    }
};

// Runs job(id, size) once in each of at most `threads` threads; size says how many there are, for the pool may give fewer.
template <class Job>
static void together(const Pool& pool, int threads, Job job) {
    struct Shared {
        Job* job;
        const Pool* pool;
    } shared{&job, &pool};
    if (threads <= 1) {
        FlushDenormals flushed;
        return job(0, 1);
    }
    if (pool.parallel) {
        pool.parallel([](void* given) {
            Shared& shared = *(Shared*)given;
            FlushDenormals flushed;
            (*shared.job)(shared.pool->thread(), shared.pool->threads());
        }, &shared, unsigned(threads), 0);
        return;
    }
    std::atomic<int> size{0};  // 0 until it is known how many could be started
    std::vector<std::thread> others;
    try {
        for (int id = 1; id < threads; ++id)
            others.emplace_back([&job, &size, id] {
                FlushDenormals flushed;
                while (!size.load(std::memory_order_acquire)) std::this_thread::yield();
                job(id, size.load(std::memory_order_acquire));
            });
    } catch (const std::system_error&) {
    }
    size.store(int(others.size()) + 1, std::memory_order_release);
    {
        FlushDenormals flushed;
        job(0, int(others.size()) + 1);
    }
    for (auto& other : others) other.join();
}

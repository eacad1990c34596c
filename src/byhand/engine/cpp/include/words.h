// What is multiplied where weights are frozen: words of 32 bits, each MANY neighbouring numbers in low precision. In a lane of a
// vector of sums, one product of a word of weights and a word of a row adds MANY products.
#pragma once
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include "call.h"
#include "vector.h"

typedef const M LooseWords __attribute__((aligned(4), may_alias));
static INLINE M spread_word(int32_t word) { return word - M{}; }

#if defined(FROZEN_INT8)
// Integers from -127 to 127, of rows each with a scale. The sums are exact. Where the processor wants those of the input without a sign,
// they have 128 added, and 128 times the sum of the weights is taken off again.
constexpr int MANY = 4;
typedef M Sum;
#if defined(__AVX512VNNI__)
constexpr int32_t OFFSET = 128;
static INLINE void add_words(Sum& sum, M weight, M row) { sum = (M)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)row, (__m512i)weight); }
#else
constexpr int32_t OFFSET = 0;
#if defined(__AVX2__) && !defined(WIDE)
// Bytes as words of 16 bits, the even ones and the odd ones.
static INLINE __m256i even(M x) { return _mm256_srai_epi16(_mm256_slli_epi16((__m256i)x, 8), 8); }
static INLINE __m256i odd(M x) { return _mm256_srai_epi16((__m256i)x, 8); }
static INLINE void add_words(Sum& sum, M weight, M row) {
    const __m256i two = _mm256_add_epi32(_mm256_madd_epi16(even(weight), even(row)), _mm256_madd_epi16(odd(weight), odd(row)));
    sum += (M)two;
}
#else
static INLINE void add_words(Sum& sum, M weight, M row) {
    UNROLL
    for (int shift = 24; shift >= 0; shift -= 8) sum += ((weight << shift) >> 24) * ((row << shift) >> 24);
}
#endif
#endif

static INLINE T largest(const T* from, int64_t count) {
    V most = {}, odd = {};  // odd: NaN where a number is infinite or NaN
    for (int64_t k = 0; k < count; k += LANES) {
        const V value = load(from + k, count - k);
        most = maximum_(most, abs_(value));
        odd += value * T(0);
    }
    T total = 0;
    for (int lane = 0; lane < LANES; ++lane) total = std::max(total, most[lane]);
    return total + sum(odd);
}
// A row in words, the last filled up with zeros; gives its scale: of a row of zeros 0, of one that is not finite NaN. offset: added to each
// number. total: of all of them before.
static INLINE T write_words(const T* from, int64_t count, int32_t* to, int32_t offset, int32_t* total = nullptr) {
    typedef uint8_t Bytes __attribute__((vector_size(LANES)));
    const T most = largest(from, count), inverse = T(127) / most;
    const bool plain = inverse <= std::numeric_limits<T>::max();  // else zeros: the numbers are next to 0, or not finite
    M all = {};
    for (int64_t k = 0; k < count; k += LANES) {
        const V moved = load(from + k, count - k) * (plain ? inverse : T(0)) + T(12582912);  // rounds: of two neighbours to the even one
        const M value = (M)moved - 0x4b400000;
        all += value;
        const Bytes bytes = __builtin_convertvector(value + offset, Bytes);
        std::memcpy((uint8_t*)to + k, &bytes, std::min<int64_t>(LANES, ceil_div(count - k, MANY) * MANY));
    }
    if (total)
        for (int lane = 0; lane < LANES; ++lane) *total += all[lane];
    return plain ? most / T(127) : most * T(0);
}
#else
// bfloat16, the sums in float.
constexpr int MANY = 2;
constexpr int32_t OFFSET = 0;
typedef V Sum;
#if defined(__AVX512BF16__)
static INLINE void add_words(Sum& sum, M weight, M row) { sum = (V)_mm512_dpbf16_ps((__m512)sum, (__m512bh)weight, (__m512bh)row); }
#else
static INLINE void add_words(Sum& sum, M weight, M row) {
    sum += (V)(weight << 16) * (V)(row << 16);
    sum += (V)(weight & int32_t(0xffff0000)) * (V)(row & int32_t(0xffff0000));
}
#endif
static INLINE T write_words(const T* from, int64_t count, int32_t* to, int32_t, int32_t* = nullptr) {
    typedef uint16_t Halves __attribute__((vector_size(LANES * 2)));
    for (int64_t k = 0; k < count; k += LANES) {
        const V value = load(from + k, count - k);
        const M bits = (M)value, nearest = bits + 0x7fff + (bits >> 16 & 1);  // of two neighbours to the even one
        const Halves halves = __builtin_convertvector((value == value ? nearest : bits | (64 << 16)) >> 16, Halves);
        std::memcpy((uint16_t*)to + k, &halves, 2 * std::min<int64_t>(LANES, ceil_div(count - k, MANY) * MANY));
    }
    return 1;
}
#endif

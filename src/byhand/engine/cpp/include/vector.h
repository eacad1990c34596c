// Vectors as wide as the processor's, and the functions of a step on them.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>
#include "number.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#if defined(__clang__)
#define UNROLL _Pragma("unroll")
#else
#define UNROLL _Pragma("GCC unroll 64")
#endif
#define INLINE inline __attribute__((always_inline))

#if defined(__AVX512F__) && defined(__AVX512DQ__)
#define WIDE 1  // masks and approximate reciprocals
constexpr int BYTES = 64;
#elif defined(__AVX2__) && defined(__FMA__)
constexpr int BYTES = 32;
#else
constexpr int BYTES = 16;  // NEON, SSE, or whatever the compiler makes of it
#endif

typedef std::conditional<sizeof(T) == 4, int32_t, int64_t>::type I;
constexpr int LANES = BYTES / sizeof(T);
#if defined(__x86_64__) && !defined(WIDE)
constexpr int REGISTERS = 16;  // of AVX2 and SSE
#else
constexpr int REGISTERS = 32;  // of AVX-512 and NEON
#endif
constexpr int SUMS = REGISTERS / 4 * 3;  // that stay in registers, beside what is multiplied
typedef T V __attribute__((vector_size(BYTES)));
typedef I M __attribute__((vector_size(BYTES)));  // of integers, or what comparisons give: -1 where true
typedef T Loose __attribute__((vector_size(BYTES), aligned(sizeof(T)), may_alias));

static INLINE V fill(T value) { return value - V{}; }  // x − 0 is x, where x + 0 would cost an addition: it makes 0 of −0
static INLINE V load(const T* from) { return *(const Loose*)from; }
static INLINE void store(T* to, V value) { *(Loose*)to = value; }

// The first `count` values only; the rest is 0 and not touched.
static INLINE V load(const T* from, int64_t count) {
    if (count >= LANES) return load(from);
#ifdef WIDE
    if constexpr (sizeof(T) == 4)
        return (V)_mm512_maskz_loadu_ps(__mmask16((1u << count) - 1), from);
    else
        return (V)_mm512_maskz_loadu_pd(__mmask8((1u << count) - 1), from);
#else
    V value = {};
    for (int lane = 0; lane < count; ++lane) value[lane] = from[lane];
    return value;
#endif
}
static INLINE void store(T* to, V value, int64_t count) {
    if (count >= LANES) return store(to, value);
#ifdef WIDE
    if constexpr (sizeof(T) == 4)
        _mm512_mask_storeu_ps(to, __mmask16((1u << count) - 1), (__m512)value);
    else
        _mm512_mask_storeu_pd(to, __mmask8((1u << count) - 1), (__m512d)value);
#else
    for (int lane = 0; lane < count; ++lane) to[lane] = value[lane];
#endif
}
static INLINE T sum(V value) {
    T total = 0;
    UNROLL
    for (int half = LANES / 2; half; half /= 2)
        for (int lane = 0; lane < half; ++lane) value[lane] += value[lane + half];
    total = value[0];
    return total;
}

// A NaN in x stays.
static INLINE V clamp(V x, T low, T high) {
#ifdef WIDE
    if constexpr (sizeof(T) == 4)
        return (V)_mm512_maskz_max_ps(0xffff, (__m512)fill(low), _mm512_maskz_min_ps(0xffff, (__m512)fill(high), (__m512)x));
#endif
    x = x > high ? fill(high) : x;
    return x < low ? fill(low) : x;
}

// Exchanges the upper corner of a with the lower one of b, in squares of d lanes.
static INLINE void exchange(V& a, V& b, int d) {
#if defined(__clang__)
    V one, other;
    for (int lane = 0; lane < LANES; ++lane) {
        one[lane] = lane & d ? b[lane - d] : a[lane];
        other[lane] = lane & d ? b[lane] : a[lane + d];
    }
#else
    M low = {}, high = {};
    UNROLL
    for (int lane = 0; lane < LANES; ++lane) {
        low[lane] = lane & d ? LANES + lane - d : lane;
        high[lane] = lane & d ? LANES + lane : lane + d;
    }
    const V one = __builtin_shuffle(a, b, low), other = __builtin_shuffle(a, b, high);
#endif
    a = one;
    b = other;
}

// 1 / d for finite d of normal size, to within about one unit in the last place.
static INLINE V inverse(V d) {
#ifdef WIDE
    if constexpr (sizeof(T) == 4) {
        const V y = (V)_mm512_maskz_rcp14_ps(0xffff, (__m512)d);
        return y * (T(2) - d * y);
    }
#endif
    return T(1) / d;
}

// x = n·ln 2 + r with |r| <= ln 2 / 2, and e^r − 1 = r + r²·q(r). q: for float a polynomial fitted at Chebyshev nodes (error
// 1e-9), for double the Taylor series.
struct Reduced {
    V remainder_minus_one;  // e^r − 1
    V n;
    M whole;  // n as an integer
};
static INLINE Reduced reduce(V x) {
    constexpr bool single = sizeof(T) == 4;
    const T shift = single ? T(12582912) : T(6755399441055744);  // 1.5 · 2^23 or 2^52: the sum is rounded to a whole number
    const V moved = x * T(1.4426950408889634074) + shift;
    const V n = moved - shift;
    const V r = single ? (x - n * T(0.693359375)) - n * T(-2.12194440054690583e-4)
                       : (x - n * T(0.693147180369123816490)) - n * T(1.90821492927058770002e-10);
    V q;
    if constexpr (single) {
        q = fill(T(1.3926183586701981e-3));
        q = q * r + T(8.3631790527194e-3);
        q = q * r + T(4.16665546172152e-2);
        q = q * r + T(1.6666576989698803e-1);
        q = q * r + T(0.5);
    } else {
        const double terms[] = {1.6059043836821613e-10, 2.08767569878681e-09,   2.505210838544172e-08, 2.755731922398589e-07,
                                2.7557319223985893e-06, 2.48015873015873e-05,   1.984126984126984e-04, 1.3888888888888889e-03,
                                8.333333333333333e-03,  4.1666666666666664e-02, 1.6666666666666666e-01, 0.5};
        q = fill(T(terms[0]));
        UNROLL
        for (int term = 1; term < 12; ++term) q = q * r + T(terms[term]);
    }
    const I bits = single ? I(0x4b400000) : I(0x4338000000000000LL);  // of the shift
    return {r + (r * r) * q, n, (M)moved - bits};
}
// x · 2^n, as far as 2^n is of normal size.
static INLINE V scaled(V x, const Reduced& e) {
#ifdef WIDE
    if constexpr (sizeof(T) == 4) return (V)_mm512_maskz_scalef_ps(0xffff, (__m512)x, (__m512)e.n);
#endif
    return x * (V)((e.whole + I(sizeof(T) == 4 ? 127 : 1023)) << (sizeof(T) == 4 ? 23 : 52));
}

static INLINE V exp_(V x) {
    const Reduced e = reduce(clamp(x, sizeof(T) == 4 ? T(-150) : T(-1080), sizeof(T) == 4 ? T(100) : T(720)));
#ifdef WIDE
    if constexpr (sizeof(T) == 4) return scaled(e.remainder_minus_one + T(1), e);
#endif
    const M half = e.whole >> 1;  // in two factors, for the ends of the range
    const V first = scaled(e.remainder_minus_one + T(1), {V{}, V{}, half});
    return scaled(first, {V{}, V{}, e.whole - half});
}
static INLINE V expm1_(V x) {
    const Reduced e = reduce(clamp(x, T(-60), T(60)));
    const V scale = scaled(fill(1), e);
    const V near = e.remainder_minus_one * scale + (scale - T(1));
    return x > T(60) ? exp_(x) : near;
}
static INLINE V sigmoid_(V x) {
    const Reduced e = reduce(clamp(-x, T(-60), sizeof(T) == 4 ? T(87.5) : T(709)));
    const V value = inverse(scaled(e.remainder_minus_one + T(1), e) + T(1));
    return x < (sizeof(T) == 4 ? T(-87.336) : T(-708.396)) ? V{} : value;  // 0 in full, so that a derivative there is 0, too
}
static INLINE V tanh_(V x) {
    const Reduced e = reduce(clamp(x + x, T(-44), T(44)));
    const V scale = scaled(fill(1), e);
    const V m = e.remainder_minus_one * scale + (scale - T(1));  // e^2x − 1
    const V value = m * inverse(m + T(2));
    return (x > (sizeof(T) == 4 ? T(9.1) : T(19.1))) | (value > T(1)) ? fill(1) : value;  // 1 in full, and never more
}
static INLINE V abs_(V x) { return (V)((M)x & std::numeric_limits<I>::max()); }
static INLINE V maximum_(V a, V b) { return (a > b) | (a != a) ? a : b; }
static INLINE V minimum_(V a, V b) { return (a < b) | (a != a) ? a : b; }
static INLINE V sign_(V x) { return x > T(0) ? fill(1) : (x < T(0) ? fill(-1) : V{}); }  // 0 of NaN, as torch.sign

// Seldom met in a cell: one lane after the other.
#define LANE_BY_LANE(name, function)                                                   \
    static inline V name(V x) {                                                        \
        for (int lane = 0; lane < LANES; ++lane) x[lane] = std::function(x[lane]);     \
        return x;                                                                      \
    }
LANE_BY_LANE(log_, log) LANE_BY_LANE(log2_, log2) LANE_BY_LANE(log1p_, log1p) LANE_BY_LANE(sqrt_, sqrt)
LANE_BY_LANE(floor_, floor) LANE_BY_LANE(ceil_, ceil) LANE_BY_LANE(round_, nearbyint) LANE_BY_LANE(exp2_, exp2)
LANE_BY_LANE(erf_, erf) LANE_BY_LANE(erfc_, erfc) LANE_BY_LANE(sin_, sin) LANE_BY_LANE(cos_, cos) LANE_BY_LANE(tan_, tan)
LANE_BY_LANE(asin_, asin) LANE_BY_LANE(acos_, acos) LANE_BY_LANE(atan_, atan) LANE_BY_LANE(sinh_, sinh)
LANE_BY_LANE(cosh_, cosh) LANE_BY_LANE(asinh_, asinh) LANE_BY_LANE(acosh_, acosh) LANE_BY_LANE(atanh_, atanh)
static inline V pow_(V x, V y) {
    for (int lane = 0; lane < LANES; ++lane) x[lane] = std::pow(x[lane], y[lane]);
    return x;
}
static inline V atan2_(V y, V x) {
    for (int lane = 0; lane < LANES; ++lane) y[lane] = std::atan2(y[lane], x[lane]);
    return y;
}

// Numbers too small for the usual form are taken for 0 while this lives: they would cost a hundred cycles each.
class FlushDenormals {
#if defined(__x86_64__)
    unsigned before = _mm_getcsr();

  public:
    FlushDenormals() { _mm_setcsr(before | 0x8040); }
    ~FlushDenormals() { _mm_setcsr(before); }
#elif defined(__aarch64__)
    uint64_t before;

  public:
    FlushDenormals() {
        asm volatile("mrs %0, fpcr" : "=r"(before));
        asm volatile("msr fpcr, %0" ::"r"(before | (1 << 24)));
    }
    ~FlushDenormals() { asm volatile("msr fpcr, %0" ::"r"(before)); }
#endif
};

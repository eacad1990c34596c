// A cell: its sizes, and its programs for LANES units at once.
#pragma once
#include "vector.h"

struct Cell {
static constexpr int gates = 4, preactivations = 4, states = 2,
    parameters = 0, sources = 1, sites_count = 7;
static constexpr bool truncated = false;
static constexpr int x_preactivation[] = {0, 1, 2, 3};
static constexpr int u_preactivation[] = {0, 1, 2, 3};
static constexpr int source[] = {0};
static constexpr bool forward_reads[] = {false, true};
static constexpr bool backward_reads[] = {false, true};
static constexpr bool sites_reads[] = {false, true};
static constexpr bool carries[] = {false, true};
static INLINE void forward(const V* a, const V* s, const V* p, V* n, V* k) {
    const V v0 = sigmoid_(a[0]);
    const V v1 = sigmoid_(a[1]);
    const V v2 = tanh_(a[2]);
    const V v3 = sigmoid_(a[3]);
    const V v4 = s[1] * v1;
    const V v5 = v0 * v2;
    const V v6 = v4 + v5;
    const V v7 = tanh_(v6);
    const V v8 = v7 * v3;
    n[0] = v8;
    n[1] = v6;
    k[0] = v0;
    k[1] = v1;
    k[2] = v2;
    k[3] = v3;
}
static INLINE void backward(const V* k, const V* s, const V* p, const V* d, V* da, V* ds, V* dp) {
    const V v0 = s[1] * k[1];
    const V v1 = k[0] * k[2];
    const V v2 = v0 + v1;
    const V v3 = tanh_(v2);
    const V v4 = d[0] * k[3];
    const V v5 = d[0] * v3;
    const V v6 = v3 * v3;
    const V v7 = V(T(1.0) + V{}) - v6;
    const V v8 = v4 * v7;
    const V v9 = d[1] + v8;
    const V v10 = k[0] * v9;
    const V v11 = v9 * k[2];
    const V v12 = v9 * k[1];
    const V v13 = s[1] * v9;
    const V v14 = V(T(1.0) + V{}) - k[3];
    const V v15 = v14 * k[3];
    const V v16 = v5 * v15;
    const V v17 = k[2] * k[2];
    const V v18 = V(T(1.0) + V{}) - v17;
    const V v19 = v10 * v18;
    const V v20 = V(T(1.0) + V{}) - k[1];
    const V v21 = v20 * k[1];
    const V v22 = v13 * v21;
    const V v23 = V(T(1.0) + V{}) - k[0];
    const V v24 = k[0] * v23;
    const V v25 = v11 * v24;
    da[0] = v25;
    da[1] = v22;
    da[2] = v19;
    da[3] = v16;
    ds[0] = V(T(0.0) + V{});
    ds[1] = v12;
}
static INLINE void sites(const V* k, const V* s, const V* p, V* seen) {
    const V v0 = s[1] * k[1];
    const V v1 = k[0] * k[2];
    const V v2 = v0 + v1;
    const V v3 = tanh_(v2);
    const V v4 = v3 * k[3];
    seen[0] = k[0];
    seen[1] = k[1];
    seen[2] = k[2];
    seen[3] = k[3];
    seen[4] = v2;
    seen[5] = v3;
    seen[6] = v4;
}
};

constexpr int GATES = Cell::gates, PREACTIVATIONS = Cell::preactivations, STATES = Cell::states, PARAMETERS = Cell::parameters,
              SOURCES = Cell::sources;

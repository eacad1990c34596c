/** Two companies and the twelve published numbers: what the tour runs on. Made by tools/companies_document.py. */

import type { Doc } from "../../document/schema";

export const companies: Doc = {
 "schema": 1,
 "title": "Two companies, four days",
 "about": "An LSTM of 1 unit, in one layer, that reads the prices of a company on four days and answers with the price of the fifth, which is that of the first.",
 "telling": 1,
 "name": "lstm",
 "features": ["price"],
 "alphabet": null,
 "call": {
  "around": null,
  "packed": false,
  "batched": true,
  "batch_first": false,
  "lengths": null,
  "states": false,
  "random": false
 },
 "cell": {
  "name": "lstm",
  "gates": ["i", "f", "g", "o"],
  "state": ["h", "c"],
  "sites": ["i", "f", "g", "o", "c", "tanh_c", "h"],
  "sources": ["h"],
  "reads": {"i": ["h"], "f": ["h"], "g": ["h"], "o": ["h"]},
  "shared": {},
  "ranges": {"i": "share", "f": "share", "g": "signed", "o": "share", "c": "free", "tanh_c": "signed", "h": "signed"},
  "labels": {
   "h": "short memory",
   "c": "long memory",
   "i": "input gate",
   "f": "forget gate",
   "g": "candidate",
   "o": "output gate",
   "tanh_c": "squashed long memory"
  },
  "equations": [
   "i = σ(W_i·x + U_i·h + b_i)      input gate: how much of the candidate is written",
   "f = σ(W_f·x + U_f·h + b_f)      forget gate: how much of the cell state is kept",
   "g = tanh(W_g·x + U_g·h + b_g)   candidate: what could be written",
   "o = σ(W_o·x + U_o·h + b_o)      output gate: how much of the cell state is exposed",
   "c′ = f ⊙ c + i ⊙ g",
   "h′ = o ⊙ tanh(c′)"
  ],
  "cite": "Hochreiter & Schmidhuber 1997; Gers, Schmidhuber & Cummins 2000",
  "constants": {},
  "truncated": false,
  "program": {
   "inputs": ["x.i", "x.f", "x.g", "x.o", "u.i", "u.f", "u.g", "u.o", "s.h", "s.c", "d.h", "d.c"],
   "lines": [
    ["v0", "add", ["u.i", "x.i"]],
    ["v1", "sigmoid", ["v0"]],
    ["v2", "add", ["u.f", "x.f"]],
    ["v3", "sigmoid", ["v2"]],
    ["v4", "add", ["u.g", "x.g"]],
    ["v5", "tanh", ["v4"]],
    ["v6", "add", ["u.o", "x.o"]],
    ["v7", "sigmoid", ["v6"]],
    ["v8", "mul", ["s.c", "v3"]],
    ["v9", "mul", ["v1", "v5"]],
    ["v10", "add", ["v8", "v9"]],
    ["v11", "tanh", ["v10"]],
    ["v12", "mul", ["v11", "v7"]],
    ["v13", "mul", ["d.h", "v7"]],
    ["v14", "mul", ["d.h", "v11"]],
    ["v15", "mul", ["v11", "v11"]],
    ["v16", "sub", [1.0, "v15"]],
    ["v17", "mul", ["v13", "v16"]],
    ["v18", "add", ["d.c", "v17"]],
    ["v19", "mul", ["v1", "v18"]],
    ["v20", "mul", ["v18", "v5"]],
    ["v21", "mul", ["v18", "v3"]],
    ["v22", "mul", ["s.c", "v18"]],
    ["v23", "sub", [1.0, "v7"]],
    ["v24", "mul", ["v23", "v7"]],
    ["v25", "mul", ["v14", "v24"]],
    ["v26", "mul", ["v5", "v5"]],
    ["v27", "sub", [1.0, "v26"]],
    ["v28", "mul", ["v19", "v27"]],
    ["v29", "sub", [1.0, "v3"]],
    ["v30", "mul", ["v29", "v3"]],
    ["v31", "mul", ["v22", "v30"]],
    ["v32", "sub", [1.0, "v1"]],
    ["v33", "mul", ["v1", "v32"]],
    ["v34", "mul", ["v20", "v33"]]
   ],
   "results": {
    "n.h": "v12",
    "n.c": "v10",
    "site.i": "v1",
    "site.f": "v3",
    "site.g": "v5",
    "site.o": "v7",
    "site.c": "v10",
    "site.tanh_c": "v11",
    "site.h": "v12",
    "grad.x.i": "v34",
    "grad.x.f": "v31",
    "grad.x.g": "v28",
    "grad.x.o": "v25",
    "grad.u.i": "v34",
    "grad.u.f": "v31",
    "grad.u.g": "v28",
    "grad.u.o": "v25",
    "grad.s.h": 0.0,
    "grad.s.c": "v21"
   }
  }
 },
 "layers": [
  {
   "place": "l0",
   "layer": 0,
   "reverse": false,
   "input": 1,
   "hidden": 1,
   "output": 1,
   "weights": {
    "input": {"shape": [4, 1], "dtype": "f8", "data": "ZmZmZmZm+j8UrkfhehT6PxSuR+F6FO4/UrgehetRyL8="},
    "recurrent": {"shape": [4, 1], "dtype": "f8", "data": "AAAAAAAAAECamZmZmZkFQI/C9Shcj/Y/hetRuB6FEUA="},
    "bias_input": {"shape": [4], "dtype": "f8", "data": "16NwPQrX4z/sUbgehev5P3sUrkfhetS/4XoUrkfh4j8="},
    "bias_recurrent": {"shape": [4], "dtype": "u1", "data": "AAAAAA==", "low": 0.0, "high": 0.0},
    "projection": null,
    "vectors": {}
   }
  }
 ],
 "items": [
  {
   "name": "company A",
   "steps": 4,
   "input": {"shape": [4, 1], "dtype": "f8", "data": "AAAAAAAAAAAAAAAAAADgPwAAAAAAANA/AAAAAAAA8D8="},
   "characters": null,
   "initial": {
    "l0": {
     "h": {"shape": [1], "dtype": "u1", "data": "AA==", "low": 0.0, "high": 0.0},
     "c": {"shape": [1], "dtype": "u1", "data": "AA==", "low": 0.0, "high": 0.0}
    }
   },
   "maps": null,
   "answer": {
    "steps": 4,
    "targets": {"shape": [1, 1], "dtype": "u1", "data": "AA==", "low": 0.0, "high": 0.0},
    "offsets": null,
    "labels": null
   }
  },
  {
   "name": "company B",
   "steps": 4,
   "input": {"shape": [4, 1], "dtype": "f8", "data": "AAAAAAAA8D8AAAAAAADgPwAAAAAAANA/AAAAAAAA8D8="},
   "characters": null,
   "initial": {
    "l0": {
     "h": {"shape": [1], "dtype": "u1", "data": "AA==", "low": 0.0, "high": 0.0},
     "c": {"shape": [1], "dtype": "u1", "data": "AA==", "low": 0.0, "high": 0.0}
    }
   },
   "maps": null,
   "answer": {
    "steps": 4,
    "targets": {"shape": [1, 1], "dtype": "u1", "data": "AA==", "low": 1.0, "high": 1.0},
    "offsets": null,
    "labels": null
   }
  }
 ],
 "head": null,
 "answer": {"at": "last", "kind": "numbers", "spreads": null, "offsets": null},
 "computed": true,
 "why_not": null,
 "notices": [],
 "training": null
};

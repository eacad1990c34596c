// What Python fills in: see arguments.py. Strides count values.
#pragma once
#include "cell.h"
#include "operands.h"
#include "team.h"

struct Call {
    int64_t time;  // steps
    int64_t batch;  // sequences
    int64_t input;  // width of the input
    int64_t hidden;  // units
    int64_t output;  // width of the first state: hidden, or as wide as it is projected
    int64_t reverse;  // whether it runs from the last step to the first
    int64_t threads;  // at most
    int64_t wants_first;  // backward: whether gradients by the first states are wanted
    int64_t saves;  // forward: whether `saved` is filled
    Pool pool;  // functions of the OpenMP library that torch has loaded; zeros: threads are started here
    const int64_t* lengths;  // (batch); 0 if all sequences are of full length
    const int64_t* offsets;  // (time): where each step's rows begin, of packed sequences, which have none where they have ended
    const P* x;  // (time, batch, input), as all with time and batch; packed, (rows, input)
    const P* weight_x;  // weights as torch lays them out; 0 where there is none
    const P* weight_h;
    const P* bias_x;
    const P* bias_h;
    const P* weight_projection;
    T* saved;  // (time, batch, preactivations * hidden): what the derivative is made from
    P* unprojected;  // (time, batch, hidden): the step's own output, where it is then projected
    P* packed;  // the weights as pack() lays them out; 0: packed during the call
    const T* first[STATES];  // (batch, width): the states before the first step
    T* history[STATES];  // (time, batch, width), or (batch, width) overwritten step by step
    int64_t history_time[STATES];  // values from one step's to the next; 0 if overwritten
    T* last[STATES];  // (batch, width): the states after each sequence's last step
    const P* first_given[STATES];  // (batch, width): instead of first where P is narrower than T; a history that is 0 is then overwritten
    P* last_given[STATES];  // (batch, width): instead of last
    P* rounded[STATES];  // (time, batch, width): the new states as the recurrent product reads them; 0 if nobody does
    const P* parameter[PARAMETERS + 1];  // vectors (hidden), then masks
    int64_t parameter_time[PARAMETERS + 1];  // values from one step's to the next; 0 if it is the same at every step
    int64_t parameter_batch[PARAMETERS + 1];  // values from one sequence's to the next; 0 if it is the same for all
    const P* grad_output;  // (time, batch, output); 0 for zeros. This and all below: backward only
    T* grad_state[STATES];  // (batch, width): by the last states before the call, by the first ones after it
    P* grad_preactivations;  // (time, batch, preactivations * hidden); 0 where the next but one four are made here
    P* grad_projected;  // (time, batch, output), with grad_preactivations
    T* grad_x;  // shaped as what they are by; 0 if not wanted
    T* grad_weight_x;
    T* grad_weight_h;
    T* grad_weight_projection;
    T* grad_bias;  // (preactivations * hidden)
    T* grad_parameter[PARAMETERS + 1];  // (hidden); 0 if not wanted
    T* grad_history[STATES];  // (time, batch, hidden): by each new state in full; 0 if not wanted
    const uint8_t* cut;  // (time, batch): whether the states before the step are those of restart; 0 if nowhere
    const T* restart[STATES];  // (batch, width)
    T* grad_restart[STATES];  // (batch, width), to be added to; 0 if not wanted
};

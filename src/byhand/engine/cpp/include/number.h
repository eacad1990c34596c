// The number type.
#pragma once

typedef float T;

// Everything a C++ user needs: tensors, ops, automatic differentiation, saving and loading.
#pragma once
#include "bolide/autograd.h"
#include "bolide/io.h"
#include "bolide/ops.h"
#include "bolide/tensor.h"

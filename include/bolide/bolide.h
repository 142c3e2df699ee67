// Everything a C++ user needs: tensors, ops, automatic differentiation, modules, optimizers, data, saving and loading.
#pragma once
#include "bolide/autograd.h"
#include "bolide/data.h"
#include "bolide/factories.h"
#include "bolide/io.h"
#include "bolide/nn.h"
#include "bolide/ops.h"
#include "bolide/optim.h"
#include "bolide/print.h"
#include "bolide/random.h"
#include "bolide/tensor.h"

// optim: optimizers, learning rate schedules, averages of weights.
#pragma once
#include "bolide/optim/optimizers.h"
#include "bolide/optim/schedulers.h"

"""AdamW (Loshchilov & Hutter 2019) that starts at once.

Methods of torch's optimizers are wrapped for torch.compile, and the first call imports the compiler: a second, in which
nothing is compiled.
"""

from inspect import unwrap

import torch
from torch.optim import AdamW as Wrapped


class AdamW(Wrapped):
    """torch.optim.AdamW with the same arguments and the same bits. It cannot itself be compiled."""

    add_param_group = unwrap(Wrapped.add_param_group)
    state_dict = unwrap(Wrapped.state_dict)
    load_state_dict = torch.no_grad()(unwrap(Wrapped.load_state_dict))
    step = torch.no_grad()(unwrap(Wrapped.step))
    zero_grad = unwrap(Wrapped.zero_grad)

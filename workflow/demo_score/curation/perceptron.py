"""A multi-layer perceptron for each of M members, with its gradients.

Such small layers are computed in microseconds: what autograd does for each of their operations takes as long.
"""

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx


class Perceptron(torch.autograd.Function):
    """ReLU after each layer but the last, and dropout (Srivastava et al. 2014) after each ReLU.

    Samples come last: widths are small, and products with few columns take three times as long.
    """

    @staticmethod
    def forward(
        ctx: FunctionCtx, samples: Tensor, kept: tuple[Tensor, ...] | None, gain: float, *layers: Tensor
    ) -> Tensor:
        """Outputs (M, n_out, samples) of samples (M, width, samples).

        kept: of each hidden layer, 1 (M, units, samples) where a unit is kept, else 0; None: all are.
        gain: by what units are multiplied that are kept.
        layers: weight (M, n_out, n_in) and bias (M, n_out) of each layer.
        """
        weights, biases = layers[::2], layers[1::2]
        values = [samples]
        for layer, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
            if layer:
                hidden = values[-1].relu_()
                if kept is not None:
                    hidden.mul_(kept[layer - 1])
            values.append(torch.baddbmm(bias.unsqueeze(2), weight, values[-1], alpha=gain if layer else 1.0))
        ctx.gain = gain
        ctx.save_for_backward(*values[:-1], *weights)
        return values[-1]

    @staticmethod
    def backward(ctx: FunctionCtx, gradient: Tensor) -> tuple[Tensor | None, ...]:
        saved = ctx.saved_tensors
        values, weights = saved[: len(saved) // 2], saved[len(saved) // 2 :]
        gradients: list[Tensor] = []
        for layer in reversed(range(len(weights))):
            gain = ctx.gain if layer else 1.0
            gradients += [gradient.sum(2), torch.bmm(gradient, values[layer].mT).mul_(gain)]
            if layer:  # a unit that is 0 was dropped, or not reached: either way nothing follows from it
                gradient = torch.bmm(weights[layer].mT * gain, gradient)
                gradient = torch.ops.aten.threshold_backward(gradient, values[layer], 0)
        return None, None, None, *reversed(gradients)

import numpy as np
import pytest
import torch
from demo_score.policies.transformer import Attention, DecoderLayer, EncoderLayer, sinusoidal_positions
from torch import nn


@pytest.mark.parametrize("pre_norm", [False, True])
@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_encoder_layer_without_positions_is_torchs(pre_norm, activation) -> None:
    layer = randomised(EncoderLayer(16, 4, 32, activation, 0.0, pre_norm))
    torchs = nn.TransformerEncoderLayer(16, 4, 32, 0.0, activation, batch_first=True, norm_first=pre_norm)
    copy_attention(layer.attention, torchs.self_attn)
    copy_common(layer, torchs, n_norms=2)
    x = torch.randn(3, 6, 16)
    valid = torch.tensor([6, 2, 4])[:, None] > torch.arange(6)
    expected = torchs(x, src_key_padding_mask=~valid)
    torch.testing.assert_close(layer(x, torch.zeros(1, 6, 16), valid[:, None, None]), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("pre_norm", [False, True])
def test_decoder_layer_without_positions_is_torchs(pre_norm) -> None:
    layer = randomised(DecoderLayer(16, 4, 32, "relu", 0.0, pre_norm))
    torchs = nn.TransformerDecoderLayer(16, 4, 32, 0.0, "relu", batch_first=True, norm_first=pre_norm)
    copy_attention(layer.self_attention, torchs.self_attn)
    copy_attention(layer.cross_attention, torchs.multihead_attn)
    copy_common(layer, torchs, n_norms=3)
    x, memory = torch.randn(3, 5, 16), torch.randn(3, 4, 16)
    decoded = layer(x, torch.zeros(1, 5, 16), memory, torch.zeros(1, 4, 16))
    torch.testing.assert_close(decoded, torchs(x, memory), rtol=1e-4, atol=1e-5)


def test_positions_enter_queries_and_keys_but_not_values() -> None:
    layer = randomised(EncoderLayer(16, 4, 32, "relu", 0.0, False))
    attention = nn.MultiheadAttention(16, 4, batch_first=True)
    copy_attention(layer.attention, attention)
    x, position = torch.randn(2, 6, 16), torch.randn(1, 6, 16)
    mixed = layer.residuals[0].norm(x + attention(x + position, x + position, x)[0])
    expected = layer.residuals[1].norm(mixed + layer.feed_forward(mixed))
    torch.testing.assert_close(layer(x, position), expected, rtol=1e-4, atol=1e-5)


def randomised(module: nn.Module) -> nn.Module:
    """Parameters away from zeros and ones, so that a forgotten one shows."""
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.3)
    return module


def copy_attention(source: Attention, target: nn.MultiheadAttention) -> None:
    parts = (source.query, source.key, source.value)
    target.in_proj_weight.data = torch.cat([part.weight for part in parts])
    target.in_proj_bias.data = torch.cat([part.bias for part in parts])
    target.out_proj.load_state_dict(source.out.state_dict())


def copy_common(source: EncoderLayer | DecoderLayer, target: nn.Module, n_norms: int) -> None:
    """Feed-forward and norms."""
    first, _, _, second = source.feed_forward
    target.linear1.load_state_dict(first.state_dict())
    target.linear2.load_state_dict(second.state_dict())
    for number in range(n_norms):
        getattr(target, f"norm{number + 1}").load_state_dict(source.residuals[number].norm.state_dict())


def test_sinusoidal_positions_are_those_of_the_paper() -> None:
    table = sinusoidal_positions(9, 6)
    assert table.shape == (1, 9, 6)
    for position in range(9):
        for pair in range(3):
            angle = position / 10000 ** (2 * pair / 6)
            assert float(table[0, position, 2 * pair]) == pytest.approx(np.sin(angle), abs=1e-5)
            assert float(table[0, position, 2 * pair + 1]) == pytest.approx(np.cos(angle), abs=1e-5)

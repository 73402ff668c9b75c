"""An initialisation that can copy from its context before the first update.

Induction heads (Olsson et al. 2022) take a small model a large part of a small training budget to find. Here they are
written into the weights: the heads of the first layer bring the last and the last but one token along, heads of later
layers look for places that follow the same two tokens and copy what stands there. Everything remains trainable. It follows
the idea of mimetic initialisation (Trockman and Kolter 2023), which ties queries to keys and values to outputs.

Channels: 0 is constant, TOKEN holds the token, BEFORE and EARLIER the two tokens before it.
"""

import torch

from .model import Llama

CONSTANT = 0
SHARPNESS = 60.0
MATCH = 80.0
COPY = 0.6


def channels(hidden: int) -> tuple[slice, slice, slice]:
    quarter = hidden // 4
    return slice(1, 2 * quarter), slice(2 * quarter, 3 * quarter), slice(3 * quarter, hidden)


@torch.no_grad()
def write_induction(model: Llama, seed: int) -> None:
    """Overwrites the embedding, half of the first layer's heads and half of the heads of the layers two to four. Heads must
    divide a quarter of the channels."""
    c = model.config
    generator = torch.Generator().manual_seed(seed)
    token, before, earlier = channels(c.hidden_size)
    width = token.stop - token.start
    unit = c.hidden_size**0.5
    embedding = torch.zeros(c.vocab_size, c.hidden_size)
    embedding[:, token] = torch.randn(c.vocab_size, width, generator=generator)
    embedding[:, token] /= embedding[:, token].norm(dim=1, keepdim=True)
    embedding[:, CONSTANT] = 0.5
    model.embed_tokens.weight.copy_(embedding)
    first = model.layers[0].self_attn
    # After the norm a row of the embedding has length sqrt(hidden): the constant channel reads `level`.
    level = 0.5 * unit / 1.25**0.5
    shrink = torch.randn(before.stop - before.start, width, generator=generator) * width**-0.5
    parts = shrink.split(c.head_dim)
    for n, (back, target) in enumerate(((1, before), (2, earlier))):
        for head, part in enumerate(parts, n * len(parts)):
            _look_back(first, head, c, back, level)
            rows = slice(head * c.head_dim, (head + 1) * c.head_dim)
            start = target.start + (head - n * len(parts)) * c.head_dim
            first.v_proj.weight[rows] = 0
            first.v_proj.weight[rows, token] = part
            first.o_proj.weight[start : start + c.head_dim, rows] = torch.eye(c.head_dim) * (1.25**0.5 / unit)
    slow = _slow_channels(model)
    for layer in model.layers[1:4]:
        for head in range(c.num_attention_heads // 2):
            _match(layer.self_attn, head, c, slow, shrink, (token, before, earlier), generator)


def _look_back(attention, head: int, c, back: int, level: float) -> None:
    """Queries and keys read the constant only; the query is turned so that the score is highest `back` places earlier."""
    half = c.head_dim // 2
    angles = back * c.rope_theta ** (-torch.arange(half).float() / half)
    size = SHARPNESS**0.5 / level
    rows = slice(head * c.head_dim, (head + 1) * c.head_dim)
    attention.q_proj.weight[rows] = 0
    attention.k_proj.weight[rows] = 0
    # The relative rotation of a key `back` places earlier is undone by turning the query back by the same angles.
    attention.q_proj.weight[rows, CONSTANT] = torch.cat((angles.cos(), -angles.sin())) * size
    attention.k_proj.weight[rows, CONSTANT] = torch.cat((torch.ones(half), torch.zeros(half))) * size


def _slow_channels(model: Llama) -> torch.Tensor:
    """Channels of a head that turn by less than a radian in 60 positions: there content can be compared at a distance."""
    c = model.config
    half = c.head_dim // 2
    turning = c.rope_theta ** (-torch.arange(half).float() / half)
    slow = (turning < 1 / 60).nonzero()[:, 0]
    return torch.cat((slow, slow + half))


def _match(attention, head: int, c, slow: torch.Tensor, shrink: torch.Tensor, parts: tuple, generator) -> None:
    token, before, earlier = parts
    start = head * c.head_dim
    rows = slice(start, start + c.head_dim)
    for weight in (attention.q_proj.weight, attention.k_proj.weight, attention.v_proj.weight):
        weight[rows] = 0
    size = before.stop - before.start
    for (query_from, key_from), strength in (((token, before), 1.0), ((before, earlier), 0.6)):
        project = torch.randn(len(slow), size, generator=generator) * len(slow) ** -0.5
        strength *= (MATCH / c.hidden_size) ** 0.5 * c.head_dim**0.25
        reading = project @ shrink if query_from is token else project
        attention.q_proj.weight[start + slow, query_from] += reading * strength
        attention.k_proj.weight[start + slow, key_from] += project * strength
    copied = torch.randn(c.head_dim, token.stop - token.start, generator=generator) * c.head_dim**-0.5
    attention.v_proj.weight[rows, token] = copied
    attention.o_proj.weight[token, rows] = copied.T * COPY / c.hidden_size**0.5

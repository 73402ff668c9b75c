"""A llama-family decoder in plain PyTorch, with the parameter names of the Hugging Face layout below "model."."""

from dataclasses import asdict, dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .attention import attend_causal


@dataclass(frozen=True)
class Config:
    vocab_size: int
    hidden_size: int = 192
    num_hidden_layers: int = 5
    num_attention_heads: int = 6
    num_key_value_heads: int = 6
    intermediate_size: int = 512
    max_position_embeddings: int = 2048
    rope_theta: float = 1000000.0
    rms_norm_eps: float = 1e-5

    @property
    def head_dim(self) -> int:
        return self.hidden_size // self.num_attention_heads

    def to_json(self) -> dict:
        return asdict(self)


@dataclass
class Cache:
    """Keys and values of one layer, [rows, heads, positions, head size], and the next free position."""

    keys: Tensor
    values: Tensor
    length: int = 0


def rotary_tables(config: Config) -> tuple[Tensor, Tensor]:
    """Cosines and sines, [positions, head size]."""
    exponent = torch.arange(0, config.head_dim, 2).float() / config.head_dim
    angles = torch.arange(config.max_position_embeddings)[:, None] * config.rope_theta**-exponent
    angles = torch.cat((angles, angles), -1)
    return angles.cos(), angles.sin()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    first, second = x.chunk(2, -1)
    return x * cos + torch.cat((-second, first), -1) * sin


def attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    """Causal where there is no mask."""
    grouped = q.shape[1] != k.shape[1]
    if mask is None and not grouped and q.device.type == "cpu":
        q, k = (q * q.shape[-1] ** -0.5).to(v.dtype), k.to(v.dtype)
        return attend_causal(*(part.reshape(-1, *part.shape[2:]) for part in (q, k, v)))[0].view(q.shape)
    q, k = q.to(v.dtype), k.to(v.dtype)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=mask is None, enable_gqa=grouped)


class Norm(nn.Module):
    def __init__(self, config: Config):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(config.hidden_size))
        self.eps = config.rms_norm_eps

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, (x.shape[-1],), self.weight.to(x.dtype), self.eps)


class Attention(nn.Module):
    def __init__(self, config: Config):
        super().__init__()
        size, head = config.hidden_size, config.head_dim
        self.heads, self.kv_heads, self.head = config.num_attention_heads, config.num_key_value_heads, head
        self.q_proj = nn.Linear(size, self.heads * head, bias=False)
        self.k_proj = nn.Linear(size, self.kv_heads * head, bias=False)
        self.v_proj = nn.Linear(size, self.kv_heads * head, bias=False)
        self.o_proj = nn.Linear(self.heads * head, size, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, mask: Tensor | None, cache: Cache | None) -> Tensor:
        rows, length, _ = x.shape
        q = rotate(self.q_proj(x).view(rows, length, self.heads, self.head).transpose(1, 2), cos, sin)
        k = rotate(self.k_proj(x).view(rows, length, self.kv_heads, self.head).transpose(1, 2), cos, sin)
        v = self.v_proj(x).view(rows, length, self.kv_heads, self.head).transpose(1, 2)
        if cache is not None:
            end = cache.length + length
            cache.keys[:, :, cache.length : end], cache.values[:, :, cache.length : end] = k, v
            k, v, cache.length = cache.keys[:, :, :end], cache.values[:, :, :end], end
        y = attend(q, k, v, mask)
        return self.o_proj(y.transpose(1, 2).reshape(rows, length, -1))


class FeedForward(nn.Module):
    def __init__(self, config: Config):
        super().__init__()
        self.gate_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.up_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.down_proj = nn.Linear(config.intermediate_size, config.hidden_size, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    def __init__(self, config: Config):
        super().__init__()
        self.input_layernorm, self.post_attention_layernorm = Norm(config), Norm(config)
        self.self_attn, self.mlp = Attention(config), FeedForward(config)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, mask: Tensor | None, cache: Cache | None) -> Tensor:
        x = x + self.self_attn(self.input_layernorm(x), cos, sin, mask, cache)
        return x + self.mlp(self.post_attention_layernorm(x))


class Llama(nn.Module):
    """Tied embeddings. Residual branches start at zero, other matrices at 1/sqrt(inputs)."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList([Layer(config) for _ in range(config.num_hidden_layers)])
        self.norm = Norm(config)
        cos, sin = rotary_tables(config)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)
        for name, parameter in self.named_parameters():
            if "o_proj" in name or "down_proj" in name:
                nn.init.zeros_(parameter)
            elif parameter.dim() > 1:
                nn.init.normal_(parameter, 0, 0.04 if "embed" in name else parameter.shape[1] ** -0.5)

    def forward(self, ids: Tensor, mask: Tensor | None = None, caches: list[Cache] | None = None) -> Tensor:
        """Normalised states of the last layer, [rows, positions, hidden]. `mask` is True where a key may be seen."""
        start = caches[0].length if caches else 0
        end = start + ids.shape[1]
        x = self.embed_tokens(ids)
        for index, layer in enumerate(self.layers):
            x = layer(x, self.cos[start:end], self.sin[start:end], mask, caches[index] if caches else None)
        return self.norm(x)

    def grown(self, layers: int) -> "Llama":
        """A copy with further layers on top, which change nothing until they are trained."""
        larger = Llama(replace(self.config, num_hidden_layers=layers))
        larger.load_state_dict({**larger.state_dict(), **self.state_dict()})
        return larger

    def logits(self, states: Tensor) -> Tensor:
        return F.linear(states, self.embed_tokens.weight)

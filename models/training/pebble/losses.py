"""The loss of a batch: the mean over the tokens that have a weight, by weight."""

import numpy as np
import torch
import torch.nn.functional as F

from . import tokens
from .batches import Batch
from .model import Llama


def loss_of(model: Llama, forward, batch: Batch, device: str, half: bool) -> torch.Tensor:
    """What has no weight is dropped here on the CPU: on a GPU it would have to be waited for."""
    chosen = np.flatnonzero(batch.weights)
    parts = (batch.ids, chosen, batch.targets.ravel()[chosen].astype(np.int64), batch.weights.ravel()[chosen])
    ids, places, targets, weights = (_moved(torch.from_numpy(part), device) for part in parts)
    with torch.autocast(device, torch.bfloat16, enabled=half):
        logits = model.logits(forward(ids).flatten(0, 1).index_select(0, places))
    return _mean(logits, targets, weights)


def shaped_loss(model: Llama, forward, ids: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor, half: bool) -> torch.Tensor:
    """The same without dropping anything: what is computed depends on the shape of a batch only."""
    with torch.autocast(ids.device.type, torch.bfloat16, enabled=half):
        logits = model.logits(forward(ids).flatten(0, 1))
    return _mean(logits, targets.flatten().long(), weights.flatten())


def _mean(logits: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    losses = F.cross_entropy(logits.float(), targets, ignore_index=tokens.IGNORED, reduction="none")
    return losses @ weights / weights.sum()


def _moved(tensor: torch.Tensor, device: str) -> torch.Tensor:
    return tensor.pin_memory().to(device, non_blocking=True) if device == "cuda" else tensor.to(device)

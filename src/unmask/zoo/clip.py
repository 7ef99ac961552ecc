"""The image tower of CLIP ViT-B/16 (Radford et al., ICML 2021), tuned in its LayerNorms and a linear head.

Tuning so little keeps what the tower knows of pictures in general, which is what transfers to forgeries that
no training set holds (after Yermakov et al., "Deepfake detection that generalizes across benchmarks", 2025).
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from unmask.zoo.network import NETWORKS, NetworkInfo

PATCH, WIDTH, LAYERS, HEADS = 16, 768, 12, 12
EARLY = (4, 8)
"""Layers whose class tokens are judged beside the last one's: they know of traces that later ones forget."""

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


class _Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (nn.Linear(WIDTH, WIDTH) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        def split(y: Tensor) -> Tensor:
            return y.unflatten(2, (HEADS, WIDTH // HEADS)).transpose(1, 2)

        q, k, v = split(self.q_proj(x)), split(self.k_proj(x)), split(self.v_proj(x))
        # For 197 tokens plain products are twice as quick on processors as the fused kernel's gradient.
        weights = torch.softmax(q * (WIDTH // HEADS) ** -0.5 @ k.transpose(2, 3), dim=3)
        mixed = weights.to(v.dtype) @ v
        return cast("Tensor", self.out_proj(mixed.transpose(1, 2).flatten(2)))


class _Layer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer_norm1 = nn.LayerNorm(WIDTH)
        self.self_attn = _Attention()
        self.layer_norm2 = nn.LayerNorm(WIDTH)
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(WIDTH, 4 * WIDTH), "fc2": nn.Linear(4 * WIDTH, WIDTH)})

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.self_attn(self.layer_norm1(x))
        hidden = self.mlp["fc1"](self.layer_norm2(x))
        return cast("Tensor", x + self.mlp["fc2"](hidden * torch.sigmoid(1.702 * hidden)))


class _Head(nn.Module):
    """Places of the last layer (N, P, 768) and class tokens of earlier ones (N, 768) to evidence (N, P)."""

    def __init__(self) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(WIDTH) for _ in EARLY)
        self.linear = nn.Linear((1 + len(EARLY)) * WIDTH, 1)
        nn.init.normal_(self.linear.weight, std=0.01)
        nn.init.zeros_(self.linear.bias)

    def forward(self, places: Tensor, early: list[Tensor], dropout: nn.Module) -> Tensor:
        late, *weights = self.linear.weight.split(WIDTH, dim=1)
        evidence = nn.functional.linear(dropout(places), late, self.linear.bias)[..., 0]
        for norm, token, weight in zip(self.norms, early, weights, strict=True):
            evidence = evidence + nn.functional.linear(dropout(norm(token)), weight)
        return evidence


class ClipViT(nn.Module):
    """Maps images (N, 3, S, S), S a multiple of 16, to `(logit (N,), evidence (N, S/16, S/16))`.

    The linear head works on the mean of the class token and each patch, so that the map of what the places
    say has the logit as its mean; class tokens of earlier layers (`EARLY`) add the same everywhere. Position
    embeddings are resized for other sizes than 224.

    `patch_dropout` is the share of patches that each image loses, anew each time, while training (Liu et al.,
    PatchDropout, WACV 2023): half of them make a step twice as quick.
    """

    described_features = (1 + len(EARLY)) * WIDTH

    def __init__(self, size: int = 224, dropout: float | None = None) -> None:
        super().__init__()
        self.grid = size // PATCH
        self.patch_dropout = 0.0
        self.class_embedding = nn.Parameter(torch.randn(WIDTH) * 0.02)
        self.patch_embedding = nn.Conv2d(3, WIDTH, PATCH, PATCH, bias=False)
        self.position_embedding = nn.Parameter(torch.randn(self.grid**2 + 1, WIDTH) * 0.02)
        self.pre_layrnorm = nn.LayerNorm(WIDTH)
        self.layers = nn.ModuleList(_Layer() for _ in range(LAYERS))
        self.post_layernorm = nn.LayerNorm(WIDTH)
        self.dropout = nn.Dropout(dropout or 0.0)
        self.classifier = _Head()

    def tokens(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The last layer's states (N, 1 + patches, 768), the class token and then the patches row by row, and
        the class tokens (N, 768) after the layers in `EARLY`."""
        patches = self.patch_embedding(x).flatten(2).transpose(1, 2)
        # len(x) would become a constant in the exported file.
        first = self.class_embedding.expand(x.shape[0], 1, -1)
        states = self.pre_layrnorm(torch.cat([first, patches], dim=1) + self.position_embedding)
        if self.training and self.patch_dropout:
            states = self._some(states)
        early = []
        for number, layer in enumerate(self.layers, start=1):
            states = layer(states)
            if number in EARLY:
                early.append(states[:, 0])
        return states, early

    def _some(self, states: Tensor) -> Tensor:
        """The class token and, of each image, its own random patches, in no order."""
        patches = self.grid**2
        kept = max(1, round(patches * (1 - self.patch_dropout)))
        places = torch.rand(states.shape[0], patches, device=states.device).argsort(1)[:, :kept] + 1
        chosen = states.gather(1, places[..., None].expand(-1, -1, WIDTH))
        return torch.cat([states[:, :1], chosen], dim=1)

    def described(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (N,) and the features (N, 2304) that they are a linear function of, for a pupil to learn."""
        states, early = self.tokens(x)
        states = self.post_layernorm(states)
        features = [0.5 * (states[:, 0] + states[:, 1:].mean(1))]
        features += [norm(token) for norm, token in zip(self.classifier.norms, early, strict=True)]
        joined = torch.cat(features, dim=1)
        return self.classifier.linear(joined)[:, 0], joined

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        states, early = self.tokens(x)
        states = self.post_layernorm(states)
        # The class token counts as much as all patches together, and is the same for each place.
        mixed = 0.5 * (states[:, :1] + states[:, 1:])
        evidence = self.classifier(mixed, early, self.dropout)
        if self.training and self.patch_dropout:
            return evidence.mean(1), evidence
        return evidence.mean(1), evidence.unflatten(1, (self.grid, self.grid))


def tunes(parameter: str) -> bool:
    """LayerNorms and the head."""
    return "norm" in parameter or "layrnorm" in parameter or parameter.startswith("classifier.")


def load(network: nn.Module, state: dict[str, Tensor]) -> None:
    """Take everything but the head from a state dict with the tower's names as the hub has them."""
    assert isinstance(network, ClipViT)
    renamed = {}
    for name, value in state.items():
        short = name.removeprefix("vision_model.").removeprefix("encoder.").removeprefix("embeddings.")
        renamed[short.replace("position_embedding.weight", "position_embedding")] = value
    renamed.pop("visual_projection.weight", None)
    positions = renamed["position_embedding"]
    side = round((len(positions) - 1) ** 0.5)
    if side != network.grid:
        grid = positions[1:].T.reshape(1, WIDTH, side, side)
        grid = nn.functional.interpolate(grid, (network.grid,) * 2, mode="bicubic", align_corners=False)
        renamed["position_embedding"] = torch.cat([positions[:1], grid.reshape(WIDTH, -1).T])
    missing, unexpected = network.load_state_dict(renamed, strict=False)
    if unexpected or any(not name.startswith("classifier.") for name in missing):
        raise ValueError(f"not a CLIP ViT-B/16 tower: missing {missing}, unexpected {unexpected}")


NETWORKS.register("clip_vit_b16")(
    NetworkInfo(
        name="clip_vit_b16",
        make=ClipViT,
        size=224,
        paper="Radford et al., Learning transferable visual models from natural language supervision, "
        "ICML 2021",
        parameters=85_804_801,
        macs=17_563_210_752,
        mean=CLIP_MEAN,
        std=CLIP_STD,
        starts=("clip",),
        load=load,
        tunes=tunes,
    )
)

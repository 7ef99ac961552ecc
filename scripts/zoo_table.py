"""Print the table of networks in docs/zoo.md: python scripts/zoo_table.py"""

from __future__ import annotations

import torch

from unmask.zoo.build import build
from unmask.zoo.network import NETWORKS


def main() -> None:
    print("| name | paper | input | parameters | multiply-adds | starts from | evidence |")
    print("| --- | --- | ---: | ---: | ---: | --- | --- |")
    for name in NETWORKS:
        info = NETWORKS[name]
        side = max(64, info.least_size)
        side += -side % 32
        with torch.inference_mode():
            evidence = build(name, size=side).eval()(torch.zeros(1, 3, side, side))[1]
        print(
            f"| `{name}` | {info.paper} | {info.size} | {info.parameters / 1e6:.2f} M "
            f"| {info.macs / 1e6:,.0f} M | {', '.join(info.starts) or 'random'} "
            f"| {'-' if evidence is None else 'yes'} |"
        )


if __name__ == "__main__":
    main()
